"""What to do with a contact that has another active execution: skip, wait, or end the other one first."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Literal

from dispatcher.clock import now_ms
from dispatcher.errors import DispatcherError, ResourceNotFound
from dispatcher.ledger.records import GrantedRow
from dispatcher.model import FoundBy, Outcome
from dispatcher.studio.client import Studio
from dispatcher.studio.outcomes import Verdict

#: With on_busy = end: so often another execution is ended for one row; a program that starts them again wins.
ENDS_MAX = 3


class BusyPolicy:
    """Decides about rows answered `busy`, after one look at the conflicting execution's Context: it may be our own."""

    def __init__(
        self,
        studio: Studio,
        *,
        flow_sid: str,
        policy: Literal["skip", "wait", "end"],
        wait_s: float,
        give_up_s: float,
        id_parameter: str,
        dispatch_id: Callable[[GrantedRow], str],
    ) -> None:
        self._studio = studio
        self._flow_sid = flow_sid
        self._policy = policy
        self._wait_s = wait_s
        self._give_up_s = give_up_s
        self._id_parameter = id_parameter
        self._dispatch_id = dispatch_id
        self._first_busy_s: dict[int, float] = {}
        self._ends: Counter[int] = Counter()

    @property
    def waiting(self) -> int:
        """Contacts that are asked again later."""
        return len(self._first_busy_s)

    def forget(self, row_id: int) -> None:
        """A row has its outcome: it is not asked for again."""
        self._first_busy_s.pop(row_id, None)

    async def resolve(self, row: GrantedRow, verdict: Verdict) -> tuple[Verdict, FoundBy, int | None]:
        """The verdict after a closer look, how it was found, and when to ask again (ms; None: not)."""
        other_sid = verdict.check_sid
        if other_sid is not None and self._id_parameter:
            try:
                if await self._is_ours(row, other_sid):
                    self._first_busy_s.pop(row.row_id, None)
                    if verdict.http_status != 409:
                        # v1 answers with the execution itself, new or not: it is ours.
                        return Verdict(Outcome.created, other_sid, verdict.http_status), FoundBy.answer, None
                    message = "our own execution, from an earlier attempt, was still active"
                    created = Verdict(Outcome.created, other_sid, verdict.http_status, verdict.error_code, message)
                    return created, FoundBy.conflict, None
            except DispatcherError as error:
                # Who holds the contact cannot be told now: it may be our own. Only reconcile can say.
                message = f"the conflicting execution {other_sid} could not be read: {error.message}"
                unknown = Verdict(Outcome.unknown, None, verdict.http_status, verdict.error_code, message)
                return unknown, FoundBy.answer, None
        if self._policy == "wait":
            now_s = asyncio.get_running_loop().time()
            first_s = self._first_busy_s.setdefault(row.row_id, now_s)
            if now_s - first_s < self._give_up_s:
                return verdict, FoundBy.answer, now_ms() + int(self._wait_s * 1000)
            self._first_busy_s.pop(row.row_id, None)
        elif self._policy == "end" and other_sid is not None and self._ends[row.row_id] < ENDS_MAX:
            self._ends[row.row_id] += 1
            try:
                await self._studio.end_execution(self._flow_sid, other_sid)
            except DispatcherError:
                return verdict, FoundBy.answer, None
            # Ended: the row is planned again and sent as any other.
            return verdict, FoundBy.answer, now_ms()
        return verdict, FoundBy.answer, None

    async def _is_ours(self, row: GrantedRow, execution_sid: str) -> bool:
        try:
            context = await self._studio.execution_context(self._flow_sid, execution_sid)
        except ResourceNotFound:
            return False
        return context.parameter(self._id_parameter) == self._dispatch_id(row)
