"""What to do with a contact that has another active execution: skip, wait, or end the other one first."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Literal

from dispatcher.errors import DispatcherError, ResourceNotFound
from dispatcher.ledger.records import GrantedRow
from dispatcher.model import FoundBy, Outcome, is_dispatch_id
from dispatcher.studio.client import Studio
from dispatcher.studio.outcomes import Verdict

#: With on_busy = end: so often another execution is ended for one row; a program that starts them again wins.
ENDS_MAX = 3
#: Two answers may be so many waits apart; what is above that is the night of its place, in which nobody asked.
WAITS_APART_MAX = 3


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
        is_campaigns: Callable[[GrantedRow, str], Awaitable[bool]],
    ) -> None:
        """`is_campaigns`: whether an execution of the row's contact was begun by another row of the campaign."""
        self._studio = studio
        self._flow_sid = flow_sid
        self._policy = policy
        self._wait_s = wait_s
        self._give_up_s = give_up_s
        self._id_parameter = id_parameter
        self._dispatch_id = dispatch_id
        self._is_campaigns = is_campaigns
        #: row_id → when it was last answered so, and how long it was waited for until then.
        self._waited: dict[int, tuple[float, float]] = {}
        self._ends: Counter[int] = Counter()

    @property
    def waiting(self) -> int:
        """Contacts that are asked again later."""
        return len(self._waited)

    def forget(self, row_id: int) -> None:
        """A row has its outcome: it is not asked for again."""
        self._waited.pop(row_id, None)

    async def resolve(self, row: GrantedRow, verdict: Verdict) -> tuple[Verdict, FoundBy, int | None]:
        """The verdict after a closer look, how it was found, and in how long to ask again (ms; None: not).

        An execution is somebody else's only where its Context is there and does not carry an id that this row has sent.
        Where that cannot be seen it may be our own, of this attempt or an earlier one, and is never ended.
        """
        found_by, doubt = await self._look(row, verdict)
        if found_by is not None:
            self._waited.pop(row.row_id, None)
            created = Verdict(Outcome.created, verdict.check_sid, verdict.http_status)
            if found_by is FoundBy.conflict:
                message = "our own execution, from an earlier attempt, was still active"
                created = created._replace(error_code=verdict.error_code, message=message)
            return created, found_by, None
        if doubt is not None:
            unknown = Verdict(Outcome.unknown, None, verdict.http_status, verdict.error_code, doubt)
            return unknown, FoundBy.answer, None
        return verdict, FoundBy.answer, await self._next_time(row, verdict)

    async def _look(self, row: GrantedRow, verdict: Verdict) -> tuple[FoundBy | None, str | None]:
        """How the execution in the way is known to be our own, or why it may be (only reconcile can say then)."""
        sid, ids = verdict.check_sid, self._ids(row)
        if sid is None:
            return None, "the conflict names no execution: it may be this row's own" if row.absent else None
        if not ids:
            return None, f"the execution in the way, {sid}, may be this row's own" if row.absent else None
        try:
            context = await self._studio.execution_context(self._flow_sid, sid)
        except ResourceNotFound:
            return None, f"the execution in the way, {sid}, has no Context (yet): it may be this row's own"
        except DispatcherError as error:
            return None, f"the execution in the way, {sid}, could not be read: {error.message}"
        texts = context.texts()
        if texts & ids:
            # v1 answers with the execution itself, new or not: there it is no conflict.
            return FoundBy.conflict if verdict.http_status == 409 else FoundBy.answer, None
        if not context.is_there:
            return None, f"the Context of the execution in the way, {sid}, is empty: it may be this row's own"
        if any(one.dispatch_id is None for one in row.absent) and any(map(is_dispatch_id, texts)):
            return None, f"the execution in the way, {sid}, carries an id that may be this row's of an older program"
        return None, None

    def _ids(self, row: GrantedRow) -> set[str]:
        """The ids that the row's attempts have carried, as far as they are known."""
        if not self._id_parameter:
            return set()
        own = row.dispatch_id or self._dispatch_id(row)
        return {own, *(one.dispatch_id for one in row.absent if one.dispatch_id)}

    async def _next_time(self, row: GrantedRow, verdict: Verdict) -> int | None:
        """By the policy: in how many ms a row whose contact is busy is asked for again; None: not.

        Two rows of one campaign (two appointments of one person) wait for each other, whatever the policy is.
        """
        sid = verdict.check_sid
        if self._policy == "wait" or (sid is not None and await self._is_campaigns(row, sid)):
            now_s = asyncio.get_running_loop().time()
            last_s, waited_s = self._waited.get(row.row_id, (now_s, 0.0))
            waited_s += min(now_s - last_s, WAITS_APART_MAX * self._wait_s)
            if waited_s < self._give_up_s:
                self._waited[row.row_id] = (now_s, waited_s)
                return int(self._wait_s * 1000)
            self._waited.pop(row.row_id, None)
        elif self._policy == "end" and sid is not None and self._ends[row.row_id] < ENDS_MAX:
            self._ends[row.row_id] += 1
            try:
                await self._studio.end_execution(self._flow_sid, sid)
            except DispatcherError:
                return None
            # Ended: the row is planned again and sent as any other.
            return 0
        return None
