"""A file becomes rows of the campaign: read whole, checked, and put into the ledger. Nothing is sent."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from dispatcher.campaign.context import CampaignContext
from dispatcher.campaign.stop import StopRequest
from dispatcher.events import EventBus, Phase, PhaseChanged, Planned, PlanProgress
from dispatcher.intake import OpenedInput, open_input
from dispatcher.ledger import Ledger
from dispatcher.ledger.records import InputRecord, PlanCounts, RowBatch

PROGRESS_EVERY_S = 0.1


async def plan(context: CampaignContext, source: str | Path, stop: StopRequest) -> PlanCounts:
    """See `Campaign.plan`."""
    ledger, bus = context.ledger, context.bus
    bus.emit(PhaseChanged(phase=Phase.planning))
    with await asyncio.to_thread(open_input, source, context.settings) as opened:
        input_record = await ledger.begin_input(context.record, opened.new_input)
        await _load(opened, input_record, ledger, bus, stop)
        counts = await ledger.finish_input(input_record.input_id, opened.sha256)
        notes = opened.notes
    bus.emit(Planned(total=counts.total, rows=counts.rows, notes=notes))
    return counts


async def _load(
    opened: OpenedInput, input_record: InputRecord, ledger: Ledger, bus: EventBus, stop: StopRequest
) -> None:
    batches = opened.batches()
    rows, last_emit_s = 0, 0.0
    following = asyncio.create_task(asyncio.to_thread(_next_batch, batches))
    try:
        while (batch := await following) is not None:
            # The next batch is read while this one is stored.
            following = asyncio.create_task(asyncio.to_thread(_next_batch, batches))
            await ledger.load_rows(input_record.input_id, batch)
            rows += len(batch.row_numbers)
            stop.raise_if_requested()
            if time.monotonic() - last_emit_s > PROGRESS_EVERY_S:
                last_emit_s = time.monotonic()
                bus.emit(PlanProgress(rows=rows, done_bytes=opened.done_bytes, total_bytes=opened.total_bytes))
    finally:
        # The file may be closed only when no thread reads it any more.
        with contextlib.suppress(Exception):
            await following


def _next_batch(batches: Iterator[RowBatch]) -> RowBatch | None:
    return next(batches, None)
