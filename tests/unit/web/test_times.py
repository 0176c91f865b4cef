"""Dates and times of forms, and moments for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import hypothesis.strategies as st
import pytest
from hypothesis import given

from dispatcher.rules.clocks import UnknownZone, zone_name
from dispatcher.web.times import (
    AHEAD_MAX_DAYS,
    Asked,
    about,
    city,
    duration,
    form_fields,
    full_moment,
    machine_moment,
    moment_of,
    short_moment,
    zones,
)

BERLIN = "Europe/Berlin"


def ms(*parts: int, ahead_h: float = 0) -> int:
    """A wall time that is so many hours ahead of UTC."""
    moment = datetime(*parts, tzinfo=timezone(timedelta(hours=ahead_h)))  # type: ignore[misc, arg-type]
    return round(moment.timestamp() * 1000)


NOW = ms(2026, 11, 27, 14, 3)


def test_a_time_that_is_there_once() -> None:
    """A form's date, time and zone are the moment that the zone's clock shows them at, and back."""
    at_ms = moment_of("2026-12-01", "09:00", BERLIN, now_ms=NOW)
    assert at_ms == ms(2026, 12, 1, 9, 0, ahead_h=1)
    assert full_moment(at_ms, BERLIN) == "09:00 on 1 December 2026 in Europe/Berlin"
    assert form_fields(at_ms, BERLIN) == ("2026-12-01", "09:00")
    assert moment_of(" 2027-7-4 ", "9:05:00", "america/new_york ", now_ms=NOW) == ms(2027, 7, 4, 9, 5, ahead_h=-4)


@pytest.mark.parametrize(
    ("zone", "day", "time", "after"),
    [
        (BERLIN, "2027-03-28", "02:30", ("03:00 on 28 March 2027 in Europe/Berlin", ms(2027, 3, 28, 1, 0))),
        (BERLIN, "2027-03-28", "02:00", ("03:00 on 28 March 2027 in Europe/Berlin", ms(2027, 3, 28, 1, 0))),
        (
            "America/New_York",
            "2027-03-14",
            "02:59",
            ("03:00 on 14 March 2027 in America/New_York", ms(2027, 3, 14, 7, 0)),
        ),
        (
            "Australia/Lord_Howe",
            "2027-10-03",
            "02:15",
            ("02:30 on 3 October 2027 in Australia/Lord_Howe", ms(2027, 10, 2, 15, 30)),
        ),
    ],
)
def test_a_time_that_does_not_exist_is_asked(zone: str, day: str, time: str, after: tuple[str, int]) -> None:
    """Summer time begins over it: nothing is guessed, the first moment behind it is offered."""
    asked = moment_of(day, time, zone, now_ms=NOW)
    assert isinstance(asked, Asked)
    assert asked.field == "time"
    assert "does not exist" in asked.message
    assert [(choice.text, choice.at_ms) for choice in asked.choices] == [after]


def test_a_time_that_is_there_twice_is_asked() -> None:
    """Summer time ends over it: both are offered, and told apart."""
    asked = moment_of("2027-10-31", "02:30", BERLIN, now_ms=NOW)
    assert isinstance(asked, Asked)
    assert asked.message == "02:30 on 31 October 2027 is there twice in Europe/Berlin: the clocks are set back over it."
    assert [(choice.text, choice.at_ms) for choice in asked.choices] == [
        ("02:30 on 31 October 2027 in Europe/Berlin, the first time (UTC+2)", ms(2027, 10, 31, 0, 30)),
        ("02:30 on 31 October 2027 in Europe/Berlin, the second time (UTC+1)", ms(2027, 10, 31, 1, 30)),
    ]
    for choice in asked.choices:
        assert form_fields(choice.at_ms, BERLIN) == ("2027-10-31", "02:30")


@pytest.mark.parametrize("time", ["01:59", "03:00"])
@pytest.mark.parametrize("day", ["2027-03-28", "2027-10-31"])
def test_beside_the_change_nothing_is_asked(day: str, time: str) -> None:
    """The minute before and the first behind it are there once."""
    at_ms = moment_of(day, time, BERLIN, now_ms=NOW)
    assert isinstance(at_ms, int)
    assert form_fields(at_ms, BERLIN) == (day, time)


@pytest.mark.parametrize(
    ("day", "time", "zone", "field"),
    [
        ("", "09:00", BERLIN, "date"),
        ("2027-02-30", "09:00", BERLIN, "date"),
        ("0000-01-01", "09:00", BERLIN, "date"),
        ("9999-12-31", "09:00", BERLIN, "date"),
        ("01.12.2026", "09:00", BERLIN, "date"),
        ("２０２６-12-01", "09:00", BERLIN, "date"),  # noqa: RUF001 - digits that are not ours
        ("2026-12-01", "", BERLIN, "time"),
        ("2026-12-01", "24:00", BERLIN, "time"),
        ("2026-12-01", "09:60", BERLIN, "time"),
        ("2026-12-01", "9 pm", BERLIN, "time"),
        ("2026-12-01", "09:00", "", "zone"),
        ("2026-12-01", "09:00", "Mars/Olympus", "zone"),
        ("2026-12-01", "09:00", "../../etc/passwd", "zone"),
        ("2026-12-01", "09:00", "EST", "zone"),
        ("2026-11-27", "15:02", BERLIN, "time"),
        ("2028-11-28", "09:00", BERLIN, "date"),
    ],
)
def test_what_cannot_be_meant_is_told(day: str, time: str, zone: str, field: str) -> None:
    """Beside its field, in a sentence: no date, no time, no zone, over already, or more than a year ahead."""
    asked = moment_of(day, time, zone, now_ms=NOW)
    assert isinstance(asked, Asked)
    assert (asked.field, asked.choices) == (field, ())
    assert asked.message.endswith(".")


def test_the_present_minute_can_be_chosen() -> None:
    """And one to the end of a year."""
    assert moment_of("2026-11-27", "15:03", BERLIN, now_ms=NOW) == NOW
    last = datetime.fromtimestamp(NOW / 1000, UTC) + timedelta(days=AHEAD_MAX_DAYS)
    assert isinstance(moment_of(f"{last:%Y-%m-%d}", f"{last:%H:%M}", "UTC", now_ms=NOW), int)


@given(
    st.sampled_from(zones()),
    st.datetimes(datetime(2026, 12, 1), datetime(2027, 11, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - given a zone
)
def test_every_moment_comes_back(zone: str, moment: datetime) -> None:
    """Of any zone's clock: what a form shows for a moment is that moment, or is asked for with it among the choices."""
    at_ms = int(moment.timestamp()) // 60 * 60_000
    wall_s = at_ms // 1000
    found = moment_of(*form_fields(at_ms, zone), zone, now_ms=NOW)
    if isinstance(found, Asked):
        assert at_ms in [choice.at_ms for choice in found.choices]
        assert len({choice.text for choice in found.choices}) == 2
    else:
        assert found // 1000 == wall_s


