"""Rows in doubt, settled by proof: the Executions list says who exists, the Context says whose it is.

1. List the flow's executions since the earliest open intent, less the clocks' difference.
2. Of those whose contact is in doubt, read the Context and compare our id. Equal: `created`.
3. Nothing found, and the list has had `settle_s` to show it: nothing was created; the row is `planned` again.
4. Something found that proves neither: the row stays `unknown`, with the evidence in its message.

Claims no more than the list shows: an execution that the list hides for longer than `settle_s` would be sent twice.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dispatcher.errors import ResourceNotFound
from dispatcher.events import EventBus, Reconciling
from dispatcher.ledger.protocol import Ledger
from dispatcher.model import AttemptEnd, CampaignRecord, FoundBy, Outcome, Run, UnknownRow
from dispatcher.settings import ReconcileSettings
from dispatcher.studio.client import Studio
from dispatcher.studio.resources import Execution

#: Studio keeps executions for 30 days from their start (studio/user-guide); a day of margin.
RETENTION_S = 29 * 24 * 3600.0


@dataclass(slots=True)
class Reconciled:
    """What a pass found. `waiting_until_s`: when the rows still in doubt can be decided, seconds since the epoch."""

    created: int = 0
    planned: int = 0
    #: Left unknown for good, with the evidence.
    doubtful: int = 0
    waiting: int = 0
    waiting_until_s: float | None = None
    notes: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about one row in doubt. Times are seconds since the epoch, on the server's clock."""

    #: An execution that carries the row's id.
    ours: Execution | None
    #: Executions of the contact, as young as the intent or younger, that could not be told from ours.
    unclear: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a row: an outcome, or (None) wait until then, or stay unknown with a note."""

    outcome: Outcome | None
    execution_sid: str | None = None
    wait_until_s: float | None = None
    note: str | None = None


def decide(
    row: UnknownRow, evidence: Evidence, *, now_s: float, listed_s: float, settle_s: float, has_id: bool
) -> Decision:
    """The rule, pure. `listed_s`: when the list was asked for, on our clock, like `now_s` and the row's times."""
    if evidence.ours is not None:
        return Decision(Outcome.created, evidence.ours.sid)
    if evidence.unclear:
        seen = ", ".join(evidence.unclear[:3])
        if has_id:
            return Decision(None, note=f"an execution of this contact that is not known to be ours exists: {seen}")
        return Decision(
            None,
            note=f"an execution of this contact exists ({seen}); without an id only address and time speak for it",
        )
    if now_s - row.begun_at_ms / 1000 > RETENTION_S:
        return Decision(None, note="too old: Studio keeps executions for 30 days, so the list proves nothing")
    if not has_id:
        return Decision(
            None, note="no execution of this contact is listed; without an id in Parameters that is no proof"
        )
    settled_s = row.ended_at_ms / 1000 + settle_s
    # A clock set back must not make the wait endless.
    settled_s = min(settled_s, now_s + settle_s)
    if listed_s < settled_s:
        return Decision(None, wait_until_s=settled_s)
    return Decision(Outcome.not_sent)


async def reconcile(
    campaign: CampaignRecord,
    *,
    ledger: Ledger,
    studio: Studio,
    run: Run | None,
    settings: ReconcileSettings,
    dispatch_id: Callable[[str], str],
    id_parameter: str,
    bus: EventBus,
) -> Reconciled:
    """One pass over the campaign's rows in doubt; returns what it settled and what must wait.

    Reads only what is in doubt: no list where no row is, one Context per candidate.
    Raises: StudioError, AuthenticationError where Studio cannot be asked (the rows stay unknown).
    """
    result = Reconciled()
    rows = await ledger.unknown_rows(campaign)
    if not rows:
        return result
    bus.emit(Reconciling(unknown=len(rows), settled=0, detail="reading the list of executions"))
    listed_s = time.time()
    evidence = await _gather(rows, campaign, studio, settings, dispatch_id, id_parameter, bus)
    now_ms = time.time_ns() // 1_000_000
    ends: list[AttemptEnd] = []
    for row in rows:
        decision = decide(
            row,
            evidence[row.row_id],
            now_s=now_ms / 1000,
            listed_s=listed_s,
            settle_s=settings.settle_s,
            has_id=bool(id_parameter),
        )
        if decision.outcome is not None:
            ends.append(_end(row, decision, now_ms))
            if decision.outcome is Outcome.created:
                result.created += 1
            else:
                result.planned += 1
        elif decision.wait_until_s is not None:
            result.waiting += 1
            result.waiting_until_s = max(result.waiting_until_s or 0.0, decision.wait_until_s)
        else:
            result.doubtful += 1
            result.notes.append((row.attempt_id, decision.note or ""))
    if ends:
        await ledger.settle_rows(run, ends, now_ms=now_ms)
    if result.notes:
        await ledger.note_unknown(result.notes)
    settled = result.created + result.planned
    detail = (
        f"{result.created} found, {result.planned} not created, {result.doubtful} doubtful, {result.waiting} waiting"
    )
    bus.emit(Reconciling(unknown=len(rows) - settled, settled=settled, detail=detail))
    return result


