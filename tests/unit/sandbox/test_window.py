"""The rate limit's arithmetic, against a model that counts every window anew."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.sandbox.window import RateLimit, SlidingWindow

WINDOW_US = 1000
# Gaps around the window's length and multiples of a divisor, so that events often lie exactly a window apart.
gaps = st.lists(st.one_of(st.integers(0, 1500), st.sampled_from([0, 250, 500, 999, 1000, 1001])), max_size=60)


def times_of(gaps_us: list[int]) -> list[int]:
    now, times = 5_000_000, []
    for gap in gaps_us:
        now += gap
        times.append(now)
    return times


def naive_count(times: list[int], now_us: int) -> int:
    return sum(now_us - WINDOW_US < time <= now_us for time in times)


@given(gaps)
def test_counts_against_a_model(gaps_us: list[int]) -> None:
    """The count and the worst window are those of counting every window anew."""
    window, seen = SlidingWindow(WINDOW_US), []
    for now_us in times_of(gaps_us):
        seen.append(now_us)
        assert window.add(now_us) == naive_count(seen, now_us)
    assert window.worst == max((naive_count(seen, time) for time in seen), default=0)


@given(gaps, st.integers(1, 6), st.booleans())
def test_which_creates_are_refused(gaps_us: list[int], limit: int, count_refused: bool) -> None:
    """A create is refused exactly when it would be one too many in a window."""
    rate = RateLimit(limit_per_window=limit, window_us=WINDOW_US, count_refused=count_refused)
    accepted: list[int] = []
    arrived: list[int] = []
    for now_us in times_of(gaps_us):
        counted = arrived if count_refused else accepted
        expected = naive_count(counted, now_us) < limit
        arrived.append(now_us)
        rate.arrive(now_us)
        assert rate.accept(now_us) is expected
        if expected:
            accepted.append(now_us)
    assert rate.accepted.worst <= limit
    assert rate.arrived.worst == max((naive_count(arrived, time) for time in arrived), default=0)


def test_events_a_window_apart() -> None:
    """Two events exactly a window apart are not in one window."""
    window = SlidingWindow(WINDOW_US)
    window.add(0)
    assert window.add(WINDOW_US - 1) == 2
    assert window.add(WINDOW_US) == 2


def test_without_a_limit() -> None:
    """Without a limit everything is accepted, and still counted."""
    rate = RateLimit(limit_per_window=None, window_us=WINDOW_US, count_refused=True)
    for _ in range(1000):
        rate.arrive(0)
        assert rate.accept(0)
    assert rate.accepted.worst == 1000
