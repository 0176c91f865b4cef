"""A file becomes rows of the campaign: read whole, checked, and put into the ledger. Nothing is sent."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dispatcher.campaign import timing
from dispatcher.campaign.context import CampaignContext
from dispatcher.campaign.stop import StopRequest
from dispatcher.campaign.suppression import use_lists
from dispatcher.errors import UsageError
from dispatcher.events import EventBus, Phase, PhaseChanged, Planned, PlanProgress
from dispatcher.intake import OpenedInput, Told, open_input
from dispatcher.ledger import Ledger
from dispatcher.ledger.records import EarlierRows, InputRecord, PlanCounts, RowBatch

if TYPE_CHECKING:
    from dispatcher.intake.mappings import Contacts

PROGRESS_EVERY_S = 0.1


#: A file that lacks a larger share of the rows that wait is rather another list than the same one later.
REMOVE_SHARE_MAX = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """How a file comes into its campaign."""

    #: Also rows whose contacts were reached a short time ago.
    again: bool = False
    #: The file is a part: rows that it lacks stay. (A report, and standard input, always are.)
    add: bool = False
    #: Refuse a file that lacks a large share of the rows that wait.
    guard: bool = False
    #: Whose report the file is, where its rows do not say so; empty: the campaign's own, if it is one.
    origin: str = ""
    #: Rows of a program, or standard input, are all that there are: those that they lack are taken out, as a file's.
    whole: bool = False

    def __post_init__(self) -> None:
        """Raises: UsageError: a part of the whole is asked for, and the whole."""
        if self.add and self.whole:
            raise UsageError("contacts are a part, or the whole: not both", found="add and whole", fix="leave one out")


async def plan(
    context: CampaignContext, contacts: Contacts, stop: StopRequest, options: PlanOptions, *, name: str | None = None
) -> PlanCounts:
    """See `Campaign.plan`."""
    ledger, bus, settings = context.ledger, context.bus, context.settings
    bus.emit(PhaseChanged(phase=Phase.planning))
    timing.check(settings)
    lists = await use_lists(context)
    told = Told(campaign=context.name, origin=options.origin, elsewhere=await _elsewhere(context))
    with await asyncio.to_thread(open_input, contacts, settings, told=told, name=name) as opened:
        is_part = opened.is_part and not options.whole
        input_record = await ledger.begin_input(await context.current(), opened.new_input)
        await _load(opened, input_record, ledger, bus, stop)
        counts = await ledger.finish_input(
            input_record.input_id,
            opened.sha256,
            repeat_after_ms=settings.repeat_after_ms,
            skip_repeats=not options.again,
            earlier=EarlierRows.kept if options.add else EarlierRows.left if is_part else EarlierRows.removed,
            remove_share_max=REMOVE_SHARE_MAX if options.guard else None,
            list_ids=[used.record.list_id for used in lists],
        )
        notes = (*opened.notes, *[used.note for used in lists])
    bus.emit(Planned(total=counts.total, rows=counts.rows, notes=notes))
    return counts


async def _elsewhere(context: CampaignContext) -> frozenset[str]:
    """The campaigns that are on another flow."""
    flow_sid = context.record.flow_sid
    return frozenset(record.name for record in await context.ledger.campaigns() if record.flow_sid != flow_sid)


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
