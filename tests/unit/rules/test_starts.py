"""Where a campaign's start has passed when it begins, and what becomes of whom it has passed for."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from dispatcher.model import Reason
from dispatcher.rules.gate import Due, Schedule
from dispatcher.rules.hours import Hours, read_hours
from dispatcher.rules.places import Place, PlaceSource
from dispatcher.rules.starts import Begin, MissedLocal, start_ms
from dispatcher.rules.times import Moment, leaves_no_time, read_moment

NO_HOURS = Hours((), None, 0)
HOUR_MS = 3_600_000
GRACE_MS = HOUR_MS
NEW_YORK, LONDON, BERLIN = "America/New_York", "Europe/London", "Europe/Berlin"
ZONES = (NEW_YORK, LONDON, BERLIN, "Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Honolulu", "America/St_Johns")


def ms(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def moment(text: str) -> Moment:
    found = read_moment(text)
    assert isinstance(found, Moment)
    return found


def begin(text: str, zone: str, missed: str = "next_day", grace_ms: int = GRACE_MS) -> Begin:
    return Begin(ms(text, zone), grace_ms, MissedLocal(missed))


@pytest.mark.parametrize(
    ("zones", "begun", "starts"),
    [
        # Begun before, at, and a little behind the start of its own zone: that has not missed it.
        ([NEW_YORK], ("2026-12-01T07:00", NEW_YORK), "2026-12-01T09:00"),
        ([NEW_YORK], ("2026-12-01T09:00", NEW_YORK), "2026-12-01T09:00"),
        ([NEW_YORK], ("2026-12-01T09:00:03", NEW_YORK), "2026-12-01T09:00"),
        ([NEW_YORK], ("2026-12-01T10:00", NEW_YORK), "2026-12-01T09:00"),
        ([NEW_YORK], ("2026-12-01T10:00:01", NEW_YORK), "2026-12-02T09:00"),
        # London has missed New York's, Honolulu is still ahead.
        ([LONDON], ("2026-12-01T09:00:03", NEW_YORK), "2026-12-02T09:00"),
        (["Pacific/Honolulu"], ("2026-12-01T09:00:03", NEW_YORK), "2026-12-01T09:00"),
        # It has begun days late, a little before and a little behind that day's 09:00.
        ([LONDON], ("2026-12-04T08:00", LONDON), "2026-12-04T09:00"),
        ([LONDON], ("2026-12-04T09:30", LONDON), "2026-12-04T09:00"),
        ([LONDON], ("2026-12-04T14:00", LONDON), "2026-12-05T09:00"),
    ],
)
def test_the_next_day(zones: list[str], begun: tuple[str, str], starts: str) -> None:
    """Who has missed it by more than the grace has it at the same time of a later day, by the clock there."""
    found = start_ms(moment("2026-12-01T09:00"), zones, begin(*begun))
    assert found == ms(starts, zones[0])


def test_the_other_ways() -> None:
    """now: at once, so the start stays where it was; skip: never, but where it was not missed."""
    start = moment("2026-12-01T09:00")
    late, on_time = ms("2026-12-01T09:00", LONDON), ms("2026-12-01T09:00", NEW_YORK)
    assert start_ms(start, [LONDON], begin("2026-12-01T09:00:03", NEW_YORK, "now")) == late
    assert start_ms(start, [LONDON], begin("2026-12-01T09:00:03", NEW_YORK, "skip")) is None
    assert start_ms(start, [NEW_YORK], begin("2026-12-01T09:00:03", NEW_YORK, "skip")) == on_time
    assert start_ms(start, [LONDON]) == late


def test_nobody_misses_an_instant() -> None:
    """A start that is the same for all is `late`'s affair, whatever this says."""
    start = moment("2026-12-01T09:00Z")
    assert start_ms(start, [LONDON], begin("2026-12-03T09:00", LONDON, "skip")) == ms("2026-12-01T09:00")


