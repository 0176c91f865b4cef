"""Blocking work that is fed from an event loop: files are written in a thread, batches come by `async for`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def in_thread(work: Callable[[Iterator[T]], R], batches: AsyncIterator[T]) -> R:
    """What `work` makes of the batches, in a thread of its own; the loop only fetches them.

    An error on either side ends both. Where the caller is cancelled, the work gets an exception instead of its next
    batch and is waited for, so that it can take away what it has begun. No batch is fetched ahead: that was measured to
    gain nothing.
    """
    feed = _Feed(batches)
    # Its own thread: asyncio's few are for what is short, looking up addresses among it.
    thread = ThreadPoolExecutor(1, thread_name_prefix="reporting")
    working = asyncio.get_running_loop().run_in_executor(thread, work, feed.batches())
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        feed.is_given_up = True
        await asyncio.wait([working])
        working.exception()  # it is no news
        raise
    finally:
        thread.shutdown(wait=False)


class _GivenUpError(Exception):
    """Nobody waits for the work any more."""


class _Feed(Generic[T]):
    """Batches on their way from the loop to a thread."""

    def __init__(self, source: AsyncIterator[T]) -> None:
        self.is_given_up = False
        self._source = source
        self._loop = asyncio.get_running_loop()

    def batches(self) -> Iterator[T]:
        """The batches, for the thread. Raises: what the source raises."""
        while not self.is_given_up:
            batch = asyncio.run_coroutine_threadsafe(self._fetch(), self._loop).result()
            if batch is None:
                return
            yield batch
        raise _GivenUpError

    async def _fetch(self) -> T | None:
        return await anext(self._source, None)
