"""The one thread that works on the file: what is asked for meanwhile is committed together (group commit)."""

from __future__ import annotations

import asyncio
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from dispatcher.errors import LedgerError
from dispatcher.ledger.db import Db
from dispatcher.ledger.sqlite.db import SqliteDb
from dispatcher.ledger.sqlite.failures import is_busy, mapped

T = TypeVar("T")

#: The most operations in one transaction: bounds how long the first waits for its fsync.
GROUP_MAX = 64
#: SQLite's own wait for another process' transaction grows to 100 ms a step, and would hardly ever meet the moment
#: between two commits of a process that sends: so it waits this long, and we ask again,
BUSY_STEP_S = 0.005
#: for so long: another account's five million rows may just be planned.
BUSY_WAIT_S = 300.0


@dataclass(slots=True)
class _Operation(Generic[T]):
    work: Callable[[Db], T]
    writes: bool
    future: Future[T]


class Writer:
    """Runs operations on one connection, in order. Operations waiting at the same moment share one commit.

    An operation is a function of the database that can be run again: where one of a group fails, the group is rolled
    back and each is run alone, so that only the faulty one fails.
    """

    def __init__(self, connection: sqlite3.Connection, *, busy_wait_s: float = BUSY_WAIT_S) -> None:
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_STEP_S * 1000)}")
        self.connection = connection
        self._db = SqliteDb(connection)
        self._busy_wait_s = busy_wait_s
        self._pid = os.getpid()
        self._queue: queue.SimpleQueue[_Operation[Any] | None] = queue.SimpleQueue()
        #: Nothing may be put behind the end of the queue: it would wait for ever.
        self._closing = threading.Lock()
        self._closed = False
        #: Since when another process keeps it from writing, by `time.monotonic`; None: nobody does.
        self.blocked_since_s: float | None = None
        self._thread = threading.Thread(target=self._loop, name="ledger-writer", daemon=True)
        self._thread.start()

    async def do(self, work: Callable[[Db], T]) -> T:
        """Run `work` in a transaction; when this returns, it is on disk.

        A caller that is cancelled does not undo the work. Raises: LedgerError and what `work` raises of ours.
        """
        return await self._put(work, writes=True)

    async def read(self, work: Callable[[Db], T]) -> T:
        """Run `work`, which only reads: it does not wait for other processes' transactions. Raises: as `do`."""
        return await self._put(work, writes=False)

    async def _put(self, work: Callable[[Db], T], *, writes: bool) -> T:
        return await asyncio.shield(asyncio.wrap_future(self._queued(work, writes=writes)))

    def _queued(self, work: Callable[[Db], T], *, writes: bool) -> Future[T]:
        future: Future[T] = Future()
        # From here on it cannot be cancelled: what is queued is done.
        future.set_running_or_notify_cancel()
        with self._closing:
            if self._closed or self._pid != os.getpid():
                # A forked child has the connection and no thread; using SQLite there would break the parent's file.
                raise LedgerError("the ledger is closed")
            self._queue.put(_Operation(work, writes, future))
        return future

    def close(self) -> None:
        """Finish what is queued, then close the connection. Blocking; safe to call twice."""
        if self._pid != os.getpid():
            return
        with self._closing:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _loop(self) -> None:
        try:
            last = False
            while not last:
                operation = self._queue.get()
                group: list[_Operation[Any]] = []
                while operation is not None:
                    group.append(operation)
                    if len(group) == GROUP_MAX:
                        break
                    try:
                        operation = self._queue.get_nowait()
                    except queue.Empty:
                        break
                last = operation is None
                if group:
                    self._run(group)
                    group.clear()
                # A result must not stay in memory until the next operation comes.
                operation = None
        finally:
            self.connection.close()

    def _run(self, group: list[_Operation[Any]]) -> None:
        try:
            results = self._transaction(group)
        except BaseException as error:
            if len(group) > 1 and not is_busy(error):
                for operation in group:
                    self._run([operation])
                return
            for operation in group:
                operation.future.set_exception(mapped(error))
            return
        for operation, result in zip(group, results, strict=True):
            operation.future.set_result(result)

    def _transaction(self, group: list[_Operation[Any]]) -> list[Any]:
        connection = self.connection
        begin = "BEGIN IMMEDIATE" if any(operation.writes for operation in group) else "BEGIN"
        end_s = time.monotonic() + self._busy_wait_s
        while True:
            try:
                connection.execute(begin)
                self.blocked_since_s = None
                results = [operation.work(self._db) for operation in group]
                connection.execute("COMMIT")
                return results
            except BaseException as error:
                # A full disk has rolled the transaction back already.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if not is_busy(error) or time.monotonic() > end_s:
                    self.blocked_since_s = None
                    raise
                if self.blocked_since_s is None:
                    self.blocked_since_s = time.monotonic()
