"""Which cells are a time, and which instant they mean on the contact's own clock."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from dispatcher.model import Reason, Refusal
from dispatcher.rules.places import Place, PlaceSource
from dispatcher.rules.times import Moment, Times, read_columns, read_moment, read_times

NEW_YORK, DENVER = "America/New_York", "America/Denver"


def place(*zones: str) -> Place:
    return Place(zones, "US", None, PlaceSource.column)


def ms(text: str) -> int:
    """An instant of RFC 3339."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def shown(at_ms: int, zone: str) -> str:
    return datetime.fromtimestamp(at_ms / 1000, ZoneInfo(zone)).isoformat()


ACCEPTED = [
    ("2026-12-01T09:00", "2026-12-01T09:00:00-05:00"),
    ("2026-12-01 09:00", "2026-12-01T09:00:00-05:00"),
    ("  2026-12-01T09:00 ", "2026-12-01T09:00:00-05:00"),
    ("2026-12-01t09:00", "2026-12-01T09:00:00-05:00"),
    ("2026-12-01T09:00:30", "2026-12-01T09:00:30-05:00"),
    ("2026-12-01 09:00:30.5", "2026-12-01T09:00:30.500-05:00"),
    ("2026-12-01T09:00:30.123456789", "2026-12-01T09:00:30.123-05:00"),
    ("2026-12-01T09:00:30,25", "2026-12-01T09:00:30.250-05:00"),
    ("2026-12-01", "2026-12-01T00:00:00-05:00"),
    ("2026-07-01T09:00", "2026-07-01T09:00:00-04:00"),
    ("2026-12-01T00:00", "2026-12-01T00:00:00-05:00"),
    ("2028-02-29", "2028-02-29T00:00:00-05:00"),
    ("2026-12-01T09:00Z", "2026-12-01T09:00:00+00:00"),
    ("2026-12-01 09:00:00z", "2026-12-01T09:00:00+00:00"),
    ("2026-12-01 09:00 UTC", "2026-12-01T09:00:00+00:00"),
    ("2026-12-01T09:00+02:00", "2026-12-01T09:00:00+02:00"),
    ("2026-12-01 09:00:00 -0800", "2026-12-01T09:00:00-08:00"),
    ("2026-12-01T09:00+02", "2026-12-01T09:00:00+02:00"),
    ("2026-12-01T09:00+05:45", "2026-12-01T09:00:00+05:45"),
    ("2026-12-01T09:00-00:00", "2026-12-01T09:00:00+00:00"),
    ("2026-12-01T09:00+14:00", "2026-12-01T09:00:00+14:00"),
    ("2026-12-01T09:00:30.5Z", "2026-12-01T09:00:30.500+00:00"),
]

