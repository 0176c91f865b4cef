"""An event loop whose clock stands still while something can run and jumps to the next timer when nothing can.

A minute of sending takes as long as its callbacks do, and the same every time. Threads and sockets know nothing of it:
see `VirtualTimeLoop.real_work`.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from dispatcher import clock

T = TypeVar("T")

#: Nothing is ready, no timer is set: how long a thread may still bring something before that counts as a deadlock.
PATIENCE_S = 10.0
#: A turn of the loop takes a moment, as in life: code that waits for the clock to pass a time by a hair gets on.
TURN_S = 1e-6


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for no timer: says that the time is up, and lets the loop's clock know."""

    loop: VirtualTimeLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        self.loop.turn()
        if ready or timeout == 0:
            return ready
        if timeout is None or self.loop.in_real_work:
            ready = super().select(PATIENCE_S)
            if not ready:
                raise RuntimeError("every task waits for another, and no timer is set")
            return ready
        self.loop.advance(timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`late_s`: each timer wakes so much late, as a busy machine's do."""

    def __init__(self, start_s: float = 1000.0, late_s: float = 0.0) -> None:
        selector = _JumpingSelector()
        self._now_s = start_s
        self._late_s = late_s
        self._real_work = 0
        super().__init__(selector)
        selector.loop = self

    def time(self) -> float:
        return self._now_s

    def advance(self, by_s: float) -> None:
        """Move the clock: what happens to a process that was suspended."""
        self._now_s += by_s + self._late_s

    def turn(self) -> None:
        self._now_s += TURN_S

    @property
    def in_real_work(self) -> bool:
        return self._real_work > 0

    @contextlib.contextmanager
    def real_work(self) -> Iterator[None]:
        """While a thread works (a ledger's), the clock stands: its time is not this loop's."""
        self._real_work += 1
        try:
            yield
        finally:
            self._real_work -= 1


@contextlib.contextmanager
def machine_clock(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """What the machine has counted since its start, and with it the wall clock, is this loop's time."""
    real = clock._counted_ns
    clock._counted_ns = lambda: int(loop.time() * 1e9)
    try:
        yield
    finally:
        clock._counted_ns = real


def run(main: Coroutine[Any, Any, T], *, late_s: float = 0.0) -> T:
    """`asyncio.run` in virtual time."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(late_s=late_s)) as runner:
        return runner.run(main)
