"""Which ledger it is, and since when it knows: told before anything is sent, since a new one knows nobody."""

from __future__ import annotations

from datetime import UTC, datetime

from dispatcher.answers import LedgerAnswer
from dispatcher.clock import now_ms
from dispatcher.ledger.records import LedgerPlace

_DAY_MS = 86_400_000


def place_text(place: LedgerPlace) -> str:
    """For people: its path and its age."""
    return f"{place.location} ({age_text(place.since_ms)})"


def place_object(place: LedgerPlace) -> LedgerAnswer:
    """For `json`: `path`, and `since` as ISO 8601, UTC (null: it knows nothing yet)."""
    since = None if place.since_ms is None else f"{_moment(place.since_ms):%Y-%m-%dT%H:%M:%SZ}"
    return {"path": place.location, "since": since}


def age_text(since_ms: int | None) -> str:
    """Since when a ledger knows, in words."""
    if since_ms is None:
        return "new: it knows nobody yet"
    days = (now_ms() - since_ms) // _DAY_MS
    age = f"{days:,} days" if days > 1 else "1 day" if days else "less than a day"
    return f"since {_moment(since_ms):%Y-%m-%d}, {age}"


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
