"""The live view of a run: drawn again several times a second on a terminal, else a line now and then."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from dispatcher.cli.render.campaign import waiting_lines
from dispatcher.cli.render.numbers import clock_text, rate_text
from dispatcher.cli.render.progress import REDRAW_S, beside
from dispatcher.cli.render.terminal import STATE_STYLES, err, say, visible
from dispatcher.clock import now_ms
from dispatcher.events import Phase
from dispatcher.model import RowState
from dispatcher.plurals import counted

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from dispatcher.campaign.timing import Waiting
    from dispatcher.events import EventBus, Snapshot

#: A rate this much below the account's limit was lowered, not rounded.
LOWERED_SHARE = 0.98
_GAP = "   "
_PHASES = {
    Phase.planning: "reading",
    Phase.sending: "sending",
    Phase.watching: "its workers send it",
    Phase.reconciling: "looking up unknown rows",
    Phase.looking_back: "looking for people reached elsewhere",
    Phase.tracking: "tracking",
    Phase.recalling: "ending executions",
    Phase.finished: "done",
    Phase.waiting: "the rest waits for its time",
}
_ENDS = (Phase.finished, Phase.waiting)
_LOOKING = (Phase.reconciling, Phase.looking_back)
#: Always shown; the others only where there are such rows.
_ALWAYS = (RowState.created, RowState.rejected, RowState.unknown, RowState.planned)


class RunView:
    """The picture of one snapshot. Rendered for whatever width there is; whoever has a newer one puts it there."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, 100)
        now = self.snapshot
        yield _title(now, width)
        if now.to_send:
            yield _bar(now, width)
        yield Text()
        yield from _states(now, width)
        if now.phase in _ENDS:
            return
        if now.to_send:
            yield from _numbers(now, width)
        yield _why(now, width)


def _title(now: Snapshot, width: int) -> Table:
    line = Table.grid(expand=False)
    line.width = width
    line.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    line.add_column(justify="right", no_wrap=True)
    name = Text.assemble((now.campaign, "bold"), "  ", (_phase_text(now), "bright_black"))
    times = Text(clock_text(now.elapsed_s or 0.0), style="bright_black")
    if now.eta_s is not None:
        times = Text.assemble((clock_text(now.eta_s), "bold"), (" left · ", "bright_black"), times)
    line.add_row(name, times)
    return line


def _phase_text(now: Snapshot) -> str:
    if now.phase is Phase.watching and now.sent_by is not None:
        return f"sent by {visible(now.sent_by)}"
    return "stopped" if now.phase is Phase.finished and now.stop_reason is not None else _PHASES[now.phase]


def _bar(now: Snapshot, width: int) -> Table:
    total, done = now.to_send, min(now.done, now.to_send)
    # As wide as it will become, so that the bar keeps its length.
    text = f"{done:,} of {total:,}".rjust(len(f"{total:,} of {total:,}"))
    percent = f"{100 * done // total:3d} %"
    line = Table.grid(padding=(0, 1))
    line.add_column()
    line.add_column(no_wrap=True, justify="right")
    line.add_column(no_wrap=True, justify="right")
    bar = ProgressBar(
        total=total,
        completed=done,
        width=max(10, width - len(text) - len(percent) - 2),
        complete_style="green",
        finished_style="green",
    )
    line.add_row(bar, Text(percent, style="bold"), Text(text))
    return line


def _states(now: Snapshot, width: int) -> RenderResult:
    pieces = []
    for state, n in now.rows.items():
        if (n and state is not RowState.sending) or state in _ALWAYS:
            style = f"bold {STATE_STYLES[state]}" if n else "bright_black"
            pieces.append(Text.assemble((f"{state.value} ", "bright_black"), (f"{n:,}", style)))
    yield from _lines(pieces, width)


def _numbers(now: Snapshot, width: int) -> RenderResult:
    rate = Text.assemble((rate_text(now.rate_per_s), "bold"), f" of {rate_text(now.rate_limit_per_s)}")
    if 0 < now.rate_allowed_per_s < LOWERED_SHARE * now.rate_limit_per_s:
        rate.append(f", held at {rate_text(now.rate_allowed_per_s)}", style="yellow")
    window = Text.assemble((f"{now.window_now:,}", "bold"), f" of {now.window_limit:,}")
    throttled = Text(f"{now.throttled:,}", style="bold yellow" if now.throttled else "")
    in_flight = Text(f"{now.in_flight:,}")
    numbers = (("rate", rate), ("window", window), ("429s", throttled), ("in flight", in_flight))
    yield from _lines([Text.assemble((f"{label} ", "bright_black"), value) for label, value in numbers], width)


