"""A second connection that only reads, on a thread of its own: what it sees stays as it was when it was opened."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import psycopg

from dispatcher.ledger.db import Db
from dispatcher.ledger.postgres.connection import connected
from dispatcher.ledger.postgres.db import PostgresDb
from dispatcher.ledger.postgres.failures import mapped

T = TypeVar("T")


@contextlib.contextmanager
def frozen(url: str, *, name: str = "report") -> Iterator[PostgresDb]:
    """The ledger as it is now, however long it is read: for one thread. Raises: LedgerError."""
    with connected(url, name=name, long=True) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        db = PostgresDb(connection)
        # What is seen is fixed by the first look, not by the BEGIN.
        db.one("clock_now_us")
        yield db


class Reader:
    """Runs functions of a frozen ledger, in order. Made by `reader`."""

    def __init__(self, thread: ThreadPoolExecutor, db: Db) -> None:
        self._thread = thread
        self._db = db

    async def read(self, work: Callable[[Db], T]) -> T:
        """Run `work`. Raises: LedgerError."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

    def _run(self, work: Callable[[Db], T]) -> T:
        try:
            return work(self._db)
        except psycopg.Error as error:
            failure = mapped(error)
            raise failure from error


@contextlib.asynccontextmanager
async def reader(url: str) -> AsyncIterator[Reader]:
    """Open the ledger for reading, as it is now. Raises: LedgerError."""
    loop = asyncio.get_running_loop()
    # Not the loop's own threads, which are few: the names of hosts are looked up there.
    thread = ThreadPoolExecutor(1, thread_name_prefix="ledger-reader")
    opened = contextlib.ExitStack()
    try:
        db = await loop.run_in_executor(thread, opened.enter_context, frozen(url))
        yield Reader(thread, db)
    finally:
        # After what is still being read, if whoever wanted it has left; the connection is its thread's.
        closing = thread.submit(opened.close)
        thread.shutdown(wait=False)
        await asyncio.shield(asyncio.wrap_future(closing))
