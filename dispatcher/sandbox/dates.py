"""Dates as Studio writes and reads them. Inside the sandbox a time is an integer: microseconds since 1970, UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache

SECOND_US = 1_000_000
NEVER_US = 1 << 62  #: later than any time: an execution that does not end by itself
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_us(seconds: float) -> int:
    return round(seconds * SECOND_US)


def iso(time_us: int) -> str:
    """`2015-07-30T20:00:00Z`: whole seconds and a Z, the only form the official clients parse."""
    return _iso(time_us // SECOND_US)


def http_date(time_us: int) -> str:
    return _http_date(time_us // SECOND_US)


# Most answers of one second share their dates.
@lru_cache(maxsize=4096)
def _iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=16)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)


def parse_filter(text: str) -> int | None:
    """A `DateCreatedFrom` or `DateCreatedTo` in any of the three forms that are in use, or None if it is no date.

    A bare date (midnight UTC), an offset (`2016-07-31T00:00:00+02:00`), or a Z. A `+` that the client did not escape
    arrives as a space.
    """
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round((moment - _EPOCH).total_seconds() * SECOND_US)
