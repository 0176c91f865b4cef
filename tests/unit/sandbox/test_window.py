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
def test_the_count_and_the_worst_window_are_those_of_counting_every_window_anew(gaps_us: list[int]) -> None:
    window, seen = SlidingWindow(WINDOW_US), []
    for now_us in times_of(gaps_us):
        seen.append(now_us)
        assert window.add(now_us) == naive_count(seen, now_us)
    assert window.worst == max((naive_count(seen, time) for time in seen), default=0)


@given(gaps, st.integers(1, 6), st.booleans())
def test_a_create_is_refused_exactly_when_it_would_be_one_too_many_in_a_window(
    gaps_us: list[int], limit: int, count_refused: bool
) -> None:
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


def test_two_events_exactly_a_window_apart_are_not_in_one_window() -> None:
    window = SlidingWindow(WINDOW_US)
    window.add(0)
    assert window.add(WINDOW_US - 1) == 2
    assert window.add(WINDOW_US) == 2


def test_without_a_limit_everything_is_accepted_and_still_counted() -> None:
    rate = RateLimit(limit_per_window=None, window_us=WINDOW_US, count_refused=True)
    for _ in range(1000):
        rate.arrive(0)
        assert rate.accept(0)
    assert rate.accepted.worst == 1000
