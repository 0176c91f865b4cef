"""A stop request, from a signal, a page, the breaker or the ledger; it belongs to one operation, not to a campaign."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from dispatcher.errors import DispatcherError

if TYPE_CHECKING:
    from dispatcher.sending.sender import Sender

T = TypeVar("T")


class StopRequest:
    """Whether one operation is to stop, and why. The first reason wins."""

    def __init__(self) -> None:
        self.error: DispatcherError | None = None
        self._requested = asyncio.Event()
        self._sender: Sender | None = None

    def request(self, error: DispatcherError, *, hard: bool = False) -> None:
        """Start nothing more: what is in flight is finished, or with `hard` given up as unknown."""
        self.error = self.error or error
        self._requested.set()
        if self._sender is not None:
            self._sender.stop(self.error)
            if hard:
                self._sender.leave()

    @contextlib.contextmanager
    def attach(self, sender: Sender) -> Iterator[None]:
        """Pass requests on to this sender inside the block; one that came before is told at once."""
        self._sender = sender
        if self.error is not None:
            sender.stop(self.error)
        try:
            yield
        finally:
            self._sender = None
            self.error = self.error or sender.error

    def raise_if_requested(self) -> None:
        """Raises: why it is to stop."""
        if self.error is not None:
            raise self.error

    async def sleep(self, seconds: float) -> bool:
        """Sleep so long, or until a request comes; returns whether one has come."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._requested.wait()
        return self.error is not None

    async def race(self, work: Coroutine[Any, Any, T], *, grace_s: float = 0.0) -> T:
        """The work's result. After a request it has `grace_s` to come to an end by itself, then it is cancelled.

        Raises: why it was stopped, where it did not come to its end; what the work raises.
        """
        task = asyncio.create_task(work)
        requested = asyncio.create_task(self._requested.wait())
        try:
            await asyncio.wait([task, requested], return_when=asyncio.FIRST_COMPLETED)
            if not task.done() and grace_s:
                await asyncio.wait([task], timeout=grace_s)
            if not task.done():
                self.raise_if_requested()
            return await task
        finally:
            requested.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait([task])


class StopRequests:
    """The stop requests of a campaign's operations that run now."""

    def __init__(self) -> None:
        self._current: list[StopRequest] = []

    @contextlib.contextmanager
    def operation(self) -> Iterator[StopRequest]:
        """One operation, which may be stopped inside the block."""
        stop = StopRequest()
        self._current.append(stop)
        try:
            yield stop
        finally:
            self._current.remove(stop)

    def told(self, error: DispatcherError) -> None:
        """Stop what runs now, if anything does: what the account has to say."""
        self.request(error)

    def request(self, error: DispatcherError, *, hard: bool = False) -> bool:
        """Stop what runs now; returns whether anything did."""
        for stop in tuple(self._current):
            stop.request(error, hard=hard)
        return bool(self._current)
