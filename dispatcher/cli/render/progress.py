"""How far something is while it lasts: a bar on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, NamedTuple

from dispatcher.cli.render.terminal import err, is_live, say, visible
from dispatcher.events import Planned
from dispatcher.plurals import counted

if TYPE_CHECKING:
    from dispatcher.events import Event, EventBus

REDRAW_S = 0.2
LINE_EVERY_S = 10.0
#: What is over sooner needs no bar.
BAR_AFTER_S = 0.3


class _Step(NamedTuple):
    done: int
    #: None: not known.
    total: int | None
    #: Beside the bar, and as a line.
    text: str
    line: str


@contextlib.asynccontextmanager
async def reading(bus: EventBus, source: str) -> AsyncIterator[None]:
    """While a file is read and checked; afterwards, how it was read."""
    notes: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Planned):
            notes.extend(event.notes)

    def look() -> _Step:
        now = bus.snapshot()
        total = now.plan_total_bytes
        share = f" ({100 * now.plan_done_bytes // total} %)" if total else ""
        rows = counted(now.plan_rows, "row")
        return _Step(now.plan_done_bytes, total, rows, f"reading {source}: {rows}{share}")

    unsubscribe = bus.subscribe(listen)
    try:
        async with _shown(f"reading {source}", look):
            yield
    finally:
        unsubscribe()
    for note in notes:
        say(note, "bright_black")


def tracking(bus: EventBus, what: str) -> AbstractAsyncContextManager[None]:
    """While executions are looked at or ended."""

    def look() -> _Step:
        now = bus.snapshot()
        detail = f"waits: {now.waiting.reason}" if now.waiting else now.detail or ""
        of = f"{now.tracked:,} of {now.to_track:,}" if now.to_track else ""
        line = f"{what}: {f'{of} executions; ' if of else ''}{detail}"
        return _Step(now.tracked, now.to_track or None, f"{of} {detail}".strip(), line)

    return _shown(what, look)


def working(look: Callable[[], tuple[str, int, int]]) -> AbstractAsyncContextManager[None]:
    """While something is at work that tells what it does, how much of it is done, and of how much (0: not known)."""

    def step() -> _Step:
        what, done, total = look()
        share = f"{100 * done // total} %" if total else ""
        return _Step(done, total or None, f"{what} {share}".strip(), f"{what}{f': {share}' if share else ''}")

    return _shown("", step)


def _shown(what: str, look: Callable[[], _Step]) -> AbstractAsyncContextManager[None]:
    return beside(lambda: _draw(what, look), lambda: look().line)


async def _draw(what: str, look: Callable[[], _Step]) -> None:
    from rich.progress import BarColumn, Progress, TextColumn

    name, text = TextColumn("{task.description}", markup=False), TextColumn("{task.fields[text]}", markup=False)
    await asyncio.sleep(BAR_AFTER_S)
    with Progress(name, BarColumn(), text, console=err(), auto_refresh=False, transient=True) as bar:
        task = bar.add_task(visible(what), total=None, text="")
        while True:
            now = look()
            bar.update(task, total=now.total, completed=now.done, text=visible(now.text), refresh=True)
            await asyncio.sleep(REDRAW_S)


@contextlib.asynccontextmanager
async def beside(draw: Callable[[], Coroutine[Any, Any, None]], line: Callable[[], str]) -> AsyncIterator[None]:
    """While the block lasts: `draw` on a terminal, else this line now and then.

    Whatever goes wrong with showing never reaches the block.
    """

    async def write_lines() -> None:
        while True:
            await asyncio.sleep(LINE_EVERY_S)
            say(line())

    task = asyncio.create_task(draw() if is_live() else write_lines())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
