"""How the numbers of tracking are shown: by `track`, `recall` and `summary`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from dispatcher.cli.terminal import TABLE_BOX, err, is_live, say
from dispatcher.model import ExecutionStatus

if TYPE_CHECKING:
    from rich.console import Console

    from dispatcher.events import Event, EventBus, Tracking
    from dispatcher.ledger.records import ExecutionCounts

LINE_EVERY_S = 10.0
BAR_WIDTH = 30
_STYLES = {ExecutionStatus.active: "cyan", ExecutionStatus.ended: "green", ExecutionStatus.gone: "bright_black"}


def counts_object(counts: ExecutionCounts) -> dict[str, Any]:
    """The counts as JSON; `docs/tracking.md` describes it."""
    return {
        "created": counts.created,
        "not_looked_at": counts.unseen,
        **{status.value: counts.by_status[status] for status in ExecutionStatus},
        "recalled": counts.recalled,
        "details_read": counts.read,
        "last_steps": counts.last_steps,
        "errors": {str(code): n for code, n in counts.errors.items()},
    }


def status_text(counts: ExecutionCounts) -> Text:
    """`active 12 · ended 88`: those that there are."""
    shown = [(status.value, counts.by_status[status], _STYLES[status]) for status in ExecutionStatus]
    shown.append(("not looked at", counts.unseen, "yellow"))
    text = Text()
    for name, n, style in shown:
        if n:
            text.append(" · " if text else "", style="bright_black")
            text.append(f"{name} ").append(f"{n:,}", style=f"bold {style}")
    return text or Text("none")


def print_counts(console: Console, counts: ExecutionCounts) -> None:
    """Status, last steps with bars, and errors with what they mean."""
    from dispatcher.cli.summary import pairs

    lines: list[tuple[str, Text | str]] = [("executions", f"{counts.created:,}"), ("status", status_text(counts))]
    if counts.recalled:
        lines.append(("recalled", f"{counts.recalled:,} of them ended by `recall`"))
    console.print(pairs(lines))
    if counts.last_steps:
        console.print(_steps(counts.last_steps, counts.read))
    if counts.errors:
        console.print(_errors(counts.errors))


def _steps(last_steps: dict[str, int], total: int) -> Table:
    table = Table(box=TABLE_BOX, pad_edge=False, header_style="bright_black")
    table.add_column("last step", overflow="fold")
    table.add_column("executions", justify="right")
    table.add_column("%", justify="right")
    table.add_column("", no_wrap=True)
    for step, n in last_steps.items():
        share = n / total if total else 0.0
        name = Text(step) if step else Text("not told", style="bright_black")
        table.add_row(name, f"{n:,}", f"{100 * share:.0f}", Text("━" * round(BAR_WIDTH * share), style="green"))
    return table


def _errors(errors: dict[int, int]) -> Table:
    from dispatcher.studio.advice import CODES

    table = Table(box=TABLE_BOX, pad_edge=False, header_style="bright_black")
    table.add_column("error", justify="right")
    table.add_column("executions", justify="right")
    table.add_column("meaning", overflow="fold")
    table.add_column("what to do", overflow="fold", style="bright_black")
    for code, n in errors.items():
        known = CODES.get(code)
        table.add_row(str(code), f"{n:,}", known.meaning if known else "", known.advice if known else "")
    return table


@contextlib.asynccontextmanager
async def view(bus: EventBus, what: str) -> AsyncIterator[None]:
    """Show how far tracking is while the block lasts: a bar on a terminal, a line every ten seconds elsewhere."""
    from dispatcher.events import Tracking

    latest: list[Tracking] = []

    def listen(event: Event) -> None:
        if isinstance(event, Tracking):
            latest[:] = [event]

    unsubscribe = bus.subscribe(listen)
    show = asyncio.create_task(_draw(bus, what, latest) if is_live() else _write_lines(bus, what, latest))
    try:
        yield
    finally:
        unsubscribe()
        show.cancel()
        await asyncio.gather(show, return_exceptions=True)


def _detail(bus: EventBus, event: Tracking | None) -> str:
    return f"waits: {bus.progress.waiting}" if bus.progress.waiting else event.detail if event else ""


async def _draw(bus: EventBus, what: str, latest: list[Tracking]) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[detail]}", markup=False))
    await asyncio.sleep(0.3)  # a small campaign needs no bar
    with Progress(*columns, console=err(), auto_refresh=False, transient=True) as bar:
        task = bar.add_task(what, total=None, detail="")
        while True:
            now = latest[0] if latest else None
            if now:
                bar.update(task, total=now.total, completed=now.done)
            bar.update(task, detail=_detail(bus, now), refresh=True)
            await asyncio.sleep(0.2)


async def _write_lines(bus: EventBus, what: str, latest: list[Tracking]) -> None:
    while True:
        await asyncio.sleep(LINE_EVERY_S)
        now = latest[0] if latest else None
        done = f"{now.done:,} of {now.total:,} executions; " if now else ""
        say(f"{what}: {done}{_detail(bus, now)}")
