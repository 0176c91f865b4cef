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
def test_a_filter_is_read_in_every_form_in_use_and_anything_else_is_refused(text: str, expected_us: int | None) -> None:
    assert parse_filter(text) == expected_us


def test_dates_are_written_in_whole_seconds_with_a_z_or_as_http_wants_them() -> None:
    assert iso(MIDNIGHT_US + 999_999) == "2016-07-31T00:00:00Z"
    assert http_date(MIDNIGHT_US) == "Sun, 31 Jul 2016 00:00:00 GMT"
