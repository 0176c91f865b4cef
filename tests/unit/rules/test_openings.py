"""When a place is open: examples with dates, and hours that are no hours. Properties are in test_exactness.py."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from dispatcher.errors import HoursError
from dispatcher.remedies import Advice
from dispatcher.rules.hours import Hours, Openings, openings, read_hours
from dispatcher.rules.places import Place, Places, PlaceSource
from tests.unit.rules.wall_clocks import zone

NEW_YORK, CHICAGO, HAVANA, APIA = "America/New_York", "America/Chicago", "America/Havana", "Pacific/Apia"
WHOLE_DAY = {"mon-sun": "00:00-24:00"}


def ms(text: str) -> int:
    """An instant of RFC 3339."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def place(*zones: str, country: str | None = None, area: str | None = None) -> Place:
    return Place(zones, country, area, PlaceSource.column)


def of_number(number: str) -> Place:
    found = Places().of(number)
    assert isinstance(found, Place)
    return found


def shown(where: Place, hours: Hours, since: str, days: int = 1, clock: str | None = None) -> list[str]:
    """The openings as a clock shows them, by default that of the place's first zone."""
    local = zone(clock or where.zones[0])
    return [
        "/".join(datetime.fromtimestamp(at_ms / 1000, local).strftime("%a %d %H:%M:%S%z")[:-2] for at_ms in span)
        for span in openings(where, hours, ms(since), days)
    ]


def own(written: Any, **more: Any) -> Hours:
    return read_hours([], own=written, **more)


def test_a_day_opens_and_closes_by_the_contact_s_clock() -> None:
    """The hours are the contact's own; from inside a window it is open at once."""
    floor = read_hours(["floor"])
    assert shown(place(NEW_YORK), floor, "2026-12-01T00:00-05:00") == ["Tue 01 08:00:00-05/Tue 01 21:00:00-05"]
    assert shown(place(NEW_YORK), floor, "2026-12-01T12:00-05:00", 2) == [
        "Tue 01 12:00:00-05/Tue 01 21:00:00-05",
        "Wed 02 08:00:00-05/Wed 02 21:00:00-05",
        "Thu 03 08:00:00-05/Thu 03 12:00:00-05",
    ]
    assert openings(place(NEW_YORK), floor, ms("2026-12-01T21:00-05:00"))[0][0] == ms("2026-12-02T08:00-05:00")
    assert openings(place(NEW_YORK), floor, ms("2026-12-01T20:59:59.999-05:00"))[0] == (
        ms("2026-12-01T20:59:59.999-05:00"),
        ms("2026-12-01T21:00-05:00"),
    )


def test_all_zones_of_a_place_must_be_open() -> None:
    """Open is what is open in each zone that the number may be in."""
    floor = read_hours(["floor"])
    assert shown(place(NEW_YORK, CHICAGO), floor, "2026-12-01T00:00-05:00") == ["Tue 01 09:00:00-05/Tue 01 21:00:00-05"]
    assert shown(place(NEW_YORK, "Asia/Tokyo"), floor, "2026-12-01T00:00-05:00") == [
        "Tue 01 18:00:00-05/Tue 01 21:00:00-05"
    ]


@pytest.mark.parametrize(
    ("number", "hours_a_day"),
    [("+18505550123", 12), ("+34612345678", 12), ("+61412345678", 10), ("+79161234567", 4), ("+12125550123", 13)],
)
def test_hours_a_day_that_are_open_everywhere(number: str, hours_a_day: int) -> None:
    """What several zones leave of the floor's thirteen hours, in a week of December."""
    spans = openings(of_number(number), read_hours(["floor"]), ms("2026-12-01T00:00Z"), 7)
    assert round(sum(closes - opens for opens, closes in spans) / 7 / 3_600_000, 1) == hours_a_day


def test_a_place_may_have_no_opening() -> None:
    """Hours that no instant has in all zones are none within eight days, and that can be seen."""
    toll_free = of_number("+18005550123")
    assert openings(toll_free, own("10:00-20:00"), ms("2026-12-01T00:00Z")) == []
    assert openings(toll_free, read_hours(["floor"]), ms("2026-12-01T00:00Z")) != []
    assert openings(place(NEW_YORK), own({"mon": "09:00-10:00"}), ms("2026-12-01T00:00Z"), 5) == []


