"""Unknown rows, resolved by proof: the Executions list says who exists, the Context says whose it is.

1. List the flow's executions since the earliest open intent, and minutes further back: clocks jump.
2. Of those that may be an unknown row's, read the Context and look for the id that was sent. Found: `created`.
3. Nothing found, in a list that is seen to be up to date: nothing was created; the row is `planned` again.
4. Nothing found, and nothing later either: `planned` once more, and after a second such round unknown for good.
5. Something found that proves neither: the row stays `unknown`, with the evidence in its message.

The rule is `evidence.decide`; here the list and the Contexts are read for it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dispatcher.clock import now_ms, now_s
from dispatcher.errors import ResourceNotFound, StudioUnavailable
from dispatcher.events import EventBus, Reconciling
from dispatcher.ledger.protocol import Ledger
from dispatcher.ledger.records import AttemptEnd, CampaignRecord, LastCreated, Run, SentExecution, UnknownRow
from dispatcher.model import Absence, FoundBy, Outcome, contact_of, is_dispatch_id
from dispatcher.plurals import counted
from dispatcher.sending.evidence import Decision, Evidence, Skew, Window, decide, is_later, window
from dispatcher.settings import ReconcileSettings
from dispatcher.studio.client import Studio
from dispatcher.studio.resources import Execution, ExecutionContext, began_by_contact

#: The newest of a list are looked for among our own executions, to see how far the list is up to date.
NEWEST = 1000
#: What is said of an attempt that counts as not sent.
SENT_AGAIN = {
    Absence.proved: "not found by reconcile: sent again",
    Absence.assumed: "not found by reconcile, in a list that shows nothing later: sent again once",
}


@dataclass(slots=True)
class Reconciled:
    """What a pass found. `waiting_until_s`: when the rows still unknown can be decided, seconds since the epoch."""

    created: int = 0
    planned: int = 0
    #: Left unknown for good, with the evidence.
    unresolved: int = 0
    waiting: int = 0
    waiting_until_s: float | None = None
    notes: list[tuple[int, str]] = field(default_factory=list)

    def add(self, later: Reconciled) -> None:
        """Go on with a later pass: what was resolved adds up, what remains is the later one's."""
        self.created += later.created
        self.planned += later.planned
        self.unresolved, self.notes = later.unresolved, later.notes
        self.waiting, self.waiting_until_s = later.waiting, later.waiting_until_s


async def reconcile(
    campaign: CampaignRecord,
    *,
    ledger: Ledger,
    studio: Studio,
    run: Run,
    settings: ReconcileSettings,
    dispatch_id: Callable[[str], str],
    id_parameter: str,
    bus: EventBus,
    seen_s: dict[int, float],
    may_assume: bool,
) -> Reconciled:
    """One pass over the campaign's unknown rows; returns what it resolved and what must wait.

    Reads only what it takes: no list where no row is unknown, one Context per candidate. `seen_s`: attempt_id → when it
    was first seen unknown; kept by the caller from pass to pass. `dispatch_id`: what the id of a row would be, for
    attempts that did not keep theirs. `may_assume`: see `evidence.decide`.
    Raises: StudioError, AuthenticationError where Studio cannot be asked (the rows stay unknown).
    """
    result = Reconciled()
    rows = await ledger.unknown_rows(campaign)
    if not rows:
        return result
    bus.emit(Reconciling(unknown=len(rows), resolved=0, detail="reading the list of executions"))
    if studio.clock_skews_s is None:
        # Any answer tells the server's clock, and this one tells early whether the flow is there.
        await studio.flow(campaign.flow_sid)
    skew = Skew(*(studio.clock_skews_s or (0.0, 0.0)))
    listed_s = now_s()
    windows = {
        row.row_id: window(
            row,
            skew,
            settings,
            own_run=row.run_id == run.run_id,
            seen_s=seen_s.setdefault(row.attempt_id, listed_s),
            late_s=studio.late_s,
        )
        for row in rows
    }
    search = _Search(rows, windows, campaign, ledger, studio, dispatch_id if id_parameter else None)
    await search.list_executions(bus)
    await search.read_contexts(settings.concurrency)
    resolved_ms = now_ms()
    ends: list[AttemptEnd] = []
    for row in rows:
        decision = decide(
            row,
            search.evidence(row),
            listed_s=listed_s,
            begun_s=windows[row.row_id].begun_s,
            ended_s=windows[row.row_id].ended_s,
            settle_s=settings.settle_s,
            has_id=row.dispatch_id is not None or bool(id_parameter),
            may_assume=may_assume,
        )
        if decision.outcome is not None:
            ends.append(_end(row, decision, resolved_ms))
            if decision.outcome is Outcome.created:
                result.created += 1
            else:
                result.planned += 1
        elif decision.wait_until_s is not None:
            result.waiting += 1
            result.waiting_until_s = max(result.waiting_until_s or 0.0, decision.wait_until_s)
        else:
            result.unresolved += 1
            result.notes.append((row.attempt_id, decision.note or ""))
    if ends:
        await ledger.resolve_rows(run, ends)
    if result.notes:
        await ledger.note_unknown(result.notes)
    resolved = result.created + result.planned
    detail = (
        f"{result.created} found, {result.planned} not created, {result.unresolved} stay unknown,"
        f" {result.waiting} waiting"
    )
    bus.emit(Reconciling(unknown=len(rows) - resolved, resolved=resolved, detail=detail))
    return result