@pytest.mark.parametrize(
    ("start", "begun", "starts"),
    [
        # The night between them is an hour shorter or longer, and the start on the wall is the same.
        ("2026-03-07T09:00", "2026-03-07T14:00", "2026-03-08T09:00"),
        ("2026-10-31T09:00", "2026-10-31T14:00", "2026-11-01T09:00"),
        # The next day has no 02:30: the end of the gap.
        ("2026-03-07T02:30", "2026-03-07T14:00", "2026-03-08T03:00"),
    ],
)
def test_days_on_which_clocks_change(start: str, begun: str, starts: str) -> None:
    """The next day's time is by the wall, not so many hours later."""
    assert start_ms(moment(start), [NEW_YORK], begin(begun, NEW_YORK)) == ms(starts, NEW_YORK)


def test_an_hour_that_comes_twice() -> None:
    """The next day has 01:30 twice: the second, as for any start."""
    found = start_ms(moment("2026-10-31T01:30"), [NEW_YORK], begin("2026-10-31T14:00", NEW_YORK))
    assert found == ms("2026-11-01T06:30")


def test_a_place_of_several_zones() -> None:
    """Its start is the last of its zones', and it is missed once that has passed."""
    start, both = moment("2026-12-01T09:00"), [LONDON, NEW_YORK]
    assert start_ms(start, both, begin("2026-12-01T09:30", NEW_YORK)) == ms("2026-12-01T09:00", NEW_YORK)
    assert start_ms(start, both, begin("2026-12-01T10:30", NEW_YORK)) == ms("2026-12-02T09:00", NEW_YORK)


