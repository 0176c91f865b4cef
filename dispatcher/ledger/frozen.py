"""A second connection that only reads, on a thread of its own: what it sees stays as it was when it was opened."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TypeVar

from dispatcher.ledger.db import Db

T = TypeVar("T")


class Reader:
    """Runs functions of a frozen ledger, in order. Made by `reader`."""

    def __init__(self, thread: ThreadPoolExecutor, db: Db, mapped: Callable[[BaseException], BaseException]) -> None:
        self._thread = thread
        self._db = db
        self._mapped = mapped

    async def read(self, work: Callable[[Db], T]) -> T:
        """Run `work`. Raises: LedgerError."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

    def _run(self, work: Callable[[Db], T]) -> T:
        try:
            return work(self._db)
        except Exception as error:
            failure = self._mapped(error)
            if failure is error:
                raise
            raise failure from error


@contextlib.asynccontextmanager
async def reader(
    frozen: AbstractContextManager[Db], mapped: Callable[[BaseException], BaseException]
) -> AsyncIterator[Reader]:
    """Open the ledger for reading, as it is now. `frozen` is used on the reader's thread alone; `mapped`: its errors.

    Raises: LedgerError.
    """
    loop = asyncio.get_running_loop()
    # Not the loop's own threads, which are few: the names of hosts are looked up there.
    thread = ThreadPoolExecutor(1, thread_name_prefix="ledger-reader")
    opened = contextlib.ExitStack()
    try:
        db = await loop.run_in_executor(thread, opened.enter_context, frozen)
        yield Reader(thread, db, mapped)
    finally:
        # After what is still being read, if whoever wanted it has left; the connection is its thread's.
        closing = thread.submit(opened.close)
        thread.shutdown(wait=False)
        await asyncio.shield(asyncio.wrap_future(closing))
