"""The one thread that works on web.sqlite3.

A thread of its own: asyncio's default executor has few, and the sending beside the page needs them (names of hosts,
reports).
"""

from __future__ import annotations

import asyncio
import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from dispatcher.errors import LedgerError
from dispatcher.web.store.connection import SCHEMA_VERSION, Db, connect
from dispatcher.web.store.failures import mapped, too_new

T = TypeVar("T")


class StoreThread:
    """Runs functions of the database, in order, each in a transaction of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pid = os.getpid()
        self._queue: queue.SimpleQueue[Callable[[Db], None] | None] = queue.SimpleQueue()
        #: Nothing may be put behind the end of the queue: it would wait for ever.
        self._closing = threading.Lock()
        self._closed = False
        self._opened: Future[None] = Future()
        self._ended: Future[None] = Future()
        self._thread = threading.Thread(target=self._loop, name="page-store", daemon=True)
        self._thread.start()

    async def opened(self) -> None:
        """Wait until the file is open. Raises: LedgerError."""
        await asyncio.shield(asyncio.wrap_future(self._opened))

    async def do(self, work: Callable[[Db], T]) -> T:
        """Run `work` in a transaction; when this returns, it is on disk.

        A caller that is cancelled does not undo the work. Raises: LedgerError and what `work` raises of ours.
        """
        return await self._put(work, "BEGIN IMMEDIATE")

    async def read(self, work: Callable[[Db], T]) -> T:
        """Run `work`, which only reads: it does not wait for other processes' changes. Raises: as `do`."""
        return await self._put(work, "BEGIN")

    async def alone(self, work: Callable[[Db], T]) -> T:
        """Run `work` without a transaction, for what is none. Raises: as `do`."""
        return await self._put(work, None)

    async def closed(self) -> None:
        """Finish what is queued, then close the file. Safe to call twice."""
        if self._pid != os.getpid():
            return
        with self._closing:
            first, self._closed = not self._closed, True
            if first:
                self._queue.put(None)
        await asyncio.shield(asyncio.wrap_future(self._ended))

    async def _put(self, work: Callable[[Db], T], begin: str | None) -> T:
        future: Future[T] = Future()
        # From here on it cannot be cancelled: what is queued is done.
        future.set_running_or_notify_cancel()

        def run(db: Db) -> None:
            try:
                result = work(db) if begin is None else _in_transaction(db, work, begin)
            except BaseException as error:
                future.set_exception(mapped(error))
            else:
                future.set_result(result)

        with self._closing:
            if self._closed or self._pid != os.getpid():
                # A forked child has the connection and no thread; using SQLite there would break the parent's file.
                raise LedgerError("the page's file is closed")
            self._queue.put(run)
        return await asyncio.shield(asyncio.wrap_future(future))

    def _loop(self) -> None:
        try:
            connection = connect(self._folder)
        except BaseException as error:
            self._opened.set_exception(mapped(error))
            self._ended.set_result(None)
            return
        self._opened.set_result(None)
        try:
            db = Db(connection)
            while (run := self._queue.get()) is not None:
                run(db)
                # A result must not stay in memory until the next one comes.
                del run
        finally:
            connection.close()
            self._ended.set_result(None)


def _in_transaction(db: Db, work: Callable[[Db], T], begin: str) -> T:
    connection: sqlite3.Connection = db.connection
    connection.execute(begin)
    try:
        # A newer program may have opened the file since: its tables are not those that these queries know.
        (version,) = db.rows("version")[0]
        if version != SCHEMA_VERSION:
            raise too_new(version, SCHEMA_VERSION)
        result = work(db)
        connection.execute("COMMIT")
    except BaseException:
        # A full disk has rolled the transaction back already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result
