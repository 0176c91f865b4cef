"""Unknown rows, resolved by proof: the Executions list says who exists, the Context says whose it is.

1. List the flow's executions since the earliest open intent, less the clocks' difference.
2. Of those whose contact has an unknown row, read the Context and compare our id. Equal: `created`.
3. Nothing found, and the list has had `settle_s` to show it: nothing was created; the row is `planned` again.
4. Something found that proves neither: the row stays `unknown`, with the evidence in its message.

Claims no more than the list shows: an execution that the list hides for longer than `settle_s` would be sent twice.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from dispatcher.clock import now_ms, now_s
from dispatcher.errors import ResourceNotFound, StudioUnavailable
from dispatcher.events import EventBus, Reconciling
from dispatcher.ledger.protocol import Ledger
from dispatcher.ledger.records import AttemptEnd, CampaignRecord, Run, UnknownRow
from dispatcher.model import FoundBy, Outcome
from dispatcher.settings import ReconcileSettings
from dispatcher.studio.client import Studio
from dispatcher.studio.resources import Execution

#: Studio keeps executions for 30 days from their start (studio/user-guide); a day of margin.
RETENTION_S = 29 * 24 * 3600.0
#: So much further back the list is read for a program that is gone and never measured how wrong its clock was.
UNKNOWN_CLOCK_S = 24 * 3600.0
#: A skew is measured by the Date header, to half a second (`Studio.clock_skew_s`): two of one clock differ by less.
SAME_CLOCK_MS = 1000
#: Our ids begin with it (`model.dispatch_id`).
ID_PREFIX = "d-"


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


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about one unknown row. Times are seconds since the epoch, on the server's clock."""

    #: An execution that carries the row's id.
    ours: Execution | None
    #: Executions of the contact, as young as the intent or younger, that could not be told from ours.
    ambiguous: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a row: an outcome, or (None) wait until then, or stay unknown with a note."""

    outcome: Outcome | None
    execution_sid: str | None = None
    wait_until_s: float | None = None
    note: str | None = None


def decide(
    row: UnknownRow,
    evidence: Evidence,
    *,
    listed_s: float,
    seen_s: float,
    settle_s: float,
    has_id: bool,
) -> Decision:
    """The rule, pure.

    `listed_s`: when the list was asked for; `seen_s`: when this program first saw the row unknown. Both on our clock,
    like the row's times (`on_our_clock`).
    """
    if evidence.ours is not None:
        return Decision(Outcome.created, evidence.ours.sid)
    if evidence.ambiguous:
        seen = ", ".join(evidence.ambiguous[:3])
        if has_id:
            return Decision(None, note=f"an execution of this contact that is not known to be ours exists: {seen}")
        return Decision(
            None,
            note=f"an execution of this contact exists ({seen}); without an id only address and time speak for it",
        )
    if listed_s - row.begun_at_ms / 1000 > RETENTION_S:
        return Decision(None, note="too old: Studio keeps executions for 30 days, so the list proves nothing")
    if not has_id:
        return Decision(
            None, note="no execution of this contact is listed; without an id in Parameters that is no proof"
        )
    # An end after the row was seen unknown was written by another clock: it may be hours away.
    current_s = min(row.ended_at_ms / 1000, seen_s) + settle_s
    if listed_s < current_s:
        return Decision(None, wait_until_s=current_s)
    return Decision(Outcome.not_sent)


def on_our_clock(row: UnknownRow, *, run_id: int | None, skew_ms: int, now_ms: int) -> UnknownRow:
    """A row of another run with its times as our clock would have shown them; that run's clock may have been wrong.

    `skew_ms`: Studio's clock less ours. Where that run never measured its own it is taken to have been right, but for
    an intent in the future: that one may be as old as anything that Studio still keeps.
    """
    if row.run_id == run_id:
        return replace(row, clock_skew_ms=skew_ms)
    if row.clock_skew_ms is None:
        oldest_ms = now_ms - int((RETENTION_S - UNKNOWN_CLOCK_S) * 1000)
        return row if row.begun_at_ms <= now_ms + 1000 else replace(row, begun_at_ms=oldest_ms)
    moved_ms = row.clock_skew_ms - skew_ms
    if abs(moved_ms) <= SAME_CLOCK_MS:
        return row
    # The end of a row whose program died was written by whoever found that out: it is never made earlier.
    return replace(row, begun_at_ms=row.begun_at_ms + moved_ms, ended_at_ms=row.ended_at_ms + max(0, moved_ms))


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
) -> Reconciled:
    """One pass over the campaign's unknown rows; returns what it resolved and what must wait.

    Reads only what it takes: no list where no row is unknown, one Context per candidate. `seen_s`: attempt_id → when it
    was first seen unknown; kept by the caller from pass to pass.
    Raises: StudioError, AuthenticationError where Studio cannot be asked (the rows stay unknown).
    """
    result = Reconciled()
    rows = await ledger.unknown_rows(campaign)
    if not rows:
        return result
    bus.emit(Reconciling(unknown=len(rows), resolved=0, detail="reading the list of executions"))
    if studio.clock_skew_s is None:
        # Any answer tells the server's clock, and this one tells early whether the flow is there.
        await studio.flow(campaign.flow_sid)
    skew_s = studio.clock_skew_s or 0.0
    rows = [on_our_clock(row, run_id=run.run_id, skew_ms=round(skew_s * 1000), now_ms=now_ms()) for row in rows]
    listed_s = now_s()
    for row in rows:
        seen_s.setdefault(row.attempt_id, listed_s)
    evidence = await _gather(rows, campaign, studio, settings, dispatch_id, id_parameter, bus, skew_s)
    resolved_ms = now_ms()
    ends: list[AttemptEnd] = []
    for row in rows:
        decision = decide(
            row,
            evidence[row.row_id],
            listed_s=listed_s,
            seen_s=seen_s[row.attempt_id],
            settle_s=settings.settle_s,
            has_id=bool(id_parameter),
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


async def _gather(
    rows: list[UnknownRow],
    campaign: CampaignRecord,
    studio: Studio,
    settings: ReconcileSettings,
    dispatch_id: Callable[[str], str],
    id_parameter: str,
    bus: EventBus,
    skew_s: float,
) -> dict[int, Evidence]:
    """List and read; row_id → evidence. `skew_s`: Studio's clock less ours, which is the rows'."""
    by_address: dict[str, list[UnknownRow]] = defaultdict(list)
    for row in rows:
        by_address[row.to_address].append(row)
    # On the server's clock.
    earliest_s = {row.row_id: row.begun_at_ms / 1000 + skew_s - settings.clock_skew_s for row in rows}
    from_s = min(earliest_s[row.row_id] - (UNKNOWN_CLOCK_S if row.clock_skew_ms is None else 0) for row in rows)
    created_from = datetime.fromtimestamp(from_s, UTC) if from_s > 0 else None
    candidates: list[Execution] = []
    listed = 0
    async for execution in studio.executions(campaign.flow_sid, created_from=created_from):
        listed += 1
        if execution.contact_channel_address in by_address:
            candidates.append(execution)
        if listed % 5000 == 0:
            bus.emit(Reconciling(unknown=len(rows), resolved=0, detail=f"{listed} executions listed"))
    ours: dict[int, Execution] = {}
    ambiguous: dict[int, list[str]] = defaultdict(list)
    slots = asyncio.Semaphore(settings.concurrency)

    async def look(execution: Execution) -> None:
        found = None
        if id_parameter:
            async with slots:
                # One that cannot be read now leaves its rows unknown, and does not keep the others so.
                with contextlib.suppress(StudioUnavailable):
                    found = await _parameter(studio, campaign.flow_sid, execution, id_parameter)
        created = execution.date_created
        for row in by_address[execution.contact_channel_address or ""]:
            if found is not None and found == dispatch_id(row.row_key):
                ours[row.row_id] = execution
            elif found is not None and found.startswith(ID_PREFIX):
                continue  # another row's
            elif created is None or created.timestamp() >= earliest_s[row.row_id]:
                # It carries no id of this program, or its Context is gone: it may be another program's, or ours.
                ambiguous[row.row_id].append(execution.sid)

    await asyncio.gather(*(look(execution) for execution in candidates))
    return {row.row_id: Evidence(ours.get(row.row_id), tuple(ambiguous[row.row_id])) for row in rows}


async def _parameter(studio: Studio, flow_sid: str, execution: Execution, name: str) -> str | None:
    try:
        context = await studio.execution_context(flow_sid, execution.sid)
    except ResourceNotFound:
        return None
    return context.parameter(name)


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
        error_message="found by reconcile" if created else "not found by reconcile: sent again",
        found_by=FoundBy.reconcile if created else None,
    )
