"""What is seen of a campaign that others send: what it has come to, what nothing leaves for, what has happened.

By the ledger alone, which whoever sends writes as it goes. Everything here is a decision: nothing is read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from dispatcher.campaign.next_steps import rows_of_all_files
from dispatcher.events import AttemptsEnded, Event, RateChanged, RowsCounted, RowsSkipped, RunStarted, SentBy, WaitKind
from dispatcher.ledger.records import CampaignStatus
from dispatcher.model import RowState

#: Whoever is to be served is told when no worker has come for so long.
UNSERVED_S = 30.0
#: What an answer makes of a row.
_ENDS = (RowState.created, RowState.rejected, RowState.busy)


class Came(Enum):
    """What a campaign that was ordered has come to."""

    #: Somebody sends it, or is to.
    going = "going"
    #: Nothing is left that anybody would send.
    done = "done"
    #: It is paused or held, and rows wait.
    paused = "paused"
    #: Nothing is left but rows that wait for their time.
    waiting = "waiting"
    #: Rows wait, and nobody is to send them any more.
    withdrawn = "withdrawn"


def came(status: CampaignStatus, now_ms: int) -> Came:
    """What it has come to. Seen once it may be half of a change: it is believed when it is seen again."""
    if status.running:
        return Came.going
    rows = rows_of_all_files(status)
    left = rows[RowState.planned] + rows[RowState.sending]
    in_doubt = rows[RowState.unknown]
    if status.paused is not None and (left or in_doubt):
        return Came.paused
    if not left and (status.due_ms is None or not in_doubt):
        return Came.done
    if status.due_ms is None or status.is_settled is False:
        return Came.withdrawn
    until_ms = waits_until_ms(status)
    return Came.waiting if until_ms is not None and until_ms > now_ms else Came.going


def waits_until_ms(status: CampaignStatus) -> int | None:
    """When the first row may be sent, where nothing is left but rows that wait; None: that is not so."""
    if rows_of_all_files(status)[RowState.sending] or status.due_ms is None:
        return None
    # The last run has said so; or it is ordered for later, and none has begun.
    return status.due_ms if status.next_at_ms is None else max(status.next_at_ms, status.due_ms)


class Seen(NamedTuple):
    """Why nothing leaves now."""

    kind: WaitKind
    reason: str
    #: None: not known.
    until_ms: int | None


def wait_of(status: CampaignStatus, *, is_held: bool, idle_s: float, now_ms: int) -> Seen | None:
    """What a campaign that is under way waits for; None: for nothing.

    `is_held`: somebody works for its account; `idle_s`: for so long nobody has.
    """
    run = status.run
    if status.running:
        return Seen(WaitKind.worker, run.waits, run.waits_until_ms) if run is not None and run.waits else None
    until_ms = waits_until_ms(status)
    if until_ms is not None and until_ms > now_ms:
        return Seen(WaitKind.due, "the rows that are left wait for their time", until_ms)
    if is_held:
        return Seen(WaitKind.account, "the account is busy with something else", None)
    if idle_s >= UNSERVED_S:
        reason = f"no worker has taken it for {UNSERVED_S:.0f} seconds"
    elif status.stop_reason:
        reason = f"a worker is to go on ({status.stop_reason})"
    else:
        reason = "a worker is to take it"
    return Seen(WaitKind.worker, reason, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The account's limit: requests a second, and the window."""

    per_second: float
    window_s: float

    @property
    def window_limit(self) -> int:
        """The most in any window."""
        return max(1, int(self.per_second * self.window_s + 1e-9))


