"""Who works with an account now: each hears its waits and its changes of rate, and is stopped where it must stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from dispatcher.errors import DispatcherError
from dispatcher.events import Event, EventBus, WaitKind


@dataclass(frozen=True, slots=True, eq=False)
class Borrower:
    """One of them."""

    bus: EventBus
    stop: Callable[[DispatcherError], None]


class Borrowers:
    """All of them. Who joins while something is waited for hears of it; who leaves hears its end."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._all: list[Borrower] = []
        #: What is waited for: the reason, and until when on the loop's clock.
        self._waits: dict[WaitKind, tuple[str, float]] = {}

    def __bool__(self) -> bool:
        return bool(self._all)

    def join(self, borrower: Borrower) -> None:
        """From now on it hears and is stopped."""
        if borrower.bus not in self._buses():
            for kind, (reason, until_s) in self._waits.items():
                borrower.bus.wait(kind, reason, max(0.0, until_s - self._loop.time()))
        self._all.append(borrower)

    def leave(self, borrower: Borrower) -> None:
        """From now on it does not."""
        self._all.remove(borrower)
        if borrower.bus not in self._buses():
            for kind in self._waits:
                borrower.bus.resume(kind)

    def wait(self, kind: WaitKind, reason: str, for_s: float) -> None:
        """Nothing leaves for so many seconds."""
        self._waits[kind] = (reason, self._loop.time() + for_s)
        for bus in self._buses():
            bus.wait(kind, reason, for_s)

    def resume(self, kind: WaitKind) -> None:
        """That wait is over."""
        self._waits.pop(kind, None)
        for bus in self._buses():
            bus.resume(kind)

    def emit(self, event: Event) -> None:
        """Tell each."""
        for bus in self._buses():
            bus.emit(event)

    def stop(self, error: DispatcherError) -> None:
        """Stop each."""
        for borrower in tuple(self._all):
            borrower.stop(error)

    def _buses(self) -> list[EventBus]:
        """Each bus once: a campaign may have borrowed the account twice."""
        return list(dict.fromkeys(borrower.bus for borrower in self._all))
