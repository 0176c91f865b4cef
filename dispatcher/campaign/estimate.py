"""How far the rows that wait come before their places close, and when the last one leaves: by place, never by row.

It does in thought what a run does: of the places that are open, the one that closes first goes first, at the rate, and
of a sender that has begun as much as it may in a day nothing more goes before the next one. What
no setting tells is not in it: late answers, 429s, a canary's wait. So it is the least that a run takes.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

from dispatcher.rules.gate import Due

if TYPE_CHECKING:
    from dispatcher.ledger.senders import DueOf
    from dispatcher.rules.caps import DailyCap, SenderCap
    from dispatcher.rules.gate import Schedule

#: So often it is looked on, behind the days of which openings are worked out at once: some two months in all.
_LOOKS_MAX = 7
#: Of a row: less is what adding up leaves.
_NOTHING = 1e-6


class Closing(NamedTuple):
    """A place that closes while rows of it are left."""

    at_ms: int
    place_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What becomes of rows that wait. Times are milliseconds since 1970."""

    rows: int
    #: Those that may go now.
    open_now: int
    #: Of these, those that do not leave before their place closes.
    held_back: int
    #: The first such closing; None: there is none.
    closing: Closing | None
    #: As `held_back` and `closing`, of all rows: in the first opening of each, whenever that is.
    over: int
    over_at: Closing | None
    #: Those of which the time is over before their turn comes.
    expired: int
    #: Whether a daily cap holds some of them back, in places that are open.
    capped: bool
    #: When the last of them leaves; None: none does, or not within two months.
    done_ms: int | None


def estimate(
    waiting: Iterable[DueOf],
    schedule: Schedule,
    now_ms: int,
    per_s: float,
    *,
    limit: int | None = None,
    cap: DailyCap | None = None,
    sender_cap: SenderCap | None = None,
) -> Estimate:
    """What becomes of rows, so many of each sender, place and own time, at so many a second.

    `limit`: so many in all. `cap`: how many may be begun today and, from then on, a day; `sender_cap`: so of each
    sender. Both stay as they are.
    """
    return _Course(schedule, now_ms, per_s, limit, deepcopy(cap), deepcopy(sender_cap)).run(waiting)


class _Group:
    """Rows of a sender and a place with one own time."""

    __slots__ = ("is_first", "is_open_now", "left", "place_id", "sender")

    def __init__(self, sender: str, place_id: int, rows: int) -> None:
        self.sender = sender
        self.place_id = place_id
        self.left = float(rows)
        self.is_open_now = False
        #: It is in its first opening, or before it.
        self.is_first = True


