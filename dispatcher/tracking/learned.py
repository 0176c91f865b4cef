"""What was learned of executions on its way into the ledger, some at a time, and how far it is, as events."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from dispatcher.errors import DispatcherError, LedgerError
from dispatcher.events import EventBus, Tracking
from dispatcher.ledger.executions import TrackedExecution

Write: TypeAlias = Callable[[Sequence[TrackedExecution]], Awaitable[None]]

SAVE_EVERY_S = 1.0
EMIT_EVERY_S = 0.1


class Learned:
    """Keeps what is learned: written after `batch_size` executions, or a second; whatever stops the work loses no more.

    `write` is `Ledger.save_executions`; `progress` makes the event that says how far the work is.
    """

    def __init__(self, write: Write, bus: EventBus, progress: Callable[[], Tracking], *, batch_size: int) -> None:
        self._write = write
        self._bus = bus
        self._progress = progress
        self._batch_size = batch_size
        self._unsaved: list[TrackedExecution] = []
        self._last_save_s = self._last_emit_s = 0.0

    def note(self, execution: TrackedExecution) -> None:
        """Keep it with those that come next."""
        self._unsaved.append(execution)

    async def add(self, execution: TrackedExecution) -> None:
        """Keep it, and say how far the work is, both now and then. Raises: LedgerError."""
        self._unsaved.append(execution)
        now_s = time.monotonic()
        if now_s - self._last_emit_s > EMIT_EVERY_S:
            self.emit_progress()
        if len(self._unsaved) >= self._batch_size or now_s - self._last_save_s > SAVE_EVERY_S:
            await self.save()

    async def save(self) -> None:
        """Write what is not in the ledger yet. Raises: LedgerError; what could not be written is kept."""
        batch, self._unsaved = self._unsaved, []
        self._last_save_s = time.monotonic()
        if not batch:
            return
        try:
            await self._write(batch)
        except LedgerError:
            self._unsaved = [*batch, *self._unsaved]
            raise

    async def save_after(self, work: Awaitable[None]) -> DispatcherError | None:
        """Do the work and write what it has learned, however it ends; returns what ended it early."""
        found: DispatcherError | None = None
        try:
            await work
        except DispatcherError as error:
            found = error
        finally:
            try:
                await self.save()
            except LedgerError as error:
                found = found or error
        return found

    def emit_progress(self) -> None:
        """Say how far the work is."""
        self._last_emit_s = time.monotonic()
        self._bus.emit(self._progress())
