"""Which places are open, in which order, until when, and when the others will be."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from dispatcher.model import Reason
from dispatcher.rules.gate import Due, Schedule
from dispatcher.rules.hours import Hours, openings, read_hours
from dispatcher.rules.places import Place, PlaceSource
from dispatcher.rules.times import Moment, read_moment

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NO_HOURS = Hours((), None, 0)
ZONES = ("America/New_York", "America/Denver", "America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata", "Pacific/Apia")


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def at(*zones: str) -> Place:
    return Place(zones, None, None, PlaceSource.column)


def moment(text: str) -> Moment:
    found = read_moment(text)
    assert isinstance(found, Moment)
    return found


PLACES: dict[int, Place | None] = {number: at(zone) for number, zone in enumerate(ZONES, 1)}
NINE_TO_FIVE = read_hours([], own="09:00-17:00")


def test_first_to_close_goes_first() -> None:
    """Of the places that are open those come first whose hours are over first."""
    gate = Schedule(NINE_TO_FIVE, PLACES).gate(ms("2026-07-15T17:30"))
    # New York 13:30, Denver 11:30, Los Angeles 10:30; Berlin 19:30 and Kolkata 23:00 are closed, Apia is at 06:30.
    assert list((gate.places or {}).items()) == [
        (1, ms("2026-07-15T21:00")),
        (2, ms("2026-07-15T23:00")),
        (3, ms("2026-07-16T00:00")),
    ]


def test_none_is_open() -> None:
    """A gate of no place is closed; one without places is not."""
    schedule = Schedule(NINE_TO_FIVE, {1: at("America/New_York")})
    assert schedule.gate(ms("2026-07-15T03:00")).is_closed
    assert not schedule.gate(ms("2026-07-15T15:00")).is_closed


def test_where_no_hours_hold() -> None:
    """An address of no place is always open, and closes last."""
    schedule = Schedule(NINE_TO_FIVE, {1: at("America/New_York"), 2: None})
    assert list(schedule.gate(ms("2026-07-15T03:00")).places or {}) == [2]
    assert list(schedule.gate(ms("2026-07-15T15:00")).places or {}) == [1, 2]


def test_when_rows_may_go() -> None:
    """At once, at the next opening, or at their own time if that is later; and the first of all."""
    schedule, now_ms = Schedule(NINE_TO_FIVE, PLACES), ms("2026-07-15T17:30")
    assert schedule.earliest_ms(Due(1, 0), now_ms) == now_ms
    assert schedule.earliest_ms(Due(4, 0), now_ms) == ms("2026-07-16T07:00")
    assert schedule.earliest_ms(Due(4, ms("2026-07-17T10:00")), now_ms) == ms("2026-07-17T10:00")
    assert schedule.earliest_ms(Due(1, ms("2026-07-15T22:00")), now_ms) == ms("2026-07-16T13:00")
    assert schedule.next_ms([Due(4, 0), Due(6, 0)], now_ms) == ms("2026-07-15T20:00")
    assert schedule.next_ms([], now_ms) is None


def test_a_time_beyond_the_horizon() -> None:
    """A row's own time in half a year: it waits, and is not said to have no hours."""
    schedule, now_ms = Schedule(NINE_TO_FIVE, PLACES), ms("2026-07-15T17:30")
    far_ms = now_ms + 180 * DAY_MS
    assert (schedule.earliest_ms(Due(1, far_ms), now_ms) or 0) >= far_ms
    assert schedule.left_out(1, now_ms) is None