REFUSED = [
    ("01/02/2026", "'01/02/2026' does not tell the month from the day; write 2026-12-01T09:00"),
    ("1/2/26 9:00", "'1/2/26 9:00' does not tell the month from the day; write 2026-12-01T09:00"),
    ("01.12.2026", "'01.12.2026' does not tell the month from the day; write 2026-12-01T09:00"),
    ("01-12-2026", "'01-12-2026' does not tell the month from the day; write 2026-12-01T09:00"),
    ("46357", "'46357' is a number: the spreadsheet's date without its format; write 2026-12-01T09:00"),
    ("46357.375", "'46357.375' is a number: the spreadsheet's date without its format; write 2026-12-01T09:00"),
    ("20261201", "…1201 is a number: the spreadsheet's date without its format; write 2026-12-01T09:00"),
    ("1796115600", "…5600 is a number: the spreadsheet's date without its format; write 2026-12-01T09:00"),
    ("2026/12/01", "'2026/12/01' is no time; write 2026-12-01T09:00"),
    ("2026-1-2", "'2026-1-2' is no time; write 2026-12-01T09:00"),
    ("2026-12", "'2026-12' is no time; write 2026-12-01T09:00"),
    ("2026-W49-2", "…49-2 is no time; write 2026-12-01T09:00"),
    ("2026-12-01T09", "'2026-12-01T09' is no time; write 2026-12-01T09:00"),
    ("2026-12-01 9:00", "'2026-12-01 9:00' is no time; write 2026-12-01T09:00"),
    ("2026-12-01 09:00.5", "'2026-12-01 09:00.5' is no time; write 2026-12-01T09:00"),
    ("2026-12-01 09:00 PM", "'2026-12-01 09:00 PM' is no time; write 2026-12-01T09:00"),
    ("2026-12-01 09:00 EST", "'2026-12-01 09:00 EST' is no time; write 2026-12-01T09:00"),
    ("2026-12-01T24:00", "'2026-12-01T24:00' is no day or no time that there is"),
    ("2026-12-01T09:60", "'2026-12-01T09:60' is no day or no time that there is"),
    ("2026-12-01T23:59:60", "'2026-12-01T23:59:60' is no day or no time that there is"),
    ("2026-02-29", "'2026-02-29' is no day or no time that there is"),
    ("2026-13-01", "'2026-13-01' is no day or no time that there is"),
    ("2026-12-01T09:00+15:00", "'2026-12-01T09:00+15:00' has an offset that no place has"),
    ("2026-12-01T09:00+02:60", "'2026-12-01T09:00+02:60' has an offset that no place has"),
    ("1899-12-30", "'1899-12-30' is in the year 1899"),
    ("1970-01-01T00:00", "'1970-01-01T00:00' is in the year 1970"),
    ("tomorrow", "'tomorrow' is no time; write 2026-12-01T09:00"),
    ("09:00", "'09:00' is no time; write 2026-12-01T09:00"),
    ("\u0662026-12-01", "…2-01 is no time; write 2026-12-01T09:00"),
    ("+12025550123", "…0123 is no time; write 2026-12-01T09:00"),
    ("202-555-0123", "…0123 is no time; write 2026-12-01T09:00"),
    ("x" * 40, f"'{'x' * 29}…' is no time; write 2026-12-01T09:00"),
]


@pytest.mark.parametrize(("text", "instant"), ACCEPTED)
def test_a_time_is_an_instant(text: str, instant: str) -> None:
    """A time with an offset is that instant, one without is what the contact's clock shows; a date is its beginning."""
    assert read_times(text, "", place(NEW_YORK)) == Times(ms(instant), None)


@pytest.mark.parametrize(("text", "sentence"), REFUSED)
def test_what_is_not_certain_is_refused(text: str, sentence: str) -> None:
    """What may mean several times, or none, is refused; of what may be a phone number the last digits are shown."""
    assert read_moment(text) == Refusal(Reason.time_invalid, sentence)


@pytest.mark.parametrize("text", ["", "  ", "\t"])
def test_an_empty_cell_bounds_nothing(text: str) -> None:
    """An empty cell is no bound."""
    assert read_times(text, text, None) == Times()


def test_several_zones_are_bound_by_all() -> None:
    """In several zones a row may be sent from the last one's time on, and until the first one's."""
    times = read_times("2026-12-01T09:00", "2026-12-01T18:00", place(NEW_YORK, DENVER))
    assert times == Times(ms("2026-12-01T09:00-07:00"), ms("2026-12-01T18:00-05:00"))


def test_a_last_day_counts_whole() -> None:
    """A date alone as not_after is the end of that day, in the first zone that reaches it."""
    times = read_times("2026-12-01", "2026-12-01", place(NEW_YORK, DENVER))
    assert times == Times(ms("2026-12-01T00:00-07:00"), ms("2026-12-02T00:00-05:00"))


