"""Ctrl-C and SIGTERM: the first stops in good order, the second leaves at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from dispatcher.cli.render import answers
from dispatcher.cli.render.failures import error_answer
from dispatcher.cli.render.terminal import err, say
from dispatcher.errors import ExitCode, Interrupted
from dispatcher.events import Phase

if TYPE_CHECKING:
    from dispatcher.events import EventBus

T = TypeVar("T")

#: How often it is seen whether the program can end by itself, after a second signal; and whether a signal has come,
#: while a question waits for its answer.
LOOK_S = 0.25


class Stoppable(Protocol):
    """What signals stop: an open campaign."""

    @property
    def is_blocked(self) -> bool:
        """Whether another program keeps its ledger from being written: it cannot end by itself."""

    def stop(self, *, hard: bool = False) -> bool:
        """Stop what runs now. False: nothing did."""


class Interrupts:
    """What signals do while an asyncio program runs.

    The first stops what the open campaign does, in good order; where nothing of it runs, the program's task, unless
    only the report is left to be written. The second gives up what is in flight, if it is sending and its ledger can be
    written; otherwise it leaves at once, as the third does.
    """

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.count = 0
        self._task = task
        self._campaign: Stoppable | None = None
        self._bus: EventBus | None = None

    @contextlib.contextmanager
    def watching(self, campaign: Stoppable, bus: EventBus) -> Iterator[None]:
        """Inside this block a signal stops this campaign; its bus tells what it is at."""
        self._campaign, self._bus = campaign, bus
        try:
            yield
        finally:
            self._campaign = self._bus = None

    def handle(self) -> None:
        """One signal."""
        self.count += 1
        phase = self._bus.snapshot().phase if self._bus is not None else None
        if self.count == 1:
            self._stop(phase)
        elif self.count == 2 and phase is Phase.sending and self._campaign is not None:
            say("leaving: the answers still awaited stay unknown until the next run has looked them up", "yellow")
            self._campaign.stop(hard=True)
            self._leave_if_blocked()
        else:
            _leave()

    def _leave_if_blocked(self) -> None:
        """Leave as soon as another program keeps the ledger locked: what is still to be written would have to wait."""
        if self._campaign is None:
            return
        if self._campaign.is_blocked:
            say("another program keeps the ledger locked: left without a report", "yellow")
            _leave()
        asyncio.get_running_loop().call_later(LOOK_S, self._leave_if_blocked)

    def _stop(self, phase: Phase | None) -> None:
        if self._campaign is not None and self._campaign.stop():
            if phase is Phase.watching:
                say("no longer looking on: the workers go on. Ctrl-C again leaves without a report", "yellow")
                return
            what = ": what is in flight is finished" if phase is Phase.sending else ""
            say(f"stopping{what}. Ctrl-C again leaves at once", "yellow")
        elif phase is Phase.finished:
            say("all is sent that will be: the report is being written. Ctrl-C again leaves at once", "yellow")
        else:
            self._task.cancel()


def run_async(main: Callable[[Interrupts], Coroutine[Any, Any, T]]) -> T:
    """Run a command's coroutine with the signals handled.

    Raises: Interrupted where a signal came before there was a campaign to stop; what `main` raises.
    """

    async def body() -> T:
        task = asyncio.current_task()
        assert task is not None
        interrupts = Interrupts(task)
        with _handled(interrupts.handle):
            try:
                return await main(interrupts)
            except asyncio.CancelledError:
                if interrupts.count:
                    raise Interrupted from None
                raise

    return asyncio.run(body())


@contextlib.contextmanager
def noted() -> Iterator[asyncio.Event]:
    """An event that is set at the first signal inside this block."""
    asked = asyncio.Event()
    with _handled(asked.set):
        yield asked


@contextlib.contextmanager
def stopping(stop: Callable[[bool], None]) -> Iterator[None]:
    """`stop(False)` at the first signal inside this block, `stop(True)` at the second; the third leaves at once."""
    count = 0

    def handle() -> None:
        nonlocal count
        count += 1
        if count > 2:
            _leave()
        else:
            stop(count == 2)

    with _handled(handle):
        yield


@contextlib.contextmanager
def _handled(handle: Callable[[], None]) -> Iterator[None]:
    """Call `handle` for each signal inside this block."""
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in _signals()}
    for number in before:
        try:
            loop.add_signal_handler(number, handle)
        except (NotImplementedError, RuntimeError):  # Windows' loops have none; or not the main thread
            with contextlib.suppress(ValueError):
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(handle))
    try:
        yield
    finally:
        for number, handler in before.items():
            with contextlib.suppress(NotImplementedError, RuntimeError):
                loop.remove_signal_handler(number)
            with contextlib.suppress(ValueError):
                signal.signal(number, handler)


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """Signals raise KeyboardInterrupt inside this block: for a question that stops everything else.

    Raises: Interrupted.
    """
    before = {number: signal.getsignal(number) for number in _signals()}
    # The event loop would be woken, too, and handle the signal once more when it comes to run again.
    wakeup = signal.set_wakeup_fd(-1)
    try:
        for number in before:
            signal.signal(number, signal.default_int_handler)
        with _reads_woken():
            yield
    except KeyboardInterrupt:
        raise Interrupted("interrupted: nothing was done") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)


@contextlib.contextmanager
def _reads_woken() -> Iterator[None]:
    """A read that blocks inside this block looks for signals every now and then.

    One that arrives between Python's last look and the read, or in another thread, wakes no read: it would count only
    once a line has been typed.
    """
    if sys.platform == "win32":  # has no such timers; there a Ctrl-C ends the read
        yield
        return
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, LOOK_S, LOOK_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _signals() -> list[signal.Signals]:
    """Those that ask a program to stop, but for those that whoever started it wants ignored (nohup)."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")  # SIGHUP: the terminal was closed; Windows has none
    found = [signal.Signals[name] for name in names if name in signal.Signals.__members__]
    return [number for number in found if signal.getsignal(number) is not signal.SIG_IGN]


def _leave() -> None:
    """Leave without waiting for anything: the ledger is made for that."""
    stream = err()
    if stream.is_terminal:
        stream.show_cursor()
    answers.finish_at_once(
        ExitCode.INTERRUPTED, error_answer(Interrupted("left at once, without waiting for what was under way"))
    )
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(ExitCode.INTERRUPTED)
