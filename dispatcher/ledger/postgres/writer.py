"""The one thread that works on the connection: what is asked for meanwhile is committed together (group commit).

It connects again before a transaction, never inside one: what a lost connection has not committed is not there, and of
what it was just committing nobody knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from psycopg.errors import Diagnostic

from dispatcher.errors import LedgerError, LedgerUnreachable
from dispatcher.ledger.db import Db
from dispatcher.ledger.postgres.db import Connection, PostgresDb
from dispatcher.ledger.postgres.failures import RESUME, is_clash, is_locked, is_lost, mapped
from dispatcher.remedies import Advice, InTurn

T = TypeVar("T")

#: The most operations in one transaction.
GROUP_MAX = 64
#: Transactions that were in each other's way are tried so often.
CLASHES_MAX = 8
#: An account that another process writes to is waited for so long, a moment at a time (`connection.LOCK_MS`): between
#: two of them come those who want others, and leases that are to be renewed.
LOCKED_MAX_S = 20.0


@dataclass(slots=True)
class _Operation(Generic[T]):
    work: Callable[[Db], T]
    writes: bool
    account_id: int
    future: Future[T]
    asked_s: float
    #: Its account was another's: it is tried by itself, after all that came meanwhile.
    was_locked: bool = False


class Writer:
    """Runs operations on one connection. Operations waiting at the same moment share one commit.

    Those of an account in the order in which they came; accounts are locked in the order of their numbers, so that no
    two processes wait for each other.
    """

    def __init__(self, connection: Connection, reconnect: Callable[[], Connection]) -> None:
        """`reconnect`: called on the thread. Raises: LedgerError."""
        self._connection: Connection | None = connection
        self._reconnect = reconnect
        self._pid = os.getpid()
        self._queue: queue.SimpleQueue[_Operation[Any] | None] = queue.SimpleQueue()
        #: Nothing may be put behind the end of the queue: it would wait for ever.
        self._closing = threading.Lock()
        self._closed = False
        #: Since when the server has not answered, by `time.monotonic`; None: nothing is asked of it.
        self.busy_since_s: float | None = None
        self._thread = threading.Thread(target=self._loop, name="ledger-writer", daemon=True)
        self._thread.start()

    async def do(self, work: Callable[[Db], T], *, account_id: int = 0) -> T:
        """Run `work` in a transaction; when this returns, the server has it on disk.

        A caller that is cancelled does not undo the work. Raises: LedgerError and what `work` raises of ours;
        LedgerUnreachable also where it is not known whether it was committed.
        """
        return await self._put(work, writes=True, account_id=account_id)

    async def read(self, work: Callable[[Db], T]) -> T:
        """Run `work`, which only reads. Raises: as `do`."""
        return await self._put(work, writes=False, account_id=0)

    async def _put(self, work: Callable[[Db], T], *, writes: bool, account_id: int) -> T:
        outer = asyncio.shield(asyncio.wrap_future(self._queued(work, writes=writes, account_id=account_id)))
        # Whoever is cancelled in the moment in which it fails never asks why: that is no bug to be told of.
        outer.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await outer

    def _queued(self, work: Callable[[Db], T], *, writes: bool, account_id: int) -> Future[T]:
        future: Future[T] = Future()
        # From here on it cannot be cancelled: what is queued is done.
        future.set_running_or_notify_cancel()
        with self._closing:
            if self._closed or self._pid != os.getpid():
                raise LedgerError("the ledger is closed")
            self._queue.put(_Operation(work, writes, account_id, future, time.monotonic()))
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
                    self.busy_since_s = time.monotonic()
                    # Stable: an account's own stay in their order.
                    group.sort(key=lambda one: one.account_id)
                    again = [one for one in group if one.was_locked]
                    if together := [one for one in group if not one.was_locked]:
                        self._run(together)
                    for one in again:
                        self._run([one])
                    again.clear()
                    together.clear()
                    self.busy_since_s = None
                    group.clear()
                # A result must not stay in memory until the next operation comes.
                operation = None
        finally:
            self._drop()

    def _run(self, group: list[_Operation[Any]]) -> None:
        try:
            results = self._tried(group)
        except BaseException as error:
            if len(group) > 1 and not isinstance(error, LedgerUnreachable):
                for operation in group:
                    self._run([operation])
                return
            if is_locked(error) and self._put_back(group[0]):
                return
            failure = mapped(error)
            for operation in group:
                operation.future.set_exception(failure)
            return
        for operation, result in zip(group, results, strict=True):
            operation.future.set_result(result)

    def _put_back(self, operation: _Operation[Any]) -> bool:
        """Have it done after what waits, if its time is not over; whether that is so."""
        with self._closing:
            if self._closed or time.monotonic() - operation.asked_s > LOCKED_MAX_S:
                return False
            operation.was_locked = True
            self._queue.put(operation)
            return True

    def _tried(self, group: list[_Operation[Any]]) -> list[Any]:
        """The results. What was certainly not committed is tried again."""
        clashes, was_lost = 0, False
        while True:
            try:
                return self._transaction(group)
            except BaseException as error:
                if is_clash(error) and clashes < CLASHES_MAX:
                    clashes += 1
                elif is_lost(error) and not was_lost:
                    # Found out only now, it may have been gone for long.
                    was_lost = True
                elif isinstance(mapped(error), LedgerUnreachable) and not is_locked(error):
                    raise mapped(error) from error
                else:
                    raise

    def _transaction(self, group: list[_Operation[Any]]) -> list[Any]:
        if self._connection is None or self._connection.closed or self._connection.broken:
            self._drop()
            self._connection = self._reconnect()
        connection, committing = self._connection, False
        reads = not any(operation.writes for operation in group)
        try:
            # What only reads sees one moment; what writes reads again whatever it has waited for.
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if reads else "BEGIN", prepare=False)
            db = PostgresDb(connection)
            results = [operation.work(db) for operation in group]
            committing = not reads
            _commit(connection, writes=committing)
        except BaseException as error:
            if not connection.closed and not connection.broken:
                with contextlib.suppress(Exception):
                    connection.execute("ROLLBACK")
            if is_lost(error):
                self._drop()
                if committing:
                    raise LedgerUnreachable(
                        "the ledger's server went away while it wrote, and nobody knows whether it has",
                        fix=InTurn(Advice("look whether the server runs and can be reached"), RESUME),
                    ) from error
            raise
        return results

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()


def _commit(connection: Connection, *, writes: bool) -> None:
    """Raises: LedgerError where the server has undone it; LedgerUnreachable where it is kept in one place alone.

    Neither is an error to the server: it undoes what had failed, and of a wait for its standby that somebody has
    cancelled (`pg_cancel_backend`, a `statement_timeout` of the user's) it only warns.
    """
    warnings: list[str] = []

    def listen(said: Diagnostic) -> None:
        warnings.append(said.message_primary or "")

    connection.add_notice_handler(listen)
    try:
        answer = connection.execute("COMMIT", prepare=False).statusmessage
    finally:
        connection.remove_notice_handler(listen)
    if answer != "COMMIT":
        raise LedgerError("the ledger's server has undone what it was to keep", found=answer)
    if writes and warnings:
        raise LedgerUnreachable(
            "the ledger's server has not waited for its standby, which may not know what was written",
            found=warnings[0],
            fix=InTurn(Advice("look whether the standby runs and can be reached"), RESUME),
        )
