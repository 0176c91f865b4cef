"""One thread that works on a database: what is asked for meanwhile is committed together (group commit)."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from dispatcher.errors import LedgerError
from dispatcher.ledger.db import Db

T = TypeVar("T")

#: The most operations in one transaction: bounds how long the first waits for the disk.
GROUP_MAX = 64


@dataclass(slots=True)
class Operation(Generic[T]):
    """What is to be done in a transaction: a function of the database that can be run again."""

    work: Callable[[Db], T]
    writes: bool
    future: Future[T]
    #: Whose rows it is about; 0: nobody's alone.
    account_id: int
    #: By `time.monotonic`.
    asked_s: float
    #: Its account was another's: it is tried by itself, after all that came meanwhile.
    was_locked: bool = False


class GroupCommit(ABC):
    """Runs operations in order. Those that wait at the same moment share one commit.

    Where one of a group fails, the group is rolled back and each is run alone, so that only the faulty one fails.
    """

    def __init__(self) -> None:
        """Call it last: the thread begins."""
        self._pid = os.getpid()
        self._queue: queue.SimpleQueue[Operation[Any] | None] = queue.SimpleQueue()
        #: Nothing may be put behind the end of the queue: it would wait for ever.
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name="ledger-writer", daemon=True)
        self._thread.start()

    @abstractmethod
    def _run(self, group: list[Operation[Any]]) -> None:
        """Do them in one transaction, or each in its own, and end each's future, or put it back. Never raises."""

    @abstractmethod
    def _end(self) -> None:
        """Nothing more comes: close the connection."""

    async def do(self, work: Callable[[Db], T], *, account_id: int = 0) -> T:
        """Run `work` in a transaction; when this returns, it is on disk.

        A caller that is cancelled does not undo the work. Raises: LedgerError and what `work` raises of ours;
        LedgerUnreachable also where it is not known whether it was committed.
        """
        return await self._put(work, writes=True, account_id=account_id)

    async def read(self, work: Callable[[Db], T]) -> T:
        """Run `work`, which only reads: it does not wait for other processes' transactions. Raises: as `do`."""
        return await self._put(work, writes=False, account_id=0)

    async def _put(self, work: Callable[[Db], T], *, writes: bool, account_id: int) -> T:
        inner = asyncio.wrap_future(self._queued(work, writes=writes, account_id=account_id))
        outer = asyncio.shield(inner)
        # Whoever is cancelled before or in the moment in which it fails never asks why: that is no bug to be told of.
        for future in (inner, outer):
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await outer

    def _queued(self, work: Callable[[Db], T], *, writes: bool, account_id: int) -> Future[T]:
        future: Future[T] = Future()
        # From here on it cannot be cancelled: what is queued is done.
        future.set_running_or_notify_cancel()
        with self._closing:
            if self._closed or self._pid != os.getpid():
                # A forked child has the connection and no thread; to use it there would break the parent's.
                raise LedgerError("the ledger is closed")
            self._queue.put(Operation(work, writes, future, account_id, time.monotonic()))
        return future

    def _put_back(self, operation: Operation[Any]) -> bool:
        """Have it done after what waits; False: it is too late for that."""
        with self._closing:
            if self._closed:
                return False
            operation.was_locked = True
            self._queue.put(operation)
            return True

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
                group: list[Operation[Any]] = []
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
            self._end()
