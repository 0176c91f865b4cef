"""The bus: hands each event to the live state, then to whoever listens."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from typing import TypeAlias

from dispatcher.events.kinds import Event, Resumed, Waiting, WaitKind
from dispatcher.events.live import LiveState, Snapshot

logger = logging.getLogger(__name__)

Listener: TypeAlias = Callable[[Event], None]


class EventBus:
    """Hands events on, in order, in the emitter's thread; a listener that raises is dropped.

    `now_s`: a clock in seconds that never steps back; the live state takes its times from it.
    """

    def __init__(self, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._live = LiveState()
        self._listeners: list[Listener] = []
        self._waits: set[WaitKind] = set()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; the returned function takes it away again."""

        def entry(event: Event) -> None:  # one of its own for each subscription of one function
            listener(event)

        self._listeners.append(entry)

        def unsubscribe() -> None:
            self._drop(entry)

        return unsubscribe

    def _drop(self, entry: Listener) -> None:
        with contextlib.suppress(ValueError):  # gone already
            self._listeners.remove(entry)

    def emit(self, event: Event) -> None:
        """Tell every listener; never raises."""
        now_s = self._now_s()
        self._live.apply(event, now_s)
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception as error:
                logger.warning("an event listener failed and was dropped: %s", type(error).__name__)
                self._drop(listener)

    def wait(self, kind: WaitKind, reason: str, for_s: float | None) -> None:
        """A wait begins, or goes on otherwise than was told. `resume` ends it."""
        self.resume(kind)
        self._waits.add(kind)
        self.emit(Waiting(kind=kind, reason=reason, for_s=for_s))

    def resume(self, kind: WaitKind) -> None:
        """The wait is over; nothing happens where there is none of that kind."""
        if kind in self._waits:
            self._waits.discard(kind)
            self.emit(Resumed(kind=kind))

    def snapshot(self) -> Snapshot:
        """The live state as it is now."""
        return self._live.snapshot(self._now_s())
