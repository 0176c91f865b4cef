"""How often a contact may be reached, in rolling hours."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from dispatcher.rules.cooloff import CoolOff, CoolOffs, hold_ms, is_hold

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NOW_MS = 1_790_000_000_000
THREE = CoolOff(3, 24)


def ago(*hours: float) -> list[int]:
    return [NOW_MS - round(one * HOUR_MS) for one in hours]


@pytest.mark.parametrize(
    ("begun", "free_ms"),
    [
        ([], 0),
        (ago(1, 2), 0),
        # The fourth may go a millisecond after the first is a day old.
        (ago(1, 2, 23), NOW_MS + HOUR_MS + 1),
        (ago(1, 2, 24), NOW_MS + 1),
        ([*ago(1, 2), NOW_MS - DAY_MS - 1], 0),
        # Whatever their order; and those that are older do not count.
        (ago(2, 23, 1, 25, 30), NOW_MS + HOUR_MS + 1),
        (ago(25, 26, 27, 28), 0),
        # Where the cap was lowered, enough of them have to fall out.
        (ago(1, 2, 3, 23), NOW_MS + 21 * HOUR_MS + 1),
        (ago(0, 0, 0), NOW_MS + DAY_MS + 1),
    ],
)
def test_three_in_a_day(begun: list[int], free_ms: int) -> None:
    """Three in any twenty-four hours, not on a calendar's day."""
    assert THREE.free_ms(begun, NOW_MS) == free_ms


@given(
    begun=st.lists(st.integers(NOW_MS - 3 * DAY_MS, NOW_MS), max_size=12),
    most=st.integers(1, 5),
    hours=st.integers(1, 48),
)
def test_no_window_has_more(begun: list[int], most: int, hours: int) -> None:
    """Once it is free, the period behind has room; a millisecond before, it has none."""
    cap = CoolOff(most, hours)
    free_ms = cap.free_ms(begun, NOW_MS) or NOW_MS
    assert sum(at >= free_ms - cap.period_ms for at in begun) < most
    if free_ms > NOW_MS:
        assert sum(at >= free_ms - 1 - cap.period_ms for at in begun) >= most


def test_those_of_a_place_and_ones_own() -> None:
    """All that hold for a place hold together: the last to be free is waited for."""
    own, florida = CoolOff(2, 1), CoolOff(3, 24)
    both = CoolOffs(own, {7: [florida]})
    assert both.longest_ms == DAY_MS
    assert both.until_ms(1, ago(2, 3, 4), NOW_MS) is None
    assert both.until_ms(7, ago(2, 3, 4), NOW_MS) == (NOW_MS + 20 * HOUR_MS + 1, florida)
    assert both.until_ms(1, ago(0.5, 0.6), NOW_MS) == (NOW_MS + HOUR_MS * 4 // 10 + 1, own)
    assert both.until_ms(7, ago(0.5, 0.6, 23.9), NOW_MS) == (NOW_MS + HOUR_MS * 4 // 10 + 1, own)
    assert not CoolOffs()
    assert CoolOffs(own).until_ms(7, ago(2, 3, 4), NOW_MS) is None


@given(st.integers(NOW_MS, NOW_MS + DAY_MS))
def test_a_hold_is_known_by_its_time(until_ms: int) -> None:
    """It is never before, a minute later at the most; and no whole second is one."""
    held_ms = hold_ms(until_ms)
    assert until_ms < held_ms <= until_ms + 60_000
    assert is_hold(held_ms)
    assert not is_hold(until_ms // 1000 * 1000)
