"""The live view of a run: drawn again several times a second on a terminal, else a line now and then."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from dispatcher.cli.terminal import STATE_STYLES, err, is_live, say
from dispatcher.model import RowState

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from dispatcher.events import Event, EventBus, Listener, Progress

REDRAW_S = 0.2
LINE_EVERY_S = 10.0
#: The rate shown is that of the last seconds: steadier than one second's, and soon true.
RATE_OVER_S = 3.0
#: A reason whose time has been over for so long is not why nothing leaves.
STALE_S = 0.3
#: Nothing has left for so long, and nothing is in flight: the limiter holds it back.
IDLE_S = 0.6
FULL_SHARE = 0.95
_GAP = "   "
_PHASES = {
    "planning": "reading",
    "sending": "sending",
    "reconciling": "settling rows in doubt",
    "finished": "done",
}
#: Always shown; the others only where there are such rows.
_ALWAYS = (RowState.created, RowState.rejected, RowState.unknown, RowState.planned)


def clock_text(seconds: float) -> str:
    """`0:07`, `12:05`, `3:12:05`."""
    whole = max(0, int(seconds + 0.5))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def rate_text(rate_per_s: float) -> str:
    """`19.8/s`, `1,000/s`."""
    return f"{rate_per_s:,.0f}/s" if rate_per_s >= 100 else f"{rate_per_s:.3g}/s"


class Speed:
    """How fast a count grows, over the last few seconds."""

    def __init__(self, over_s: float = RATE_OVER_S) -> None:
        self._over_s = over_s
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, now_s: float, count: int) -> None:
        """Take a sample."""
        samples = self._samples
        if samples and count < samples[-1][1]:
            samples.clear()  # another run's count
        samples.append((now_s, count))
        while len(samples) > 2 and samples[1][0] <= now_s - self._over_s:
            samples.popleft()

    @property
    def per_s(self) -> float:
        """The count's growth a second; 0 before there are two samples."""
        if len(self._samples) < 2:
            return 0.0
        (first_s, first), (last_s, last) = self._samples[0], self._samples[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else 0.0


class Window:
    """What left in the window that ends now, as far as samples show it."""

    def __init__(self) -> None:
        self.latest_s = 0.0
        self._seen = 0
        self._left: deque[tuple[float, int]] = deque()
        self._window_s = 0.0

    def add(self, now_s: float, requests: int, window_s: float) -> None:
        """Take a sample: how many requests have left in all."""
        self._window_s = window_s
        if requests != self._seen:
            if requests > self._seen:
                self._left.append((now_s, requests - self._seen))
            self._seen, self.latest_s = requests, now_s
        while self._left and self._left[0][0] <= now_s - window_s:
            self._left.popleft()

    @property
    def count(self) -> int:
        """How many left in it."""
        return sum(n for _, n in self._left)

    @property
    def frees_at_s(self) -> float | None:
        """When the first of them will have left it; None: it is empty."""
        return self._left[0][0] + self._window_s if self._left else None


def eta_s(progress: Progress, per_s: float) -> float | None:
    """Seconds until the last row has left; None where nothing moves."""
    left = progress.to_send - progress.done
    rate = min(per_s or progress.rate_allowed_per_s, progress.rate_allowed_per_s or per_s)
    if progress.phase != "sending" or left <= 0 or rate <= 0:
        return None
    return left / rate


class RunView:
    """The picture, from the numbers as they are now. Rendered for whatever width there is."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.now_s = 0.0
        self.sent = Speed()
        self._window = Window()
        self.detail: str | None = None

    def sample(self, now_s: float) -> None:
        """Look at the numbers; `now_s` is on the loop's clock."""
        self.now_s = now_s
        progress = self.progress
        self.sent.add(now_s, progress.requests)
        self._window.add(now_s, progress.requests, progress.window_limit / (progress.rate_limit_per_s or 1.0))

    def waits(self) -> tuple[str, float | None] | None:
        """Why nothing leaves now, and until when; None: something does, or nothing is to be sent."""
        progress, now_s = self.progress, self.now_s
        until_s = progress.waiting_until_s
        if progress.waiting is not None and (until_s is None or until_s > now_s - STALE_S):
            return progress.waiting, until_s
        idle = progress.in_flight == 0 and now_s - self._window.latest_s > IDLE_S
        if progress.phase != "sending" or progress.done >= progress.to_send or not progress.requests or not idle:
            return None
        full = self._window.count >= FULL_SHARE * progress.window_limit
        reason = "the window is full" if full else "after 429s, less of the limit is taken for ours"
        return reason, self._window.frees_at_s

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, 100)
        progress = self.progress
        yield self._title(width)
        if progress.to_send:
            yield self._bar(width)
        yield Text()
        yield from self._states(width)
        if progress.phase == "finished":
            return
        if progress.to_send:
            yield from self._numbers(width)
        yield self._why(width)

    def _title(self, width: int) -> Table:
        progress = self.progress
        line = Table.grid(expand=False)
        line.width = width
        line.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        line.add_column(justify="right", no_wrap=True)
        name = Text.assemble(
            (progress.campaign, "bold"), "  ", (_PHASES.get(progress.phase, progress.phase), "bright_black")
        )
        elapsed = self.now_s - progress.started_at_s if progress.started_at_s else 0.0
        times = Text(clock_text(elapsed), style="bright_black")
        left_s = eta_s(progress, self.sent.per_s)
        if left_s is not None:
            times = Text.assemble((clock_text(left_s), "bold"), (" left · ", "bright_black"), times)
        line.add_row(name, times)
        return line

    def _bar(self, width: int) -> Table:
        progress = self.progress
        total, done = progress.to_send, min(progress.done, progress.to_send)
        # As wide as it will become, so that the bar keeps its length.
        text = f"{done:,} of {total:,}".rjust(len(f"{total:,} of {total:,}"))
        percent = f"{100 * done // total if total else 100:3d} %"
        line = Table.grid(padding=(0, 1))
        line.add_column()
        line.add_column(no_wrap=True, justify="right")
        line.add_column(no_wrap=True, justify="right")
        bar = ProgressBar(
            total=max(total, 1),
            completed=done if total else 1,
            width=max(10, width - len(text) - len(percent) - 2),
            complete_style="green",
            finished_style="green",
        )
        line.add_row(bar, Text(percent, style="bold"), Text(text))
        return line

    def _states(self, width: int) -> RenderResult:
        pieces = []
        for state, n in self.progress.rows.items():
            if (n and state is not RowState.sending) or state in _ALWAYS:
                style = f"bold {STATE_STYLES[state]}" if n else "bright_black"
                pieces.append(Text.assemble((f"{state.value} ", "bright_black"), (f"{n:,}", style)))
        yield from _lines(pieces, width)

    def _numbers(self, width: int) -> RenderResult:
        progress = self.progress
        lowered = 0 < progress.rate_allowed_per_s < 0.98 * progress.rate_limit_per_s
        rate = Text.assemble((rate_text(self.sent.per_s), "bold"), f" of {rate_text(progress.rate_limit_per_s)}")
        if lowered:
            rate.append(f", held at {rate_text(progress.rate_allowed_per_s)}", style="yellow")
        window = Text.assemble((f"{progress.window_now:,}", "bold"), f" of {progress.window_limit:,}")
        throttled = Text(f"{progress.throttled:,}", style="bold yellow" if progress.throttled else "")
        in_flight = Text(f"{progress.in_flight:,}")
        pairs = (("rate", rate), ("window", window), ("429s", throttled), ("in flight", in_flight))
        yield from _lines([Text.assemble((f"{label} ", "bright_black"), value) for label, value in pairs], width)

    def _why(self, width: int) -> Text:
        waits = self.waits()
        if waits is None:
            text = Text(self.detail or "" if self.progress.phase == "reconciling" else "", style="bright_black")
        else:
            reason, until_s = waits
            text = Text.assemble(("waits: ", "bold yellow"), (reason, "yellow"))
            if until_s is not None:
                left_s = max(0.0, until_s - self.now_s)
                count = f" · {left_s:.1f} s" if left_s < 10 else f" · {clock_text(left_s)}"
                text.truncate(max(10, width - len(count)), overflow="ellipsis")
                text.append(count, style="bold yellow")
                return text
        text.truncate(width, overflow="ellipsis")
        return text


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


