"""Many requests side by side: one that fails is left out; many consecutive failures, or a stop, end it all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

from dispatcher.errors import AuthenticationError, CertificateUntrusted, DispatcherError, StudioError

T = TypeVar("T")

#: After this many consecutive failures, each tried again as the settings say, Studio is not asked any more.
FAILURES_MAX = 10

#: Errors that would be the same for every request.
FATAL = (AuthenticationError, CertificateUntrusted)


class Reads:
    """`stopped` says why to stop, or None."""

    def __init__(self, *, concurrency: int, stopped: Callable[[], DispatcherError | None] = lambda: None) -> None:
        #: Those that failed, and why the last of them did.
        self.failed = 0
        self.failure: DispatcherError | None = None
        self._concurrency = concurrency
        self._stopped = stopped
        self._consecutive_failures = 0

    async def one(self, request: Awaitable[T]) -> T:
        """The answer of a request."""
        result = await request
        self.answered()
        return result

    def answered(self) -> None:
        """Studio answers: what failed before is over."""
        self._consecutive_failures = 0

    def raise_if_stopped(self) -> None:
        """Raises: why to stop."""
        error = self._stopped()
        if error is not None:
            raise error

    async def each(self, items: Sequence[T], work: Callable[[T], Awaitable[None]]) -> None:
        """Do the work for every item, some at once. A StudioError is counted, and the next item's turn comes.

        Once it has to end, no new item is begun, and those under way are finished: a request on the wire may have done
        its work already, and what it did would not be known.
        Raises: an error that would be the same for all, or the last of too many consecutive ones; why it was stopped.
        """
        endings: list[DispatcherError] = []

        async def worker(waiting: Iterator[T]) -> None:
            for item in waiting:
                stopped = self._stopped()
                if stopped is not None:
                    endings.append(stopped)
                if endings:
                    return
                try:
                    await work(item)
                except DispatcherError as error:
                    if self._ends_all(error):
                        endings.append(error)

        waiting = iter(items)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._concurrency, len(items))):
                    group.create_task(worker(waiting))
        except ExceptionGroup as errors:  # a bug
            raise errors.exceptions[0] from None
        if endings:
            raise endings[0]

    def _ends_all(self, error: DispatcherError) -> bool:
        if not isinstance(error, StudioError) or isinstance(error, FATAL):
            return True
        self.failed += 1
        self.failure = error
        self._consecutive_failures += 1
        return self._consecutive_failures >= FAILURES_MAX
