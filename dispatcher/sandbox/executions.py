"""All executions of the account, in the order of their creation, and which contacts are busy.

Made for a million: a SID is computed, not stored; a page is found by bisection; nothing runs per execution. What an
execution is at some time follows from its record and that time alone.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from typing import Literal

from dispatcher.sandbox.dates import NEVER_US, SECOND_US, to_us
from dispatcher.sandbox.flows import FlowRevision, SandboxFlow
from dispatcher.sandbox.settings import SandboxSettings
from dispatcher.sandbox.sids import SidSpace

ExecutionStatus = Literal["active", "ended"]
_DAY_US = 86_400 * SECOND_US


@dataclass(slots=True, eq=False)
class Execution:
    """One execution's record. Times in microseconds since 1970; `ends_us` is when it ends or ended (NEVER_US: open)."""

    n: int  #: 0, 1, 2, … in the order in which they came to be
    flow: SandboxFlow
    revision: FlowRevision
    to: str
    sender: str
    parameters: str | None  #: as it was sent
    created_us: int
    ends_us: int
    request_n: int
    planted: bool  #: not created over the API but by `POST /_sandbox/executions`, as another program would
    skew_us: int = 0  #: how wrong the clock was that dated it: shown in every date of it, and lists go by it
    began_by: str | None = None  #: the message or call that began it (SM…, CA…); None: a request
    hides_address: bool = False  #: its contact_channel_address is null
    deleted: bool = False

    def status(self, now_us: int) -> ExecutionStatus:
        return "active" if now_us < self.ends_us else "ended"

    @property
    def is_of_a_draft(self) -> bool:
        """Whether nothing runs, because the flow was never published and the contact is no test user."""
        return self.revision.status == "draft" and self.to not in self.flow.test_users

    @property
    def dated_us(self) -> int:
        """When its date_created says that it was created."""
        return self.created_us + self.skew_us

    @property
    def key(self) -> tuple[int, int]:
        """Orders executions as lists show them, from old to new."""
        return (self.created_us + self.skew_us, self.n)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins: just before (`older`) or just after the execution with this key."""

    key: tuple[int, int]
    older: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Executions, newest first, and where the next and the previous page begin (None: there is no more)."""

    items: list[Execution]
    next: Cursor | None
    previous: Cursor | None


