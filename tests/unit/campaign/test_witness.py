"""From when on Studio's list is read for whom others have reached: no further than it takes, and no less."""

from __future__ import annotations

from dispatcher.campaign.witness import SLACK_MS, _since
from dispatcher.ledger.records import Look

HOUR_MS = 3_600_000
NOW_MS = 1_000 * HOUR_MS
WANTED_MS = NOW_MS - 16 * HOUR_MS
WHOLE = (WANTED_MS - SLACK_MS, WANTED_MS - SLACK_MS)


def since(
    looked_ms: int | None, *, skew_ms: int = 0, covered_ms: int = WHOLE[0], departed_ms: int | None = None
) -> tuple[int, int]:
    last = None
    if looked_ms is not None:
        last = Look(looked_at_ms=looked_ms, clock_skew_ms=skew_ms, since_ms=covered_ms, departed_at_ms=departed_ms)
    return _since(last, WANTED_MS, NOW_MS, 0)


def test_the_first_look() -> None:
    """It goes back over the whole period."""
    assert since(None) == WHOLE


def test_a_later_look() -> None:
    """It begins where the last one, or the last request of its run, leaves off; and minutes before that."""
    looked_ms = NOW_MS - 5 * HOUR_MS
    assert since(looked_ms) == (looked_ms - SLACK_MS, WHOLE[0])
    assert since(looked_ms, departed_ms=looked_ms + HOUR_MS) == (looked_ms + HOUR_MS - SLACK_MS, WHOLE[0])
    assert since(NOW_MS - 40 * HOUR_MS, covered_ms=NOW_MS - 60 * HOUR_MS)[0] == WHOLE[0]


def test_a_moment_after_the_last_look() -> None:
    """The clocks' difference is measured to half a second: that makes no look go back over the whole period again."""
    for jitter_ms in (-1000, 0, 1000):
        assert since(NOW_MS, covered_ms=WHOLE[0] + jitter_ms)[0] == NOW_MS - SLACK_MS


def test_a_look_that_did_not_go_back_far_enough() -> None:
    """A longer period, or a look that was cut short, is looked through whole."""
    assert since(NOW_MS - HOUR_MS, covered_ms=WANTED_MS + 1) == WHOLE


def test_a_look_on_another_clock() -> None:
    """One in the future is not believed; a difference that was measured moves the beginning to no later time."""
    assert since(NOW_MS + 1) == WHOLE
    assert since(NOW_MS - HOUR_MS, departed_ms=NOW_MS + 1) == WHOLE
    looked_ms = NOW_MS - 5 * HOUR_MS
    assert since(looked_ms, skew_ms=2 * HOUR_MS)[0] == looked_ms - SLACK_MS
    assert since(looked_ms, skew_ms=-2 * HOUR_MS)[0] == looked_ms - 2 * HOUR_MS - SLACK_MS