@settings(deadline=None)
@given(
    st.integers(ms("2026-01-01T00:00"), ms("2027-12-31T00:00")),
    st.integers(-3 * 24 * 60, 10 * 24 * 60),
    st.integers(0, 180),
    st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True),
)
def test_the_first_that_is_in_time(wall_ms: int, late_min: int, grace_min: int, zones: list[str]) -> None:
    """It is never missed by more than the grace, and no day before would have done."""
    start, grace_ms = Moment(wall_ms // 60_000 * 60_000, is_instant=False), grace_min * 60_000
    at_ms = start.at_ms + late_min * 60_000
    found = start_ms(start, zones, Begin(at_ms, grace_ms, MissedLocal.next_day))
    days = 0
    while Moment(start.at_ms + days * 24 * HOUR_MS, is_instant=False).last_ms(zones) + grace_ms < at_ms:
        days += 1
    assert found == Moment(start.at_ms + days * 24 * HOUR_MS, is_instant=False).last_ms(zones)


def at(*zones: str) -> Place:
    return Place(zones, None, None, PlaceSource.column)


PLACES: dict[int, Place | None] = {1: at(NEW_YORK), 2: at(LONDON), 3: at("Pacific/Honolulu")}


def test_the_schedule_moves_with_it() -> None:
    """Which places are open, when the others are, and what they wait for: by the moved start."""
    hours, now_ms = read_hours([], own="08:00-21:00"), ms("2026-12-01T09:00:03", NEW_YORK)
    schedule = Schedule(hours, PLACES, start=moment("2026-12-01T09:00"))
    assert list(schedule.gate(now_ms).places or {}) == [2, 1]
    schedule.begun(Begin(now_ms, GRACE_MS, MissedLocal.next_day))
    assert list(schedule.gate(now_ms).places or {}) == [1]
    assert schedule.earliest_ms(Due(2, 0), now_ms) == schedule.starts_ms(2) == ms("2026-12-02T09:00", LONDON)
    assert schedule.left_out(2, now_ms) is None
    # The next run knows when it has begun: the start stays where it is.
    next_ms = ms("2026-12-02T09:00:01", LONDON)
    assert list(schedule.gate(next_ms).places or {}) == [2]


def test_who_is_skipped_has_expired() -> None:
    """skip: no opening, no start, and the reason is that it is over, not that there are no hours."""
    now_ms = ms("2026-12-01T09:00:03", NEW_YORK)
    missed = Begin(now_ms, GRACE_MS, MissedLocal.skip)
    schedule = Schedule(NO_HOURS, PLACES, start=moment("2026-12-01T09:00"), begin=missed)
    assert schedule.earliest_ms(Due(2, 0), now_ms) is None
    assert (schedule.left_out(2, now_ms), schedule.has_missed(2)) == (Reason.expired, True)
    assert (schedule.left_out(1, now_ms), schedule.has_missed(1)) == (None, False)
    assert schedule.next_ms([Due(2, 0), Due(3, 0)], now_ms) == ms("2026-12-01T09:00", "Pacific/Honolulu")
    assert schedule.all_started_ms([1, 2]) == ms("2026-12-01T09:00", NEW_YORK)


def test_a_deadline_before_the_moved_start() -> None:
    """Where the deadline comes before the next day's start, rows are left out as expired."""
    now_ms = ms("2026-12-01T09:00:03", NEW_YORK)
    missed = Begin(now_ms, GRACE_MS, MissedLocal.next_day)
    schedule = Schedule(
        NO_HOURS, PLACES, start=moment("2026-12-01T09:00"), deadline=moment("2026-12-02T08:00"), begin=missed
    )
    assert schedule.earliest_ms(Due(2, 0), now_ms) is None
    assert schedule.left_out(2, now_ms) is Reason.expired
    assert not schedule.has_missed(2)


@pytest.mark.parametrize(
    ("start", "deadline", "refused"),
    [
        ("2026-12-01T09:00", "2026-12-01T18:00", False),
        ("2026-12-01T09:00", "2026-12-01T09:00", True),
        # A date alone as an end is the end of that day.
        ("2026-12-01T09:00", "2026-12-01", False),
        ("2026-12-01", "2026-12-01", False),
        ("2026-12-02", "2026-12-01", True),
        ("2026-12-01T09:00Z", "2026-12-01T09:00Z", True),
        ("2026-12-01T09:00+02:00", "2026-12-01T09:00Z", False),
        # Kiritimati's 09:00 is 19:00 UTC of the day before: the first on earth.
        ("2026-12-01T09:00", "2026-11-30T19:00Z", True),
        ("2026-12-01T09:00", "2026-11-30T19:00:01Z", False),
        # Baker Island's 09:00 is 21:00 UTC: the last.
        ("2026-12-01T21:00Z", "2026-12-01T09:00", True),
        ("2026-12-01T20:59Z", "2026-12-01T09:00", False),
        ("2026-12-02T12:00Z", "2026-12-01", True),
        ("2026-12-02T11:59Z", "2026-12-01", False),
    ],
)
def test_a_start_behind_the_deadline(start: str, deadline: str, refused: bool) -> None:
    """Refused is what leaves no time to anybody on earth, whatever the two are written as; the rest is for the rows."""
    assert leaves_no_time(moment(start), moment(deadline)) is refused
    ends = [(moment(start).last_ms([zone]), moment(deadline).first_ms([zone])) for zone in everywhere()]
    assert all(from_ms >= until_ms for from_ms, until_ms in ends) is refused


def everywhere() -> tuple[str, ...]:
    return (*ZONES, "Etc/GMT-14", "Etc/GMT+12", "UTC")


def test_one_clock_for_all() -> None:
    """A start is the last of the hours that come twice there, a deadline the first; one with an offset stays."""
    assert moment("2026-11-01T01:30").begins_in(NEW_YORK) == Moment(ms("2026-11-01T06:30"), is_instant=True)
    assert moment("2026-11-01T01:30").ends_in(NEW_YORK) == Moment(ms("2026-11-01T05:30"), is_instant=True)
    assert moment("2026-12-01").ends_in(NEW_YORK) == Moment(ms("2026-12-02T05:00"), is_instant=True)
    assert moment("2026-12-01T09:00Z").begins_in(NEW_YORK) == moment("2026-12-01T09:00Z")
    assert datetime.fromtimestamp(moment("2026-12-01T09:00").begins_in(LONDON).at_ms / 1000, UTC).hour == 9
