"""SQLite's part of the group commit: one thread on the file, which waits for other processes' transactions."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from dispatcher.ledger.group_commit import GroupCommit, Operation
from dispatcher.ledger.sqlite.db import SqliteDb
from dispatcher.ledger.sqlite.failures import is_busy, mapped

#: SQLite's own wait for another process' transaction grows to 100 ms a step, and would hardly ever meet the moment
#: between two commits of a process that sends: so it waits this long, and we ask again,
BUSY_STEP_S = 0.005
#: for so long: another account's five million rows may just be planned.
BUSY_WAIT_S = 300.0


class Writer(GroupCommit):
    """Runs operations on one connection, in order: see `GroupCommit`."""

    def __init__(self, connection: sqlite3.Connection, *, busy_wait_s: float = BUSY_WAIT_S) -> None:
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_STEP_S * 1000)}")
        self.connection = connection
        self._db = SqliteDb(connection)
        self._busy_wait_s = busy_wait_s
        #: Since when another process keeps it from writing, by `time.monotonic`; None: nobody does.
        self.blocked_since_s: float | None = None
        super().__init__()

    def _end(self) -> None:
        self.connection.close()

    def _run(self, group: list[Operation[Any]]) -> None:
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

    def _transaction(self, group: list[Operation[Any]]) -> list[Any]:
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