def test_a_night_belongs_to_the_day_it_opens() -> None:
    """Hours past midnight are those of the day on which they open, its weekday and its holidays."""
    assert shown(place(NEW_YORK), own({"fri": "22:00-02:00"}), "2026-12-01T00:00-05:00", 7) == [
        "Fri 04 22:00:00-05/Sat 05 02:00:00-05"
    ]
    assert shown(place(NEW_YORK), own("22:00-02:00"), "2026-12-01T01:00-05:00") == [
        "Tue 01 01:00:00-05/Tue 01 02:00:00-05",
        "Tue 01 22:00:00-05/Wed 02 01:00:00-05",
    ]
    christmas = place("Europe/Paris", country="FR")
    assert shown(christmas, own("22:00-02:00", holidays="closed"), "2026-12-24T12:00+01:00", 3) == [
        "Thu 24 22:00:00+01/Fri 25 02:00:00+01",
        "Sat 26 22:00:00+01/Sun 27 02:00:00+01",
    ]


def test_nights_and_days_are_one_window() -> None:
    """Windows that touch or overlap are one: midnight closes nothing."""
    hours = own({"mon-fri": "00:00-24:00", "sat": "00:00-03:00"}, close_early_min=5)
    assert shown(place(NEW_YORK), hours, "2026-12-01T00:00-05:00", 8) == [
        "Tue 01 00:00:00-05/Sat 05 02:55:00-05",
        "Mon 07 00:00:00-05/Wed 09 00:00:00-05",
    ]
    overlapping = own({"mon": "22:00-09:00", "tue": "08:00-10:00, 09:30-11:00"})
    assert shown(place(NEW_YORK), overlapping, "2026-11-30T00:00-05:00", 7) == ["Mon 30 22:00:00-05/Tue 01 11:00:00-05"]


def test_no_hours_are_always_open() -> None:
    """Where no rule applies it is open, from the first instant to the last."""
    first_ms = ms("2026-11-01T00:00:00.001-04:00")
    for hours in (read_hours(["fr"]), own(WHOLE_DAY), own(WHOLE_DAY, close_early_min=30)):
        assert openings(place(NEW_YORK, country="US"), hours, first_ms, 2) == [(first_ms, first_ms + 2 * 86_400_000)]


def test_the_last_minutes_of_a_window_are_closed() -> None:
    """A window closes early, once, and a window that is no longer than that does not open."""
    hours = own("09:00-12:30, 13:30-13:35", close_early_min=5)
    assert shown(place(NEW_YORK), hours, "2026-12-01T00:00-05:00") == ["Tue 01 09:00:00-05/Tue 01 12:25:00-05"]
    # What several zones leave closes early, too.
    hours = own("09:00-12:00", close_early_min=5)
    assert shown(place(NEW_YORK, CHICAGO), hours, "2026-12-01T00:00-05:00") == ["Tue 01 10:00:00-05/Tue 01 11:55:00-05"]


def test_holidays_are_the_contact_s_own() -> None:
    """A public holiday closes its country's or its state's places, and no others."""
    hours = own("09:00-20:00", holidays="closed")
    # The USA's Thanksgiving; Texas has the day after it, too.
    since = "2026-11-26T00:00-06:00"
    assert len(shown(place(CHICAGO, country="US"), hours, since, 2)) == 1
    assert len(shown(place(CHICAGO, country="US", area="US-TX"), hours, since, 2)) == 0
    assert len(shown(place(CHICAGO, country="FR"), hours, since, 2)) == 2
    # A country that the library does not know, and none, have no holidays; of an unknown state its country's count.
    assert len(shown(place(CHICAGO, country="XX"), hours, since, 2)) == 2
    assert len(shown(place(CHICAGO), hours, since, 2)) == 2
    assert len(shown(place(CHICAGO, country="US", area="US-XX"), hours, since, 2)) == 1


