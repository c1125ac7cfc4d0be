"""What may be deleted by a clock that jumps."""

from umbel.store.trusted_clock import BELIEVED_AFTER, JUMP, TrustedClock

DAY = 86400.0


def test_a_clock_that_goes_on_is_followed() -> None:
    clock = TrustedClock(1000.0, 50.0)
    assert clock.get_time(1000.0, 50.0) == 1000.0
    assert clock.get_time(1000.0 + JUMP, 50.0) == 1000.0 + JUMP
    assert clock.get_time(1000.0 + 9 * DAY, 50.0 + 9 * DAY - JUMP) == 1000.0 + 9 * DAY


def test_a_jump_ahead_is_believed_after_a_while_only() -> None:
    clock = TrustedClock(1000.0, 50.0)
    for passed in (1.0, BELIEVED_AFTER):
        assert clock.get_time(1000.0 + 60 * DAY + passed, 50.0 + passed) == 1000.0 + passed
    passed = 1.0 + BELIEVED_AFTER
    assert clock.get_time(1000.0 + 60 * DAY + passed, 50.0 + passed) == 1000.0 + 60 * DAY + passed
    assert clock.get_time(1000.0 + 60 * DAY + passed + 1, 50.0 + passed + 1) == 1000.0 + 60 * DAY + passed + 1


def test_a_jump_that_is_undone_is_forgotten() -> None:
    clock = TrustedClock(1000.0, 50.0)
    assert clock.get_time(1000.0 + 60 * DAY, 51.0) == 1001.0
    assert clock.get_time(1002.0, 52.0) == 1002.0
    # the next one is doubted for as long
    begun = 52.0 + BELIEVED_AFTER
    assert clock.get_time(begun + 60 * DAY, begun) == 1002.0 + BELIEVED_AFTER
    assert clock.get_time(begun + 60 * DAY, begun + BELIEVED_AFTER - 1) == 1002.0 + 2 * BELIEVED_AFTER - 1


def test_a_clock_that_is_set_back_is_followed_at_once() -> None:
    clock = TrustedClock(1000.0 + 60 * DAY, 50.0)
    assert clock.get_time(1000.0, 51.0) == 1000.0
    assert clock.get_time(1001.0, 52.0) == 1001.0