class Course:
    """What happens to a campaign from one look at it to the next, as events: what its sender would have told."""

    def __init__(self, first: CampaignStatus, pace: Pace) -> None:
        """`first`: as it was ordered."""
        self._first = self._last = first
        self._pace = pace
        self._to_send = rows_of_all_files(first)[RowState.planned]
        self._done = 0
        #: The host whose worker sends it; empty: none does.
        self._sender = _sender(first)
        #: When so many requests had left, over the last window.
        self._requests: deque[tuple[float, int]] = deque()
        self._worst_window = 0
        self._rate_per_s = pace.per_second

    def begin(self) -> RunStarted:
        """It is ordered."""
        pace, first = self._pace, self._first
        return RunStarted(
            campaign=first.campaign.name,
            rows=first.rows,
            to_send=self._to_send,
            recovered=0,
            rate_limit_per_s=pace.per_second,
            window_limit=pace.window_limit,
            window_s=pace.window_s,
        )

    def changes(self, status: CampaignStatus, now_s: float) -> Iterator[Event]:
        """What has happened since the last look, at `now_s` (any clock that does not step)."""
        sender = _sender(status)
        is_new, self._sender = sender != self._sender, sender
        if is_new:
            yield SentBy(host=sender)
        before = self._last
        if is_new and sender:
            # What it has sent until now is told with the next look: the rate is counted from here on, and not from when
            # nobody had taken it.
            yield self._sample({}, before, before, now_s)
            return
        self._last = status
        rate_per_s = status.run.rate_per_s if status.running and status.run is not None else None
        if rate_per_s is not None and rate_per_s != self._rate_per_s:
            self._rate_per_s = rate_per_s
            yield RateChanged(rate_per_s=rate_per_s, reason="as its worker says")
        rows, earlier = rows_of_all_files(status), rows_of_all_files(before)
        # More rows may have been added since: those of a file, or of a retry.
        done = max(self._done, self._to_send - rows[RowState.planned] - rows[RowState.sending])
        skipped = min(done - self._done, max(0, rows[RowState.skipped] - earlier[RowState.skipped]))
        if skipped:
            yield RowsSkipped(rows=skipped)
        ended = _answers(earlier, rows, done - self._done - skipped)
        self._done = done
        if ended or requests_of(status) != requests_of(before):
            yield self._sample(ended, before, status, now_s)
        if status.rows != before.rows or ended or skipped:
            yield RowsCounted(campaign=status.campaign.name, rows=status.rows)

    def _sample(
        self, ended: dict[RowState, int], before: CampaignStatus, now: CampaignStatus, now_s: float
    ) -> AttemptsEnded:
        return AttemptsEnded(
            rows=ended,
            requests=max(0, requests_of(now) - requests_of(before)),
            throttled=max(0, now.throttled - before.throttled),
            in_flight=rows_of_all_files(now)[RowState.sending],
            window_now=self._window(requests_of(now) - requests_of(self._first), now_s),
            worst_window=self._worst_window,
        )

    def _window(self, requests: int, now_s: float) -> int:
        """About how many have left in the window that ends now: as exactly as it is looked."""
        seen = self._requests
        if not seen:
            seen.append((now_s - self._pace.window_s, 0))
        seen.append((now_s, requests))
        while len(seen) > 1 and seen[1][0] <= now_s - self._pace.window_s:
            seen.popleft()
        now = min(requests - seen[0][1], self._pace.window_limit)
        self._worst_window = max(self._worst_window, now)
        return now


def requests_of(status: CampaignStatus) -> int:
    """All its requests so far, of every run."""
    return status.attempts + status.throttled


def _sender(status: CampaignStatus) -> str:
    return status.run.host if status.running and status.run is not None else ""


def _answers(before: dict[RowState, int], now: dict[RowState, int], done: int) -> dict[RowState, int]:
    """The states that so many rows have come to; what was unknown before and is not any more is none of them."""
    ended: dict[RowState, int] = {}
    in_doubt = max(0, before[RowState.unknown] - now[RowState.unknown])
    for state in _ENDS:
        more = max(0, now[state] - before[state])
        found = min(more, in_doubt)
        in_doubt -= found
        if n := min(more - found, done):
            ended[state], done = n, done - n
    if n := min(done, max(0, now[RowState.unknown] - before[RowState.unknown])):
        ended[RowState.unknown] = n
    return ended
