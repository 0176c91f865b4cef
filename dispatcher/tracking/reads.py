"""Many requests side by side: some at once, each answer reported; one that fails is left, many in a row end it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

from dispatcher.errors import AuthenticationError, CertificateUntrusted, DispatcherError, StudioError

T = TypeVar("T")

#: So many that fail one after the other, each tried again as the settings say: Studio is not to be asked now.
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
        self._in_a_row = 0

    async def one(self, request: Awaitable[T]) -> T:
        """The answer of a request."""
        result = await request
        self.answered()
        return result

    def answered(self) -> None:
        """Studio answers: what failed before is over."""
        self._in_a_row = 0

    def raise_if_stopped(self) -> None:
        """Raises: why to stop."""
        error = self._stopped()
        if error is not None:
            raise error

    async def each(self, items: Sequence[T], work: Callable[[T], Awaitable[None]]) -> None:
        """Do the work for every item, some at once. A StudioError is counted, and the next item's turn comes.

        Raises: the error that would be the same for all, or that came too often in a row; why it was stopped.
        """

        async def worker(waiting: Iterator[T]) -> None:
            for item in waiting:
                self.raise_if_stopped()
                try:
                    await work(item)
                except FATAL:
                    raise
                except StudioError as error:
                    self.failed += 1
                    self.failure = error
                    self._in_a_row += 1
                    if self._in_a_row >= FAILURES_MAX:
                        raise

        waiting = iter(items)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._concurrency, len(items))):
                    group.create_task(worker(waiting))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