def test_holidays_over_new_year() -> None:
    """The holidays of both years count."""
    hours = own("09:00-20:00", holidays="closed")
    assert shown(place("Europe/Paris", country="FR"), hours, "2026-12-31T00:00+01:00", 3) == [
        "Thu 31 09:00:00+01/Thu 31 20:00:00+01",
        "Sat 02 09:00:00+01/Sat 02 20:00:00+01",
    ]


def test_presets_apply_where_they_say() -> None:
    """A state's preset narrows the floor for its contacts only; France has no Sundays and no holidays."""
    texts = read_hours(["texts"])
    since = "2026-12-01T00:00-05:00"
    assert shown(of_number("+13055550123"), texts, since) == ["Tue 01 08:00:00-05/Tue 01 20:00:00-05"]
    assert shown(of_number("+12125550123"), texts, since) == ["Tue 01 08:00:00-05/Tue 01 21:00:00-05"]
    assert shown(of_number("+886912345678"), texts, "2026-12-01T00:00+08:00") == [
        "Tue 01 09:00:00+08/Tue 01 12:30:00+08",
        "Tue 01 13:30:00+08/Tue 01 21:00:00+08",
    ]
    assert shown(of_number("+33612345678"), texts, "2026-12-25T00:00+01:00", 3) == [
        "Sat 26 08:00:00+01/Sat 26 21:00:00+01"
    ]
    without = read_hours(["texts"], override=["us-fl", "floor"])
    assert shown(of_number("+13055550123"), without, since) == ["Tue 01 08:00:00-05/Tue 01 21:00:00-05"]
    assert shown(of_number("+33612345678"), without, "2026-12-26T00:00+01:00") == [
        "Sat 26 08:00:00+01/Sat 26 22:00:00+01"
    ]


def test_hours_of_one_s_own_narrow_presets() -> None:
    """Presets and hours of one's own must both hold."""
    hours = read_hours(["texts"], own={"mon-fri": "07:00-19:30", "sat": "10:00-22:00"})
    assert shown(of_number("+13055550123"), hours, "2026-12-04T00:00-05:00", 3) == [
        "Fri 04 08:00:00-05/Fri 04 19:30:00-05",
        "Sat 05 10:00:00-05/Sat 05 20:00:00-05",
    ]


@pytest.mark.parametrize(
    ("zone_name", "written", "since", "expected"),
    [
        # A skipped hour is the change.
        (NEW_YORK, "02:30-05:00", "2026-03-08T00:00-05:00", "Sun 08 03:00:00-04/Sun 08 05:00:00-04"),
        (NEW_YORK, "01:00-02:30", "2026-03-08T00:00-05:00", "Sun 08 01:00:00-05/Sun 08 03:00:00-04"),
        (NEW_YORK, "02:10-02:50", "2026-03-08T00:00-05:00", None),
        (HAVANA, "00:30-05:00", "2026-03-08T00:00-05:00", "Sun 08 01:00:00-04/Sun 08 05:00:00-04"),
        # An hour that comes twice opens with the second and closes with the first.
        (NEW_YORK, "01:30-05:00", "2026-11-01T00:00-04:00", "Sun 01 01:30:00-05/Sun 01 05:00:00-05"),
        (NEW_YORK, "00:30-01:30", "2026-11-01T00:00-04:00", "Sun 01 00:30:00-04/Sun 01 01:30:00-04"),
        (NEW_YORK, "01:10-01:50", "2026-11-01T00:00-04:00", None),
        (NEW_YORK, "00:30-02:30", "2026-11-01T00:00-04:00", "Sun 01 00:30:00-04/Sun 01 02:30:00-05"),
        ("Australia/Lord_Howe", "01:45-05:00", "2026-04-05T00:00+11:00", "Sun 05 01:45:00+10/Sun 05 05:00:00+10"),
        # Casablanca is an hour back in Ramadan.
        ("Africa/Casablanca", "09:00-20:00", "2026-02-20T00:00+00:00", "Fri 20 09:00:00+00/Fri 20 20:00:00+00"),
    ],
)
def test_changes_of_the_clock(zone_name: str, written: str, since: str, expected: str | None) -> None:
    """What is skipped is the change; what comes twice is right both times."""
    assert shown(place(zone_name), own(written), since, 1)[:1] == ([expected] if expected else [])


