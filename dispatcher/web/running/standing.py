"""Where each order stands in its account's queue. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from dispatcher.ledger.wishes import Ordered
from dispatcher.web.running.restart import Due, held_as_late
from dispatcher.web.store import Draft


class Stand(StrEnum):
    """What an order waits for."""

    #: Somebody to lift its pause.
    paused = "paused"
    #: The time at which it is to begin.
    scheduled = "scheduled"
    #: The next time at which rows may go: it leaves the queue meanwhile.
    waits = "waits"
    #: Its turn.
    ready = "ready"
    #: A person: its time was missed.
    late = "late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An order of the page's."""

    order: Ordered
    draft: Draft

    @property
    def campaign_id(self) -> int:
        """Of the ledger."""
        return self.order.campaign.campaign_id

    @property
    def due(self) -> Due:
        """Its time."""
        due_ms = self.order.wish.due_ms
        assert due_ms is not None, "it is ordered"
        return Due(
            due_ms=due_ms,
            is_chosen=self.draft.due_ms == due_ms,
            is_begun=self.draft.planned > 0 or self.is_workers,
            next_at_ms=self.order.next_at_ms,
        )

    @property
    def is_workers(self) -> bool:
        """Whether workers of a cluster have all that they need to send it."""
        return self.order.settings is not None

    @property
    def is_unplanned(self) -> bool:
        """Whether a file of it is not in the ledger yet."""
        return self.draft.planned < len(self.draft.uploads)


def stand(entry: Entry, now_ms: int) -> Stand:
    """What an order waits for now."""
    order, due = entry.order, entry.due
    if order.wish.pause is not None:
        return Stand.paused
    if due.due_ms > now_ms:
        return Stand.scheduled
    if held_as_late(due, now_ms) is not None:
        return Stand.late
    if order.next_at_ms is not None and order.next_at_ms > now_ms and not entry.is_unplanned:
        return Stand.waits
    return Stand.ready


def to_order(entries: Iterable[Entry], now_ms: int) -> list[Entry]:
    """On a cluster, those that the page has to do something for: plan a file, or tell the workers how it is sent.

    Also long before its time: then workers begin it, whether or not the page is there.
    """
    return [
        entry
        for entry in entries
        if (entry.is_unplanned or not entry.is_workers) and stand(entry, now_ms) not in (Stand.paused, Stand.late)
    ]


def ready(entries: Iterable[Entry], now_ms: int) -> list[Entry]:
    """Those whose turn it is, whoever was ordered first comes first."""
    return [entry for entry in entries if stand(entry, now_ms) is Stand.ready]
