"""Reading a file with its progress shown."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from dispatcher.cli.terminal import err, is_live, say

if TYPE_CHECKING:
    from dispatcher.campaign import Campaign
    from dispatcher.events import Event, EventBus, PlanProgress
    from dispatcher.ledger.records import PlanCounts

LINE_EVERY_S = 10.0
EXAMPLES = 3
#: Looking for the bad rows of a larger file would be waited for.
EXAMPLES_ROWS_MAX = 200_000


def event_bus() -> EventBus:
    """A bus that tells, before anything is shown, why the program waits."""
    from dispatcher.events import EventBus, Waiting

    bus = EventBus()

    def listen(event: Event) -> None:
        if isinstance(event, Waiting) and event.for_s is None:
            say(f"waits: {event.reason}", "yellow")

    bus.subscribe(listen)
    return bus


async def plan(campaign: Campaign, source: str) -> PlanCounts:
    """Plan a file, with a bar on a terminal, and a line now and then elsewhere. Raises what `Campaign.plan` does."""
    from dispatcher.events import Planned, PlanProgress

    read: list[PlanProgress] = []
    notes: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, PlanProgress):
            read[:] = [event]
        elif isinstance(event, Planned):
            notes.extend(event.notes)

    unsubscribe = campaign.bus.subscribe(listen)
    show = asyncio.create_task(_draw(source, read) if is_live() else _write_lines(source, read))
    try:
        counts = await campaign.plan(source)
    finally:
        unsubscribe()
        show.cancel()
        await asyncio.gather(show, return_exceptions=True)
    for note in notes:
        say(note, "bright_black")
    return counts


async def examples(campaign: Campaign, counts: PlanCounts) -> dict[str, list[int]]:
    """For each reason why rows are left out, the numbers of the first of them; nothing of large files."""
    from dispatcher.model import RowState
    from dispatcher.reporting.selection import Selection

    found: dict[str, list[int]] = {reason: [] for reason in counts.reasons}
    if not found or counts.total > EXAMPLES_ROWS_MAX:
        return {}
    async for batch in campaign.rows(only=Selection(frozenset({RowState.invalid, RowState.skipped}))):
        for row in batch:
            numbers = found.get(row.reason_code or "")
            if numbers is not None and len(numbers) < EXAMPLES:
                numbers.append(row.row_number)
        if all(len(numbers) >= min(EXAMPLES, counts.reasons[reason]) for reason, numbers in found.items()):
            break
    return found


async def _draw(source: str, read: list[PlanProgress]) -> None:
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("reading {task.description}"), BarColumn(), TextColumn("{task.fields[rows]:,} rows"))
    await asyncio.sleep(0.3)  # a small file needs no bar
    with Progress(*columns, console=err(), auto_refresh=False, transient=True) as bar:
        task = bar.add_task(source, total=None, rows=0)
        while True:
            if read:
                now = read[0]
                bar.update(task, total=now.total_bytes, completed=now.done_bytes, rows=now.rows, refresh=True)
            await asyncio.sleep(0.2)


async def _write_lines(source: str, read: list[PlanProgress]) -> None:
    next_s = time.monotonic() + LINE_EVERY_S
    while True:
        await asyncio.sleep(0.5)
        if read and time.monotonic() >= next_s:
            next_s = time.monotonic() + LINE_EVERY_S
            now = read[0]
            share = f" ({100 * now.done_bytes // now.total_bytes} %)" if now.total_bytes else ""
            say(f"reading {source}: {now.rows:,} rows{share}")