def test_a_day_that_is_skipped() -> None:
    """Apia had no 30 December 2011: its own hours are nowhere, and nights into and out of it meet at the change."""
    assert shown(place(APIA), own("22:00-02:00"), "2011-12-29T12:00-10:00", 1) == [
        "Thu 29 22:00:00-10/Sat 31 00:00:00+14",
        "Sat 31 00:00:00+14/Sat 31 02:00:00+14",
    ]
    assert shown(place(APIA), own("09:00-20:00"), "2011-12-29T00:00-10:00", 2) == [
        "Thu 29 09:00:00-10/Thu 29 20:00:00-10",
        "Sat 31 09:00:00+14/Sat 31 20:00:00+14",
    ]


def test_places_share_what_is_the_same() -> None:
    """One object answers for many places as each would be answered alone, and hands out lists of its own."""
    hours = read_hours(["texts"], close_early_min=5)
    numbers = ["+13055550123", "+12125550123", "+33612345678", "+61412345678", "+18505550123"]
    since_ms = ms("2026-10-24T00:00Z")
    many = Openings(hours, since_ms)
    for number in numbers * 2:
        alone = openings(of_number(number), hours, since_ms)
        shared = many.of(of_number(number))
        assert shared == alone
        shared.clear()


@pytest.mark.parametrize(
    ("settings", "message", "found"),
    [
        ({"names": ["us-tx"]}, "there is no such preset", "'us-tx'"),
        ({"names": ["texts"], "override": ["texts"]}, "there is no such preset", "'texts'"),
        ({"names": ["floor"], "own": "21:00-23:00"}, "the hours never open", "21:00-23:00"),
        ({"names": ["floor"], "own": "20:30-23:00", "close_early_min": 30}, "the hours never open", "20:30-23:00"),
        ({"names": ["floor"], "close_early_min": 13 * 60}, "the hours never open", None),
        ({"names": [], "own": ""}, "the hours open on no day", "''"),
    ],
)
def test_hours_that_cannot_be_meant(settings: dict[str, Any], message: str, found: str | None) -> None:
    """Names that there are not, and hours that never open anywhere, are errors that say what was found."""
    with pytest.raises(HoursError) as caught:
        read_hours(settings.pop("names"), **settings)
    assert caught.value.message.partition(":")[0] == message
    assert caught.value.found == found


def test_the_shortest_hours_open() -> None:
    """A window that is a minute longer than what closes early opens for that minute."""
    hours = read_hours(["floor"], own="20:29-23:00", close_early_min=30)
    assert shown(place(NEW_YORK), hours, "2026-12-01T00:00-05:00") == ["Tue 01 20:29:00-05/Tue 01 20:30:00-05"]


def test_a_misspelt_preset_is_recognised() -> None:
    """An unknown preset is told with the nearest name."""
    with pytest.raises(HoursError) as caught:
        read_hours(["us_fl"])
    assert "us-fl" in str(caught.value.fix)


@pytest.mark.parametrize(
    ("settings", "fix"),
    [
        ({"names": ["us_fl"]}, "is us-fl meant?"),
        ({"names": ["US-FL"]}, "is us-fl meant?"),
        ({"names": ["text"]}, "is texts meant?"),
        ({"names": ["nowhere"]}, "the presets are texts, floor, us"),
        ({"names": [], "override": ["text"]}, "the presets are floor, us"),
    ],
)
def test_the_preset_that_is_meant(settings: dict[str, Any], fix: str) -> None:
    """The nearest name is told, however it is spelled; else those that can be named there."""
    with pytest.raises(HoursError) as caught:
        read_hours(settings.pop("names"), **settings)
    assert isinstance(caught.value.fix, Advice)
    assert caught.value.fix.text.startswith(fix)