@pytest.mark.parametrize(
    ("at_ms", "text"),
    [
        (NOW, "today 15:03"),
        (ms(2026, 11, 27, 0, 0, ahead_h=1), "today 00:00"),
        (ms(2026, 11, 26, 23, 59, ahead_h=1), "yesterday 23:59"),
        (ms(2026, 11, 28, 9, 0, ahead_h=1), "tomorrow 09:00"),
        (ms(2026, 12, 1, 9, 0, ahead_h=1), "Tue 1 Dec 09:00"),
        (ms(2026, 11, 23, 9, 0, ahead_h=1), "Mon 23 Nov 09:00"),
        (ms(2027, 1, 2, 9, 0, ahead_h=1), "2 Jan 2027 09:00"),
    ],
)
def test_moments_for_people(at_ms: int, text: str) -> None:
    """As near as it is: by the day of the zone's clock, not by UTC's."""
    assert short_moment(at_ms, BERLIN, now_ms=NOW) == text
    assert short_moment(at_ms, BERLIN, now_ms=NOW, named=True) == f"{text} (Berlin)"


def test_new_year_s_eve_is_near() -> None:
    """Tomorrow is tomorrow in another year, too."""
    eve = ms(2026, 12, 31, 12, 0)
    assert short_moment(ms(2027, 1, 1, 9, 0), "UTC", now_ms=eve) == "tomorrow 09:00"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "less than a second"),
        (0.4, "less than a second"),
        (0.6, "1 s"),
        (12.2, "12 s"),
        (59.7, "1 min"),
        (62, "1 min 2 s"),
        (3599.6, "1 h"),
        (7500, "2 h 5 min"),
        (86_399, "1 day"),
        (90_000, "1 day 1 h"),
        (273_600, "3 days 4 h"),
        (1e8, "1,157 days 10 h"),
    ],
)
def test_durations_for_people(seconds: float, text: str) -> None:
    """Two units at most, rounded: never 60 s, 60 min or 24 h."""
    assert duration(seconds) == text
    assert about(seconds) == (text if seconds < 0.5 else f"about {text}")


def test_the_zones_to_choose_from() -> None:
    """In order, each known by the clocks, with UTC; none by an old name."""
    assert len(zones()) > 400
    assert list(zones()[:-1]) == sorted(zones()[:-1])
    assert zones()[-1] == "UTC"
    assert {BERLIN, "America/New_York", "Asia/Kolkata"} < set(zones())
    assert not {"US/Eastern", "EST", "Asia/Calcutta"} & set(zones())
    assert all(zone_name(name) == name for name in zones())
    assert city("America/Argentina/Buenos_Aires") == "Buenos Aires"


def test_a_time_for_machines() -> None:
    """UTC, as HTML's time element takes it."""
    assert machine_moment(ms(2026, 12, 1, 9, 0, ahead_h=1) + 999) == "2026-12-01T08:00:00Z"
    with pytest.raises(UnknownZone):
        full_moment(NOW, "Mars/Olympus")
