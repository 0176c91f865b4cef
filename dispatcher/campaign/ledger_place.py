"""Which ledger it is and since when it knows: told before anything is sent, since a new one knows nobody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dispatcher.clock import now_ms

#: A ledger whose first campaign is so young was made for it.
_NEW_MS = 60_000
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPlace:
    """A ledger's place, for people, and when its first campaign was made (None: it has none)."""

    location: str
    since_ms: int | None

    def __str__(self) -> str:
        return f"{self.location} ({age_text(self.since_ms)})"

    def as_json(self) -> dict[str, Any]:
        """For `json`: `path`, and `since` as ISO 8601, UTC."""
        since = None if self.since_ms is None else _moment(self.since_ms).isoformat(timespec="seconds")
        return {"path": self.location, "since": since and since.replace("+00:00", "Z")}


def age_text(since_ms: int | None) -> str:
    """Since when a ledger knows, in words."""
    age_ms = 0 if since_ms is None else now_ms() - since_ms
    if since_ms is None or age_ms < _NEW_MS:
        return "new: it knows nobody yet"
    days = age_ms // _DAY_MS
    age = f"{days:,} days" if days > 1 else "1 day" if days else "less than a day"
    return f"since {_moment(since_ms):%Y-%m-%d}, {age}"


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