@pytest.mark.parametrize(
    ("text", "zone", "not_before", "not_after"),
    [
        # Skipped: the instant of the change.
        ("2026-03-08T02:30", NEW_YORK, "2026-03-08T03:00:00-04:00", "2026-03-08T03:00:00-04:00"),
        ("2026-03-08T00:30", "America/Havana", "2026-03-08T01:00:00-04:00", "2026-03-08T01:00:00-04:00"),
        ("2011-12-30T09:00", "Pacific/Apia", "2011-12-31T00:00:00+14:00", "2011-12-31T00:00:00+14:00"),
        # Twice: from the second on, until the first.
        ("2026-11-01T01:30", NEW_YORK, "2026-11-01T01:30:00-05:00", "2026-11-01T01:30:00-04:00"),
        ("2026-04-05T01:45", "Australia/Lord_Howe", "2026-04-05T01:45:00+10:30", "2026-04-05T01:45:00+11:00"),
    ],
)
def test_changes_of_the_clock_narrow(text: str, zone: str, not_before: str, not_after: str) -> None:
    """An hour that is skipped is the change; one that comes twice begins with the second and ends with the first."""
    moment = read_moment(text)
    assert isinstance(moment, Moment)
    assert (shown(moment.last_ms([zone]), zone), shown(moment.first_ms([zone]), zone)) == (not_before, not_after)


@pytest.mark.parametrize(
    ("not_before", "not_after"),
    [
        ("2026-12-01T09:00", "2026-12-01T08:59"),
        ("2026-12-01T09:00", "2026-12-01T09:00"),
        ("2026-12-02", "2026-12-01"),
        ("2026-12-01T09:00Z", "2026-12-01T09:00+00:00"),
        ("2026-12-01T09:00-05:00", "2026-12-01T09:00+01:00"),
    ],
)
def test_times_in_the_wrong_order_are_refused(not_before: str, not_after: str) -> None:
    """A row that may be sent until before it may be sent is refused, with both values."""
    answer = read_times(not_before, not_after, place(NEW_YORK))
    assert isinstance(answer, Refusal)
    assert (answer.reason, answer.sentence) == (
        Reason.time_invalid,
        f"the row may be sent from {not_before!r} on, and only until {not_after!r}",
    )


def test_zones_may_leave_no_time() -> None:
    """Cells that are in order are not refused where several zones leave no time: the file is right."""
    times = read_times("2026-12-01T09:00", "2026-12-01T10:00", place(NEW_YORK, DENVER))
    assert times == Times(ms("2026-12-01T09:00-07:00"), ms("2026-12-01T10:00-05:00"))


def test_a_wall_time_needs_a_place() -> None:
    """A time without offset is refused where the contact's zone is not known; an instant is not."""
    answer = read_times("", "2026-12-01T09:00", None)
    assert answer == Refusal(Reason.time_invalid, "the time has no offset, and the contact's time zone is not known")
    assert read_times("2026-12-01T09:00Z", "", None) == Times(ms("2026-12-01T09:00+00:00"))


def test_columns_are_read_row_by_row() -> None:
    """A column is read as its cells are, one column may be missing, and columns of different lengths are a bug."""
    places = [place(NEW_YORK), place(DENVER), None, place(NEW_YORK)]
    cells = ["2026-12-01T09:00", "2026-12-01T09:00", "2026-12-01T09:00Z", "soon"]
    assert read_columns(cells, None, places) == [
        read_times(cell, "", where) for cell, where in zip(cells, places, strict=True)
    ]
    assert read_columns(None, cells, places) == [
        read_times("", cell, where) for cell, where in zip(cells, places, strict=True)
    ]
    with pytest.raises(ValueError, match="shorter"):
        read_columns(cells, cells[:2], places)


def test_a_start_in_one_zone_is_one_instant() -> None:
    """A start or a deadline in a named zone is the same instant for everybody."""
    moment = read_moment("2026-12-01T09:00")
    assert isinstance(moment, Moment)
    assert moment.last_ms([DENVER]) == moment.first_ms([DENVER]) == ms("2026-12-01T16:00+00:00")
    assert datetime.fromtimestamp(moment.last_ms(["UTC"]) / 1000, UTC).hour == 9
