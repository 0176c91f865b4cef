"""Which hours can be read, and what is said of those that cannot."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.errors import HoursError
from dispatcher.rules.week import Week, read_week, write_week

NINE_TO_EIGHT = ((540, 1200),)


@pytest.mark.parametrize(
    ("written", "week"),
    [
        ("09:00-20:00", (NINE_TO_EIGHT,) * 7),
        (" 9:00 \u2013 20:00 ", (NINE_TO_EIGHT,) * 7),
        ("13:30-21:00, 09:00-12:30", (((540, 750), (810, 1260)),) * 7),
        ("00:00-24:00", (((0, 1440),),) * 7),
        ("22:00-02:00", (((1320, 1560),),) * 7),
        ("23:59-00:00", (((1439, 1440),),) * 7),
        (
            {"mon-fri": "09:00-20:00", "sat": "10:00-16:00", "sun": ""},
            (*(NINE_TO_EIGHT,) * 5, ((600, 960),), ()),
        ),
        ({"Tue": "09:00-20:00"}, ((), NINE_TO_EIGHT, (), (), (), (), ())),
        ({"sat - sun": "09:00-20:00"}, (*((),) * 5, NINE_TO_EIGHT, NINE_TO_EIGHT)),
    ],
)
def test_hours_are_a_week(written: str | Mapping[str, str], week: Week) -> None:
    """Hours for every day or by day are windows in minutes; a day that is not named is closed."""
    assert read_week(written) == week


@pytest.mark.parametrize(
    ("written", "message", "found"),
    [
        ("9-20", "the hours cannot be read", "'9-20'"),
        ("09:00", "the hours cannot be read", "'09:00'"),
        ("9am-8pm", "the hours cannot be read", "'9am-8pm'"),
        ("09:00-20:00,", "the hours cannot be read", "''"),
        ("09:00-20:00 and later", "the hours cannot be read", "'09:00-20:00 and later'"),
        ("x" * 99, "the hours cannot be read", f"'{'x' * 59}…'"),
        ("09:00-25:00", "the hours have a time that there is not", "'09:00-25:00'"),
        ("09:60-20:00", "the hours have a time that there is not", "'09:60-20:00'"),
        ("24:00-02:00", "the hours have a time that there is not", "'24:00-02:00'"),
        ("09:00-24:01", "the hours have a time that there is not", "'09:00-24:01'"),
        ("09:00-09:00", "the hours open and close at one time", "'09:00-09:00'"),
        ("", "the hours open on no day", "''"),
        ({}, "the hours open on no day", "'{}'"),
        ({"mon-sun": ""}, "the hours open on no day", "\"{'mon-sun': ''}\""),
        ({"monday": "09:00-20:00"}, "the hours are for days that there are not", "'monday'"),
        ({"fri-mon": "09:00-20:00"}, "the hours are for days that there are not", "'fri-mon'"),
        ({"mon-": "09:00-20:00"}, "the hours are for days that there are not", "'mon-'"),
        ({"mon-fri": "09:00-20:00", "wed": ""}, "the hours name wed twice", "'wed'"),
    ],
)
def test_hours_that_cannot_be_read(written: str | Mapping[str, str], message: str, found: str) -> None:
    """What cannot be read is an error that says what stood there."""
    with pytest.raises(HoursError) as caught:
        read_week(written)
    assert (caught.value.message, caught.value.found) == (message, found)


@st.composite
def weeks(draw: st.DrawFn) -> Week:
    """Weeks of few different days, so that neighbours are often alike."""
    edges = st.lists(st.integers(0, 96), unique=True, max_size=4).map(sorted)
    kinds = [
        tuple((first * 15, last * 15) for first, last in zip(found[::2], found[1::2], strict=False))
        for found in draw(st.lists(edges, min_size=1, max_size=3))
    ]
    return tuple(draw(st.sampled_from(kinds)) for _ in range(7))


@given(weeks().filter(any))
def test_what_is_written_is_read_as_the_same(week: Week) -> None:
    """A week written down is that week when it is read."""
    assert read_week(write_week(week)) == week


@pytest.mark.parametrize(
    "written",
    [
        "09:00-20:00",
        "09:00-12:30, 13:30-21:00",
        "00:00-24:00",
        "22:00-02:00",
        {"mon-sat": "08:00-22:00", "sun": ""},
        {"mon": "09:00-20:00", "tue-fri": "09:00-21:00", "sat-sun": ""},
    ],
)
def test_a_week_is_written_in_few_words(written: str | dict[str, str]) -> None:
    """One text where every day is the same, else runs of days, closed ones too."""
    assert write_week(read_week(written)) == written
