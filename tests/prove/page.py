"""What the monitor's own page would ask of it: the v1 API and metrics, each answer checked for its status."""

from typing import Any

from tests.servers import UmbelServer, send_request


def fetch_status_code(url: str) -> int:
    """The status code alone; 0 where nobody answers within 2 s."""
    try:
        return send_request(url, timeout=2.0).status
    except OSError:
        return 0


def fetch_api(monitor: UmbelServer, path: str) -> Any:
    """The decoded answer of `/api/v1/<path>`; an AssertionError unless it is 200."""
    answer = monitor.get(f"/api/v1/{path}")
    assert answer.status == 200, f"{path}: {answer.status} {answer.text[:300]}"
    return answer.json()


def fetch_metrics(monitor: UmbelServer) -> dict[str, float]:
    """Every sample of `/metrics` by its name and labels as written."""
    answer = monitor.get("/metrics")
    assert answer.status == 200, f"metrics: {answer.status}"
    samples = {}
    for line in answer.text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            samples[name] = float(value)
    return samples
