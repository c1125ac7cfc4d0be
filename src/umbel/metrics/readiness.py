"""Whether what is shown is true and current: the one rule behind `/health/ready`, `/api/v1/status` and metrics."""

from umbel.store.status import BELIEVED, CollectorStatus

#: Seconds after which the last proof of life no longer counts: whoever asks every second hears of it within 15.
PROOF_FRESH = 14.0


def reasons_not_ready(status: CollectorStatus | None, now: float) -> list[str]:
    """Why the monitor is not ready at `now` (epoch seconds), one sentence each; empty when it is."""
    if status is None:
        return ["The collector has not said anything yet."]
    reasons = []
    age = now - status.time
    if age >= BELIEVED:
        reasons.append(f"The collector has said nothing for {age:.0f} s.")
    elif age <= -BELIEVED:
        reasons.append(
            f"The collector's last word is from before this machine's clock was set back by {-age:.0f} s."
        )
    if status.state != "connected":
        detail = f": {status.error}" if status.error else ""
        reasons.append(f"The event source is {status.state}{detail}.")
    elif status.proof_at is None:
        reasons.append("The broker has not yet given any proof of life.")
    if status.proof_at is not None and now - status.proof_at >= PROOF_FRESH:
        reasons.append(f"The broker's last proof of life is {now - status.proof_at:.0f} s old.")
    if status.store_error:
        reasons.append(f"The history takes no writes: {status.store_error}.")
    return reasons