class _Search:
    """Looks for the executions of unknown rows."""

    def __init__(
        self,
        rows: list[UnknownRow],
        windows: dict[int, Window],
        campaign: CampaignRecord,
        ledger: Ledger,
        studio: Studio,
        derived_id: Callable[[str], str] | None,
    ) -> None:
        self._rows = rows
        self._windows = windows
        self._from_s = min(one.earliest_s for one in windows.values())
        ends_s = [one.latest_s for one in windows.values()]
        self._until_s = None if None in ends_s else max(one for one in ends_s if one is not None)
        self._campaign = campaign
        self._flow_sid = campaign.flow_sid
        self._ledger = ledger
        self._studio = studio
        self._by_id = {one: row for row in rows for one in _ids(row, derived_id)}
        self._by_contact: dict[str, list[UnknownRow]] = defaultdict(list)
        for row in rows:
            self._by_contact[contact_of(row.to_address)].append(row)
        self._candidates: list[Execution] = []
        self._ours: dict[int, Execution] = {}
        self._ambiguous: dict[int, list[str]] = defaultdict(list)
        self._unread: set[int] = set()
        #: The newest that is listed: the executions of ours, and anybody's by its date.
        self._newest: list[str] = []
        self._newest_own: SentExecution | None = None
        self._last_created: LastCreated | None = None
        self._newest_s = float("-inf")

    async def list_executions(self, bus: EventBus) -> None:
        """Read the list; keep what may be a row's, and how new the newest is. Raises: StudioError."""
        created_from = datetime.fromtimestamp(self._from_s, UTC) if self._from_s > 0 else None
        listed = 0
        async for execution in self._studio.executions(self._flow_sid, created_from=created_from):
            listed += 1
            if len(self._newest) < NEWEST:
                self._newest.append(execution.sid)
            if execution.date_created is not None:
                self._newest_s = max(self._newest_s, execution.date_created.timestamp())
            if self._may_be_a_row_s(execution):
                self._candidates.append(execution)
            if listed % 5000 == 0:
                bus.emit(
                    Reconciling(unknown=len(self._rows), resolved=0, detail=f"{counted(listed, 'execution')} listed")
                )
        after = min(row.attempt_id for row in self._rows)
        self._last_created = await self._ledger.last_created(self._campaign, after=after)
        if self._newest:
            sent = await self._ledger.sent_executions(self._newest, after=after)
            self._newest_own = max(sent.values(), default=None)

    def _may_be_a_row_s(self, execution: Execution) -> bool:
        if began_by_contact(execution):
            return False
        address = execution.contact_channel_address
        if address is not None:
            return contact_of(address) in self._by_contact
        # Whose it is, only its Context tells.
        created = execution.date_created
        return created is None or _covers(self._from_s, created.timestamp(), self._until_s)

    async def read_contexts(self, concurrency: int) -> None:
        """Find out whose the candidates are, `concurrency` at once. Raises: StudioError."""
        slots = asyncio.Semaphore(concurrency)

        async def look(execution: Execution) -> None:
            context: ExecutionContext | None = None
            if self._by_id:
                async with slots:
                    context = await self._context(execution)
            await self._judge(execution, context)

        await asyncio.gather(*(look(execution) for execution in self._candidates))

    async def _context(self, execution: Execution) -> ExecutionContext | None:
        """None: it is not there, or cannot be read now. That leaves rows unknown, and does not keep the others so."""
        try:
            context = await self._studio.execution_context(self._flow_sid, execution.sid)
        except (ResourceNotFound, StudioUnavailable):
            return None
        return context if context.is_there else None

    async def _judge(self, execution: Execution, context: ExecutionContext | None) -> None:
        ids = {text for text in context.texts() if is_dispatch_id(text) or text in self._by_id} if context else set()
        found = next((self._by_id[one] for one in ids if one in self._by_id), None)
        if found is not None:
            self._ours[found.row_id] = execution
            return
        if context is not None and not context.began_by_api:
            return  # the contact wrote or called
        address = execution.contact_channel_address or (context.address if context else None)
        rows = self._rows if address is None else self._by_contact.get(contact_of(address), ())
        created = execution.date_created
        for row in rows:
            if ids and (None not in _sent_ids(row) or await self._is_recorded(execution)):
                continue  # another row's
            span = self._windows[row.row_id]
            # One that is readable and carries no id is hardly ours; one that cannot be read may well be.
            earliest_s = span.earliest_s if context is None else span.likely_s
            if created is None or _covers(earliest_s, created.timestamp(), span.latest_s):
                self._ambiguous[row.row_id].append(execution.sid)
                if context is None:
                    self._unread.add(row.row_id)

    async def _is_recorded(self, execution: Execution) -> bool:
        """Whether the ledger has the execution: it is another row's then."""
        return bool(await self._ledger.sent_executions([execution.sid], after=0))

    def evidence(self, row: UnknownRow) -> Evidence:
        """What was found about a row."""
        late_s, last = self._studio.late_s, self._last_created
        later = self._newest_s >= self._windows[row.row_id].later_s or is_later(row, self._newest_own, late_s=late_s)
        return Evidence(
            ours=self._ours.get(row.row_id),
            ambiguous=tuple(self._ambiguous[row.row_id]),
            unread=row.row_id in self._unread,
            later=later,
            missing=last if last is not None and not later and is_later(row, last.sent, late_s=late_s) else None,
        )


def _ids(row: UnknownRow, derived_id: Callable[[str], str] | None) -> set[str]:
    """The ids that the row's attempts have carried; of an attempt that kept none, what it must have been."""
    sent = _sent_ids(row)
    ids = {one for one in sent if one is not None}
    return ids | {derived_id(row.row_key)} if None in sent and derived_id is not None else ids


def _sent_ids(row: UnknownRow) -> list[str | None]:
    return [row.dispatch_id, *(one.dispatch_id for one in row.absent)]


def _covers(earliest_s: float, created_s: float, latest_s: float | None) -> bool:
    return earliest_s <= created_s and (latest_s is None or created_s <= latest_s)


def _end(row: UnknownRow, decision: Decision, ended_ms: int) -> AttemptEnd:
    assert decision.outcome is not None
    created = decision.outcome is Outcome.created
    return AttemptEnd(
        row.row_id,
        row.attempt_id,
        decision.outcome,
        None,
        ended_ms,
        execution_sid=decision.execution_sid,
        error_message=SENT_AGAIN[decision.absence] if decision.absence else "found by reconcile",
        found_by=FoundBy.reconcile if created else None,
        absence=decision.absence,
    )
