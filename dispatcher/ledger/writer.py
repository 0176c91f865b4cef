"""The one thread that writes: it gathers what is asked for meanwhile and commits it together (group commit)."""

from __future__ import annotations

import asyncio
import errno
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from dispatcher.errors import (
    DispatcherError,
    LedgerCorrupt,
    LedgerError,
    LedgerFull,
    LedgerUnwritable,
)

T = TypeVar("T")

#: The most operations in one transaction: bounds how long the first waits for its fsync.
GROUP_MAX = 64


@dataclass(slots=True)
class _Operation(Generic[T]):
    work: Callable[[sqlite3.Connection], T]
    future: Future[T]


class Writer:
    """Runs operations on one connection, in order. Operations waiting at the same moment share one commit.

    An operation is a function of the connection that can be run again: where one of a group fails, the group is rolled
    back and each is run alone, so that only the faulty one fails.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._queue: queue.SimpleQueue[_Operation[Any] | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name="ledger-writer", daemon=True)
        self._thread.start()

    async def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction; when this returns, it is on disk.

        A caller that is cancelled does not undo the work. Raises: LedgerError and what `work` raises of ours.
        """
        if self._closed:
            raise LedgerError("the ledger is closed")
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        self._queue.put(_Operation(work, future))
        return await asyncio.shield(asyncio.wrap_future(future))

    def close(self) -> None:
        """Finish what is queued, then close the connection."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _loop(self) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                break
            group = [first]
            last = False
            while len(group) < GROUP_MAX:
                try:
                    operation = self._queue.get_nowait()
                except queue.Empty:
                    break
                if operation is None:
                    last = True
                    break
                group.append(operation)
            self._run(group)
            if last:
                break
        self._connection.close()

    def _run(self, group: list[_Operation[Any]]) -> None:
        try:
            results = self._transaction([operation.work for operation in group])
        except BaseException as error:
            if len(group) == 1:
                group[0].future.set_exception(mapped(error))
                return
            for operation in group:
                self._run([operation])
            return
        for operation, result in zip(group, results, strict=True):
            operation.future.set_result(result)

    def _transaction(self, works: list[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            results = [work(connection) for work in works]
            connection.execute("COMMIT")
        except BaseException:
            # A full disk may have rolled the transaction back already.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return results


def mapped(error: BaseException) -> BaseException:
    """sqlite3's errors as ours (codes: sqlite.org/rescode.html); everything else as it is."""
    if isinstance(error, DispatcherError) or not isinstance(error, sqlite3.Error):
        return error
    name = getattr(error, "sqlite_errorname", "") or ""
    text = str(error)
    if name == "SQLITE_FULL" or "disk is full" in text or name == "SQLITE_IOERR_WRITE":
        mapping: LedgerError = LedgerFull(found=text, fix="free some disk space, then `dispatcher resume CAMPAIGN`")
    elif name.startswith("SQLITE_READONLY") or name in ("SQLITE_CANTOPEN", "SQLITE_PERM"):
        mapping = LedgerUnwritable(found=text, fix="set [state] dir to a folder you may write")
    elif name in ("SQLITE_NOTADB", "SQLITE_CORRUPT") or "malformed" in text or "not a database" in text:
        mapping = LedgerCorrupt(
            found=text,
            fix="keep the file, restore a copy of it, or set [state] dir to a new folder (which knows nothing of rows sent)",
        )
    elif name.startswith("SQLITE_IOERR"):
        mapping = LedgerError(
            "the ledger's disk failed", found=text, fix="check the disk, then `dispatcher resume CAMPAIGN`"
        )
    elif name in ("SQLITE_BUSY", "SQLITE_LOCKED"):
        mapping = LedgerError("another process kept the ledger locked", found=text, fix="try again")
    else:
        mapping = LedgerError("the ledger refused an operation", found=f"{name or type(error).__name__}: {text}")
    mapping.__cause__ = error
    return mapping


def mapped_os(error: OSError) -> LedgerError:
    """An operating-system error on the state folder as ours."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return LedgerFull(found=error.strerror, fix="free some disk space")
    return LedgerUnwritable(found=error.strerror, fix="set [state] dir to a folder you may write")