async def _gather(
    rows: list[UnknownRow],
    campaign: CampaignRecord,
    studio: Studio,
    settings: ReconcileSettings,
    dispatch_id: Callable[[str], str],
    id_parameter: str,
    bus: EventBus,
) -> dict[int, Evidence]:
    """List and read; row_id → evidence."""
    by_address: dict[str, list[UnknownRow]] = defaultdict(list)
    for row in rows:
        by_address[row.to_address].append(row)
    if studio.clock_skew_s is None:
        # Any answer tells the server's clock, and this one tells early whether the flow is there.
        await studio.flow(campaign.flow_sid)
    skew_s = (studio.clock_skew_s or 0.0) - settings.clock_skew_s
    from_s = min(row.begun_at_ms for row in rows) / 1000 + skew_s
    candidates: list[Execution] = []
    listed = 0
    async for execution in studio.executions(campaign.flow_sid, created_from=datetime.fromtimestamp(from_s, UTC)):
        listed += 1
        if execution.contact_channel_address in by_address:
            candidates.append(execution)
        if listed % 5000 == 0:
            bus.emit(Reconciling(unknown=len(rows), settled=0, detail=f"{listed} executions listed"))
    ours: dict[int, Execution] = {}
    unclear: dict[int, list[str]] = defaultdict(list)
    slots = asyncio.Semaphore(settings.concurrency)

    async def look(execution: Execution) -> None:
        async with slots:
            found = await _parameter(studio, campaign.flow_sid, execution, id_parameter) if id_parameter else None
        for row in by_address[execution.contact_channel_address or ""]:
            if isinstance(found, str) and found == dispatch_id(row.row_key):
                ours[row.row_id] = execution
            elif not (isinstance(found, str) and found.startswith("d-")) and _may_be(row, execution, skew_s):
                # It carries no id of this program, or its Context is gone: it may be another program's, or ours.
                unclear[row.row_id].append(execution.sid)

    await asyncio.gather(*(look(execution) for execution in candidates))
    return {row.row_id: Evidence(ours.get(row.row_id), tuple(unclear[row.row_id])) for row in rows}


async def _parameter(studio: Studio, flow_sid: str, execution: Execution, name: str) -> str | None:
    try:
        context = await studio.execution_context(flow_sid, execution.sid)
    except ResourceNotFound:
        return None
    return context.parameter(name)


def _may_be(row: UnknownRow, execution: Execution, skew_s: float) -> bool:
    """Whether the execution is young enough to be the row's."""
    created = execution.date_created
    return created is None or created.timestamp() >= row.begun_at_ms / 1000 + skew_s


def _end(row: UnknownRow, decision: Decision, now_ms: int) -> AttemptEnd:
    assert decision.outcome is not None
    created = decision.outcome is Outcome.created
    return AttemptEnd(
        row.row_id,
        row.attempt_id,
        row.input_id,
        decision.outcome,
        None,
        now_ms,
        execution_sid=decision.execution_sid,
        error_message="found by reconcile" if created else "not found by reconcile: sent again",
        found_by=FoundBy.reconcile if created else None,
    )