class _Course:
    """One estimate."""

    def __init__(
        self,
        schedule: Schedule,
        now_ms: int,
        per_s: float,
        limit: int | None,
        cap: DailyCap | None,
        sender_cap: SenderCap | None,
    ) -> None:
        self._schedule, self._now_ms, self._per_ms = schedule, now_ms, per_s / 1000
        self._cap, self._sender_cap = cap, sender_cap
        #: How many may go, in all and today.
        self._room = math.inf if limit is None else float(limit)
        self._today = math.inf
        #: Of each sender of which something went today: how many more may.
        self._today_of: dict[str, float] = {}
        self._day_ends_ms: float = now_ms if cap or sender_cap else math.inf
        self._t_ms: float = now_ms
        #: From when on openings are worked out.
        self._from_ms = now_ms
        #: When it opens, a number (groups are not compared), when it closes.
        self._closed: list[tuple[int, int, int, _Group]] = []
        self._open: list[tuple[int, int, _Group]] = []
        #: Open, but for their senders, that have begun enough for today.
        self._resting: list[tuple[int, int, _Group]] = []
        #: From when on to look for their next opening.
        self._later: list[tuple[int, _Group]] = []
        self._number = 0
        self._held_back = self._over = self._expired = 0.0
        self._closing: Closing | None = None
        self._over_at: Closing | None = None
        self._done_ms: float | None = None
        self._capped = False

    def run(self, waiting: Iterable[DueOf]) -> Estimate:
        """The estimate."""
        rows = 0
        for sender, due, n in waiting:
            if n > 0:
                rows += n
                self._await(_Group(sender, due.place_id, n), max(due.first_ms, self._now_ms))
        open_now = [group for opens_ms, _, _, group in self._closed if opens_ms <= self._now_ms]
        for group in open_now:
            group.is_open_now = True
        open_rows = sum(int(group.left) for group in open_now)
        self._go()
        for _ in range(_LOOKS_MAX):
            if not self._later or self._is_over:
                break
            later, self._later = self._later, []
            self._from_ms = min(from_ms for from_ms, _ in later)
            for from_ms, group in later:
                self._await(group, from_ms)
            self._go()
        is_known = self._is_over or not self._later
        return Estimate(
            rows=rows,
            open_now=open_rows,
            held_back=_whole(self._held_back),
            closing=self._closing,
            over=_whole(self._over),
            over_at=self._over_at,
            expired=_whole(self._expired),
            capped=self._capped,
            done_ms=round(self._done_ms) if is_known and self._done_ms is not None else None,
        )

    @property
    def _is_over(self) -> bool:
        return self._room < _NOTHING

    def _await(self, group: _Group, from_ms: int) -> None:
        """Until its place opens next."""
        spans = self._schedule.spans(group.place_id, self._from_ms)
        at = bisect_right(spans, from_ms, key=lambda span: span[1])
        if at < len(spans):
            self._number += 1
            heappush(self._closed, (max(spans[at][0], from_ms), self._number, spans[at][1], group))
            return
        beyond_ms = self._schedule.earliest_ms(Due(group.place_id, from_ms), self._from_ms)
        if beyond_ms is None:
            self._expired += min(group.left, self._room)
        else:
            self._later.append((beyond_ms, group))

    def _close(self, group: _Group, at_ms: int) -> None:
        """Its place closes while rows are left, or is open for longer than was worked out."""
        if self._schedule.earliest_ms(Due(group.place_id, at_ms), self._from_ms) == at_ms:
            self._later.append((at_ms, group))
            return
        if group.is_first:
            left, closing = min(group.left, self._room), Closing(at_ms, group.place_id)
            self._over += left
            self._over_at = min(self._over_at or closing, closing)
            if group.is_open_now:
                self._held_back += left
                self._closing = min(self._closing or closing, closing)
            group.is_first = False
        self._await(group, at_ms)

    def _go(self) -> None:
        """Until nothing opens any more, or all is done."""
        while not self._is_over and (self._open or self._closed or self._resting):
            self._new_day()
            while self._closed and self._closed[0][0] <= self._t_ms:
                _, number, closes_ms, group = heappop(self._closed)
                heappush(self._open, (closes_ms, number, group))
            if not self._open:
                opens_ms = self._closed[0][0] if self._closed else math.inf
                self._t_ms = min(opens_ms, self._day_ends_ms) if self._resting else opens_ms
                continue
            closes_ms, _, group = self._open[0]
            if closes_ms <= self._t_ms:
                heappop(self._open)
                self._close(group, closes_ms)
                continue
            today = self._left_today(group.sender)
            if today < _NOTHING <= self._today:
                self._capped = True
                self._resting.append(heappop(self._open))
                continue
            opens_ms = self._closed[0][0] if self._closed else math.inf
            until_ms = min(closes_ms, opens_ms, self._day_ends_ms)
            if self._today < _NOTHING:
                self._capped = True
                self._t_ms = until_ms
                continue
            most = min(group.left, self._room, self._today, today)
            rows = min(most, (until_ms - self._t_ms) * self._per_ms)
            self._t_ms = self._t_ms + rows / self._per_ms if rows == most else until_ms
            self._done_ms = self._t_ms
            group.left -= rows
            self._room -= rows
            self._today -= rows
            if self._sender_cap is not None:
                self._today_of[group.sender] = today - rows
            if group.left < _NOTHING:
                heappop(self._open)

    def _new_day(self) -> None:
        if self._t_ms < self._day_ends_ms:
            return
        at_ms = math.ceil(self._t_ms)
        if self._cap is not None:
            self._today, self._day_ends_ms = float(self._cap.room(at_ms)), self._cap.day(at_ms)[1]
        if self._sender_cap is not None:
            # Both have the same day.
            self._day_ends_ms = self._sender_cap.day(at_ms)[1]
            self._today_of.clear()
            for one in self._resting:
                heappush(self._open, one)
            self._resting.clear()

    def _left_today(self, sender: str) -> float:
        """How many more of a sender may go today."""
        if self._sender_cap is None:
            return math.inf
        if sender not in self._today_of:
            self._today_of[sender] = float(self._sender_cap.room(sender, math.ceil(self._t_ms)))
        return self._today_of[sender]


def _whole(rows: float) -> int:
    return math.ceil(rows - _NOTHING)