def line_text(view: RunView) -> str:
    """The numbers in one line, for a log."""
    progress, now_s, per_s = view.progress, view.now_s, view.sent.per_s
    rows = ", ".join(
        f"{state.value} {n:,}" for state, n in progress.rows.items() if n and state is not RowState.sending
    )
    text = f"{progress.campaign}: {progress.done:,} of {progress.to_send:,} rows; {rows}; {rate_text(per_s)}"
    if progress.throttled:
        text += f", {progress.throttled:,} × 429"
    left_s = eta_s(progress, per_s)
    if left_s is not None:
        text += f", {clock_text(left_s)} left"
    waits = view.waits()
    if waits is not None:
        reason, until_s = waits
        text += f"; waits: {reason}" + (f" ({max(0.0, until_s - now_s):.0f} s)" if until_s else "")
    elif progress.phase != "sending":
        text += f"; {_PHASES.get(progress.phase, progress.phase)}"
    return text


@contextlib.asynccontextmanager
async def view(bus: EventBus) -> AsyncIterator[RunView]:
    """Show a run while the block lasts. Whatever goes wrong with showing never reaches the run."""
    shown = RunView(bus.progress)
    unsubscribe = bus.subscribe(_listener(shown))
    task = asyncio.create_task(_draw(shown) if is_live() else _write_lines(shown))
    try:
        yield shown
    finally:
        unsubscribe()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


def _listener(shown: RunView) -> Listener:
    from dispatcher.events import Reconciling, RunStarted

    def listen(event: Event) -> None:
        if isinstance(event, Reconciling):
            shown.detail = f"{event.unknown:,} rows in doubt: {event.detail}"
        elif isinstance(event, RunStarted):
            shown.detail = (
                f"{event.recovered:,} rows of an earlier run are in doubt: looked up first" if event.recovered else None
            )

    return listen


async def _draw(shown: RunView) -> None:
    from rich.live import Live

    loop = asyncio.get_running_loop()
    with Live(shown, console=err(), auto_refresh=False, redirect_stdout=False) as live:
        try:
            while True:
                shown.sample(loop.time())
                live.refresh()
                await asyncio.sleep(REDRAW_S)
        finally:
            shown.sample(loop.time())


async def _write_lines(shown: RunView) -> None:
    loop = asyncio.get_running_loop()
    next_s = loop.time() + LINE_EVERY_S
    while True:
        now_s = loop.time()
        shown.sample(now_s)
        if now_s >= next_s:
            next_s = now_s + LINE_EVERY_S
            say(line_text(shown))
        await asyncio.sleep(1.0)
