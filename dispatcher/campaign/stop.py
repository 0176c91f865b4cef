"""The one wish to stop: from a signal, a page, the breaker, or the ledger."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dispatcher.errors import DispatcherError

if TYPE_CHECKING:
    from dispatcher.sending.sender import Sender


class Stop:
    """Whether to stop, and why. The first reason stays."""

    def __init__(self) -> None:
        self.error: DispatcherError | None = None
        self.event = asyncio.Event()
        self._sender: Sender | None = None

    def request(self, error: DispatcherError, *, hard: bool = False) -> None:
        """Send nothing more: what is in flight is finished, or with `hard` given up as unknown."""
        self.error = self.error or error
        self.event.set()
        if self._sender is not None:
            self._sender.stop(self.error)
            if hard:
                self._sender.leave()

    def watch(self, sender: Sender | None) -> None:
        """Pass the wish on to this sender; one that comes too late is told at once."""
        self._sender = sender
        if sender is not None and self.error is not None:
            sender.stop(self.error)
