"""One thing waited for, told once however often it is looked at: `Waiting` and `Resumed` always come in pairs."""

from __future__ import annotations

import asyncio

from dispatcher.events import EventBus, WaitKind

#: Shorter waits are part of sending, and not told.
TOLD_FROM_S = 0.5


class Wait:
    """A wait of somebody who waits for one thing at a time. Times are the running loop's, in seconds."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self._loop = asyncio.get_running_loop()
        self._told: tuple[WaitKind, str, float] | None = None

    def until(self, kind: WaitKind, reason: str, until_s: float) -> None:
        """It is waited for this, until then; told where it lasts long enough, and again where it has changed."""
        now_s = self._loop.time()
        told = self._told
        if told is not None and told[:2] == (kind, reason) and abs(told[2] - until_s) < TOLD_FROM_S:
            return
        if told is None and until_s - now_s < TOLD_FROM_S:
            return
        if told is not None and told[0] is not kind:
            self._bus.resume(told[0])
        self._told = (kind, reason, until_s)
        self._bus.wait(kind, reason, max(0.0, until_s - now_s))

    def over(self) -> None:
        """It is not waited for any more; nothing happens where nothing was told."""
        if self._told is not None:
            self._bus.resume(self._told[0])
            self._told = None
