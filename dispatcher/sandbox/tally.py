"""What the sandbox truly did, counted apart from what it answered: the other side of every claim about a campaign."""

from __future__ import annotations

from collections import Counter
from typing import Any


class Tally:
    """Counts of requests and of executions created over the API. Planted executions are not among the creates."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()  #: operation (or unauthorized, not_found, …) → requests
        self.create_requests = 0  #: every one that arrived, whatever it was answered
        self.creates = 0
        self.throttled = 0  #: creates refused with 429, by the limit or a fault
        self.read_throttled = 0
        self.planted = 0
        self.created_by_to: dict[str, int] = {}
        self.created_by_dispatch_id: dict[str, int] = {}

        self.duplicates: dict[str, int] = {}
        self.dispatch_id_duplicates: dict[str, int] = {}

    def created(self, to: str, dispatch_id: str | None) -> None:
        self.creates += 1
        _count(self.created_by_to, self.duplicates, to)
        if dispatch_id is not None:
            _count(self.created_by_dispatch_id, self.dispatch_id_duplicates, dispatch_id)

    def report(self, *, brief: bool) -> dict[str, Any]:
        report: dict[str, Any] = {
            "creates": self.creates,
            "creates_total_requests": self.create_requests,
            "throttled": self.throttled,
            "read_throttled": self.read_throttled,
            "planted": self.planted,
            "requests": dict(self.requests),
            "duplicates": dict(self.duplicates),
            "created_by_dispatch_id_duplicates": dict(self.dispatch_id_duplicates),
        }
        if not brief:
            report["created_by_to"] = dict(self.created_by_to)
        return report


def _count(counts: dict[str, int], duplicates: dict[str, int], key: str) -> None:
    count = counts[key] = counts.get(key, 0) + 1
    if count > 1:
        duplicates[key] = count