def test_start_and_deadline_on_each_clock() -> None:
    """Nothing before the start, nothing after the deadline, each contact's own."""
    start, deadline = moment("2026-07-16T10:00"), moment("2026-07-16T12:00")
    schedule = Schedule(NINE_TO_FIVE, PLACES, start=start, deadline=deadline)
    assert schedule.gate(ms("2026-07-15T15:00")).is_closed
    assert schedule.earliest_ms(Due(1, 0), ms("2026-07-15T15:00")) == ms("2026-07-16T14:00")
    assert schedule.gate(ms("2026-07-16T14:00")).places == {1: ms("2026-07-16T16:00")}
    assert schedule.left_out(1, ms("2026-07-16T15:59")) is None
    assert schedule.left_out(1, ms("2026-07-16T16:00")) is Reason.expired
    assert schedule.left_out(3, ms("2026-07-16T16:00")) is None
    assert schedule.starts_ms(3) == ms("2026-07-16T17:00")


def test_a_start_that_is_far() -> None:
    """A campaign that starts next month waits for it."""
    schedule = Schedule(NINE_TO_FIVE, PLACES, start=moment("2026-09-01T09:00"))
    assert schedule.earliest_ms(Due(1, 0), ms("2026-07-15T15:00")) == ms("2026-09-01T13:00")
    assert schedule.left_out(1, ms("2026-07-15T15:00")) is None
    # The same schedule, once it is time.
    assert 1 in (schedule.gate(ms("2026-09-01T13:00")).places or {})


def test_without_hours_only_the_schedule_holds() -> None:
    """Start and deadline hold where hours are off."""
    schedule = Schedule(NO_HOURS, PLACES, deadline=moment("2026-07-16T12:00"))
    gate = schedule.gate(ms("2026-07-15T03:00"))
    assert len(gate.places or {}) == len(PLACES)
    assert (gate.places or {})[1] == ms("2026-07-16T16:00")


def test_hours_that_no_zone_shares() -> None:
    """Everywhere that a number may be it is never day at once: no window, which is not the deadline's doing."""
    places: dict[int, Place | None] = {1: at("Pacific/Auckland", "Europe/London")}
    schedule = Schedule(read_hours([], own="10:00-12:00"), places, deadline=moment("2027-01-01"))
    assert schedule.left_out(1, ms("2026-07-15T15:00")) is Reason.no_window


def test_a_clock_that_steps_back() -> None:
    """What was worked out for later is not taken for now."""
    schedule = Schedule(NINE_TO_FIVE, PLACES)
    assert 1 in (schedule.gate(ms("2026-07-15T17:00")).places or {})
    assert 1 not in (schedule.gate(ms("2026-07-15T03:00")).places or {})


@settings(deadline=None, max_examples=150)
@given(
    st.integers(ms("2026-01-01T00:00"), ms("2027-12-31T00:00")),
    st.lists(st.integers(-2 * DAY_MS, 3 * DAY_MS), min_size=1, max_size=12),
    st.sampled_from(["09:00-17:00", "22:00-02:00", "00:00-24:00", "08:00-12:00, 13:00-21:00"]),
)
def test_a_gate_is_what_the_openings_say(begin_ms: int, steps_ms: list[int], own: str) -> None:
    """Whenever one schedule is asked, in whatever order: open is what is in an opening, until its end."""
    hours = read_hours([], own=own, close_early_min=5)
    schedule = Schedule(hours, PLACES)
    for step_ms in steps_ms:
        now_ms = begin_ms + step_ms
        gate = schedule.gate(now_ms)
        wanted = {}
        for number, place in PLACES.items():
            assert place is not None
            spans = openings(place, hours, now_ms)
            if spans and spans[0][0] <= now_ms:
                wanted[number] = spans[0][1]
        found = gate.places or {}
        assert found.keys() == wanted.keys()
        if own != "00:00-24:00":
            assert found == wanted
        assert all(left <= right for left, right in pairwise(found.values()))


@pytest.mark.parametrize("count", [450])
def test_a_gate_costs_little(count: int) -> None:
    """It is asked with every claim: as long as nothing opens or closes, it is the same object."""
    places: dict[int, Place | None] = {number: at(ZONES[number % len(ZONES)]) for number in range(count)}
    schedule = Schedule(NINE_TO_FIVE, places)
    first = schedule.gate(ms("2026-07-15T17:30"))
    assert schedule.gate(ms("2026-07-15T17:31")) is first
