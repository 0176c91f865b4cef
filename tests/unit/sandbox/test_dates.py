"""Dates in the forms that clients send and parse."""

from __future__ import annotations

import pytest

from dispatcher.sandbox.dates import http_date, iso, parse_filter

#: 2016-07-31T00:00:00Z
MIDNIGHT_US = 1_469_923_200_000_000


@pytest.mark.parametrize(
    ("text", "expected_us"),
    [
        ("2016-07-31", MIDNIGHT_US),
        ("2016-07-31T00:00:00Z", MIDNIGHT_US),
        ("2016-07-31T02:00:00+02:00", MIDNIGHT_US),
        ("2016-07-31T02:00:00 02:00", MIDNIGHT_US),  # a plus that was not escaped
        ("2016-07-30T17:00:00-07:00", MIDNIGHT_US),
        ("2016-07-31T00:00:00.250000Z", MIDNIGHT_US + 250_000),
        ("2016-07-31T00:00:00", MIDNIGHT_US),
        ("yesterday", None),
        ("2016-13-01", None),
    ],
)
def test_forms_of_a_date_filter(text: str, expected_us: int | None) -> None:
    """A date filter is read in every form in use, and anything else is refused."""
    assert parse_filter(text) == expected_us


def test_written_dates() -> None:
    """Dates are written in whole seconds with a Z, or as HTTP wants them."""
    assert iso(MIDNIGHT_US + 999_999) == "2016-07-31T00:00:00Z"
    assert http_date(MIDNIGHT_US) == "Sun, 31 Jul 2016 00:00:00 GMT"