class Executions:
    """The store. Every method takes the time that it is now."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.sids = SidSpace("FN", settings.seed)
        self.log: list[Execution] = []  #: every one ever, also the deleted; the index is n
        self._by_flow: dict[str, list[Execution]] = {flow.sid: [] for flow in settings.flows}
        self._active: dict[tuple[str, str, str], Execution] = {}
        self._sweep_at = 1024
        self._senders: dict[str, str] = {}
        self._key_includes_flow = settings.conflict_key_includes_flow
        self.list_lag_us = to_us(settings.list_lag_s)
        #: The least and the most that any execution's date is off.
        self._skews_us = (0, 0)
        self._retention_us = round(settings.retention_days * _DAY_US)

    def conflict(self, flow_sid: str, to: str, sender: str, now_us: int) -> Execution | None:
        """The active execution of this contact that forbids another, if there is one."""
        key = (flow_sid if self._key_includes_flow else "", to, sender)
        execution = self._active.get(key)
        if execution is not None and now_us >= execution.ends_us:
            del self._active[key]
            return None
        return execution

    def add(
        self,
        flow: SandboxFlow,
        revision: FlowRevision,
        to: str,
        sender: str,
        parameters: str | None,
        *,
        created_us: int,
        request_n: int,
        planted: bool = False,
        skew_us: int = 0,
        began_by: str | None = None,
        hides_address: bool = False,
    ) -> Execution:
        """A new execution, which does not end until `set_end` says when."""
        execution = Execution(
            n=len(self.log),
            flow=flow,
            revision=revision,
            to=to,
            # Nearly all executions of a campaign have one sender: they share the text.
            sender=self._senders.setdefault(sender, sender),
            parameters=parameters,
            created_us=created_us,
            ends_us=NEVER_US,
            request_n=request_n,
            planted=planted,
            skew_us=skew_us,
            began_by=began_by,
            hides_address=hides_address,
        )
        self.log.append(execution)
        self._skews_us = (min(self._skews_us[0], skew_us), max(self._skews_us[1], skew_us))
        listed = self._by_flow[flow.sid]
        if listed and listed[-1].dated_us > execution.dated_us:
            insort(listed, execution, key=_key)
        else:
            listed.append(execution)
        self._active[(flow.sid if self._key_includes_flow else "", to, sender)] = execution
        return execution

    def set_end(self, execution: Execution, ends_us: int) -> None:
        """When the execution ends by itself; at the latest when its retention is over."""
        execution.ends_us = min(ends_us, execution.created_us + self._retention_us)

    def get(self, flow_sid: str, sid: str, now_us: int) -> Execution | None:
        """The execution with this SID in this flow, unless it never was, was deleted, or is past its retention."""
        n = self.sids.index(sid)
        if n is None or n >= len(self.log):
            return None
        execution = self.log[n]
        gone = execution.deleted or execution.created_us <= now_us - self._retention_us
        return None if gone or execution.flow.sid != flow_sid else execution

    def end(self, execution: Execution, now_us: int) -> None:
        execution.ends_us = now_us

    def delete(self, execution: Execution, now_us: int) -> None:
        execution.deleted = True
        execution.ends_us = min(execution.ends_us, now_us)

    def active_count(self, now_us: int) -> int:
        """How many executions are active; forgets those that have ended."""
        self._active = {key: one for key, one in self._active.items() if now_us < one.ends_us}
        return len(self._active)

    def sweep(self, now_us: int) -> None:
        """Forget ended executions once they are the larger part, so that the index of active ones stays small."""
        if len(self._active) > self._sweep_at:
            self._sweep_at = max(1024, 2 * self.active_count(now_us))

    def page(
        self,
        flow_sid: str,
        now_us: int,
        *,
        size: int,
        cursor: Cursor | None = None,
        created_from_us: int | None = None,
        created_to_us: int | None = None,
        status: ExecutionStatus | None = None,
    ) -> Page:
        """One page of a flow's executions. `created_from_us` is inclusive, `created_to_us` exclusive.

        Lists are ordered and asked by date_created, with whatever was wrong with the clock that wrote it; how long an
        execution is kept, and hidden at first, goes by the time that has passed.
        """
        listed = self._by_flow[flow_sid]
        oldest_us, newest_us = now_us - self._retention_us, now_us - self.list_lag_us
        first_us = oldest_us + 1 + self._skews_us[0]
        end_us = newest_us + 1 + self._skews_us[1]
        if created_from_us is not None:
            first_us = max(first_us, created_from_us)
        if created_to_us is not None:
            end_us = min(end_us, created_to_us)
        low = bisect_left(listed, (first_us, -1), key=_key)
        high = bisect_left(listed, (end_us, -1), key=_key)
        if cursor is None or cursor.older:
            if cursor is not None:
                high = min(high, bisect_left(listed, cursor.key, key=_key))
            indices = range(high - 1, low - 1, -1)
        else:
            indices = range(max(low, bisect_right(listed, cursor.key, key=_key)), high)
        found: list[Execution] = []
        for index in indices:
            execution = listed[index]
            if not oldest_us < execution.created_us <= newest_us:
                continue
            if execution.deleted or (status is not None and execution.status(now_us) != status):
                continue
            found.append(execution)
            if len(found) > size:
                break
        more = len(found) > size
        found = found[:size]
        older_than = newer_than = None
        if cursor is None or cursor.older:
            if found and more:
                older_than = Cursor(found[-1].key, older=True)
            if found and cursor is not None:
                newer_than = Cursor(found[0].key, older=False)
        else:
            found.reverse()
            if found:
                older_than = Cursor(found[-1].key, older=True)
                newer_than = Cursor(found[0].key, older=False) if more else None
        return Page(found, older_than, newer_than)


def _key(execution: Execution) -> tuple[int, int]:
    return execution.key