def _why(now: Snapshot, width: int) -> Text:
    """Why nothing leaves any more, or now, with a countdown that is always whole; else how far looking up is."""
    wait = now.waiting
    if now.stop_reason is not None:
        text = Text.assemble(("stops: ", "bold yellow"), (now.stop_reason, "yellow"))
        text.truncate(width, overflow="ellipsis")
        return text
    if wait is None:
        text = Text((now.detail or "") if now.phase in _LOOKING else "", style="bright_black")
        text.truncate(width, overflow="ellipsis")
        return text
    text = Text.assemble(("waits: ", "bold yellow"), (wait.reason, "yellow"))
    remaining_s = wait.remaining_s
    count = ""
    if remaining_s is not None:
        count = f" · {remaining_s:.1f} s" if remaining_s < 10 else f" · {clock_text(remaining_s)}"
    text.truncate(max(10, width - len(count)), overflow="ellipsis")
    return text.append(count, style="bold yellow")


def _lines(pieces: list[Text], width: int) -> RenderResult:
    """The pieces side by side, on as many lines as they need; none is broken."""
    line = Text()
    for piece in pieces:
        if line and line.cell_len + len(_GAP) + piece.cell_len > width:
            yield line
            line = Text()
        if line:
            line.append(_GAP)
        line.append_text(piece)
    yield line


def line_text(now: Snapshot) -> str:
    """The numbers in one line, for a log."""
    rows = ", ".join(f"{state.value} {n:,}" for state, n in now.rows.items() if n and state is not RowState.sending)
    done = f"{min(now.done, now.to_send):,} of {counted(now.to_send, 'row')}"
    text = f"{now.campaign}: {done}; {rows}; {rate_text(now.rate_per_s)}"
    if now.throttled:
        text += f", {now.throttled:,} × 429"
    if now.eta_s is not None:
        text += f", {clock_text(now.eta_s)} left"
    if now.stop_reason is not None:
        text += f"; stops: {now.stop_reason}"
    elif now.waiting is not None:
        remaining_s = now.waiting.remaining_s
        text += f"; waits: {now.waiting.reason}" + ("" if remaining_s is None else f" ({remaining_s:.0f} s)")
    elif now.phase is not Phase.sending:
        text += f"; {_phase_text(now)}"
    return text


def view(bus: EventBus) -> AbstractAsyncContextManager[None]:
    """Show a run while the block lasts."""
    return beside(lambda: _draw(bus), lambda: line_text(bus.snapshot()))


async def _draw(bus: EventBus) -> None:
    from rich.live import Live

    shown = RunView(bus.snapshot())
    with Live(shown, console=err(), auto_refresh=False, redirect_stdout=False) as live:
        try:
            while True:
                shown.snapshot = bus.snapshot()
                live.refresh()
                await asyncio.sleep(REDRAW_S)
        finally:
            # Drawn once more when the block ends.
            shown.snapshot = bus.snapshot()


async def countdown(waiting: Sequence[Waiting], *, clock_ahead_ms: int, is_told: bool = False) -> None:
    """Wait until the first of these rows may go, and show for how long; the clock is looked at again and again.

    `clock_ahead_ms`: the clock that their times go by less this machine's. `is_told`: the rows were shown just now.
    """
    until_ms = waiting[0].until_ms - clock_ahead_ms
    for line in () if is_told else waiting_lines(waiting):
        say(f"waiting: {line}", "yellow")
    with err().status("") if err().is_terminal else contextlib.nullcontext() as shown:
        # No event tells that it is time: the machine may sleep meanwhile, so the clock is looked at.
        while (left_ms := until_ms - now_ms()) > 0:
            if shown is not None:
                shown.update(f"goes on in {clock_text(left_ms / 1000)}; Ctrl-C stops, and resume goes on")
            await asyncio.sleep(min(1.0, left_ms / 1000))
