"""The ceiling's rules, one by one: times and counts in, a cap out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.sending.ceiling import (
    FLOOR_SHARE,
    IGNORE_429_WINDOWS,
    MARGIN_FOR_OTHERS,
    MISSES_MAX,
    PAUSE,
    PAUSE_MAX,
    Ceiling,
)

FULL = 198
WINDOW_S = 10.0
FIRST_PAUSE_S = WINDOW_S * PAUSE


@pytest.fixture
def ceiling() -> Ceiling:
    return Ceiling(FULL, WINDOW_S)


def probe(ceiling: Ceiling, now_s: float) -> float:
    """Let a probe be refused at a ceiling of 100; returns when the next may go."""
    ceiling.passed(now_s, 99)
    ceiling.refused(now_s, 100)
    following_s = ceiling.probes_at(now_s)
    assert following_s is not None
    return following_s


def test_without_a_429(ceiling: Ceiling) -> None:
    """Without a 429 there is no ceiling, and no probe is due."""
    ceiling.passed(0.0, 150)
    assert ceiling.cap(0.0) == FULL
    assert ceiling.probes_at(0.0) is None


def test_a_429_sets_a_ceiling(ceiling: Ceiling) -> None:
    """A 429 puts the ceiling at what got through, less a little for others."""
    ceiling.refused(5.0, 100)
    assert ceiling.cap(5.0) == 100 * (1 - MARGIN_FOR_OTHERS)


def test_the_floor(ceiling: Ceiling) -> None:
    """A ceiling is never under the floor, a share of the cap."""
    ceiling.refused(0.1, 0)
    assert ceiling.cap(0.1) == int(FULL * FLOOR_SHARE)


def test_a_probe_after_a_pause(ceiling: Ceiling) -> None:
    """After a pause, one probe may go above the ceiling."""
    ceiling.refused(5.0, 100)
    assert ceiling.probes_at(5.0) == 5.0 + FIRST_PAUSE_S
    assert ceiling.cap(5.0 + FIRST_PAUSE_S) == 101


def test_a_refused_probe(ceiling: Ceiling) -> None:
    """A probe that is refused doubles the pause before the next, up to two windows."""
    ceiling.refused(0.0, 100)
    at_s, pauses_s = FIRST_PAUSE_S, []
    for _ in range(10):
        following_s = probe(ceiling, at_s)
        pauses_s.append(following_s - at_s)
        at_s = following_s
    assert pauses_s[:3] == pytest.approx([FIRST_PAUSE_S * 2, FIRST_PAUSE_S * 4, FIRST_PAUSE_S * 8])
    assert pauses_s[-1] == pytest.approx(WINDOW_S * PAUSE_MAX)


def test_one_that_is_taken_over(ceiling: Ceiling) -> None:
    """It stands as if it had been met now; at the whole limit there is none, and it is never under the floor."""
    ceiling.take_over(100, 5.0)
    assert (ceiling.at, ceiling.cap(5.0)) == (100, 98)
    assert ceiling.probes_at(5.0) == 5.0 + FIRST_PAUSE_S
    low, whole = Ceiling(FULL, WINDOW_S), Ceiling(FULL, WINDOW_S)
    low.take_over(1, 5.0)
    whole.take_over(FULL, 5.0)
    assert (low.at, whole.at) == (int(FULL * FLOOR_SHARE), None)


def test_a_429_between_probes(ceiling: Ceiling) -> None:
    """A 429 at the ceiling, while no probe is due, does not put the next probe off."""
    ceiling.refused(0.0, 100)
    due_s = probe(ceiling, FIRST_PAUSE_S)
    ceiling.passed(0.25, 97)
    ceiling.refused(0.3, 98)
    assert ceiling.probes_at(0.3) == due_s


def test_probes_that_get_through(ceiling: Ceiling) -> None:
    """Probes that get through open the ceiling twice as wide each time, until it is forgotten."""
    ceiling.refused(0.0, 100)
    now_s, count, steps = 1.0, 100, []
    while ceiling.stands:
        steps.append(ceiling.cap(now_s) - count)
        count += 1
        ceiling.passed(now_s, count)
    assert steps == [1, 2, 4, 8, 16, 32, 64]
    assert ceiling.cap(now_s) == FULL


def test_a_higher_ceiling(ceiling: Ceiling) -> None:
    """A ceiling that is found higher up is a new one, with short pauses."""
    ceiling.refused(0.0, 100)
    due_s = FIRST_PAUSE_S
    for _ in range(4):
        due_s = probe(ceiling, due_s)
    for count in range(101, 121):
        ceiling.passed(due_s, count)
    ceiling.refused(due_s, 120)
    assert ceiling.probes_at(due_s) == pytest.approx(due_s + FIRST_PAUSE_S)


def test_a_refusal_below_the_ceiling(ceiling: Ceiling) -> None:
    """A refusal below the ceiling moves it down."""
    ceiling.refused(0.0, 100)
    ceiling.passed(0.1, 50)
    ceiling.refused(0.1, 60)
    assert ceiling.cap(0.1) == 59


def test_consecutive_refusals(ceiling: Ceiling) -> None:
    """Consecutive refusals say nothing new.

    A storm: nothing gets through, so that it is not known how much would.
    """
    ceiling.refused(0.0, 150)
    for count in (120, 90, 30, 0):
        ceiling.refused(0.1, count)
    assert ceiling.cap(0.1) == 147


def test_many_refusals_below_the_ceiling(ceiling: Ceiling) -> None:
    """Refusals below the ceiling that go on have another reason: for two windows 429s set no ceiling."""
    ceiling.refused(0.0, 150)
    count = 140
    for _ in range(int(MISSES_MAX) + 1):
        assert ceiling.stands
        ceiling.passed(1.0, count - 1)
        ceiling.refused(1.0, count)
        count -= 20
    assert ceiling.cap(1.0) == FULL
    ceiling.passed(2.0, 100)
    ceiling.refused(2.0, 110)
    assert ceiling.cap(2.0) == FULL
    ceiling.refused(1.0 + WINDOW_S * IGNORE_429_WINDOWS, 110)
    assert ceiling.stands


def test_rare_refusals_below_the_ceiling(ceiling: Ceiling) -> None:
    """Refusals below the ceiling that come now and then leave it standing."""
    ceiling.refused(0.0, 150)
    count = 140
    for _ in range(6):
        for _ in range(200):
            ceiling.passed(0.1, 10)
        ceiling.refused(0.1, count)
        count -= 10
    assert ceiling.stands


@given(st.integers(1, 5000), st.lists(st.tuples(st.booleans(), st.floats(0, 30), st.integers(0, 5000)), max_size=80))
def test_the_cap_s_bounds(full: int, answers: list[tuple[bool, float, int]]) -> None:
    """Whatever comes, the cap is between one and the limit."""
    ceiling, now_s = Ceiling(full, WINDOW_S), 0.0
    for refused, pause_s, count in answers:
        now_s += pause_s
        (ceiling.refused if refused else ceiling.passed)(now_s, min(count, full))
        assert 1 <= ceiling.cap(now_s) <= full
        due_s = ceiling.probes_at(now_s)
        assert due_s is None or now_s < due_s <= now_s + WINDOW_S * PAUSE_MAX
