"""PostgreSQL's part of the group commit.

It connects again before a transaction, never inside one: what a lost connection has not committed is not there, and of
what it was just committing nobody knows.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from psycopg.errors import Diagnostic

from dispatcher.errors import LedgerError, LedgerUnreachable
from dispatcher.ledger.group_commit import GroupCommit, Operation
from dispatcher.ledger.postgres.db import Connection, PostgresDb
from dispatcher.ledger.postgres.failures import RESUME, is_clash, is_locked, is_lost, mapped
from dispatcher.remedies import Advice, InTurn

#: Transactions that were in each other's way are tried so often.
CLASHES_MAX = 8
#: An account that another process writes to is waited for so long, a moment at a time (`connection.LOCK_MS`): between
#: two of them come those who want others, and leases that are to be renewed.
LOCKED_MAX_S = 20.0


class Writer(GroupCommit):
    """Runs operations on one connection: see `GroupCommit`.

    Those of an account in the order in which they came; accounts are locked in the order of their numbers, so that no
    two processes wait for each other.
    """

    def __init__(self, connection: Connection, reconnect: Callable[[], Connection]) -> None:
        """`reconnect`: called on the thread. Raises: LedgerError."""
        self._connection: Connection | None = connection
        self._reconnect = reconnect
        #: Since when the server has not answered, by `time.monotonic`; None: nothing is asked of it.
        self.busy_since_s: float | None = None
        super().__init__()

    def _run(self, group: list[Operation[Any]]) -> None:
        self.busy_since_s = time.monotonic()
        # Stable: an account's own stay in their order.
        group.sort(key=lambda one: one.account_id)
        again = [one for one in group if one.was_locked]
        if together := [one for one in group if not one.was_locked]:
            self._work(together)
        for one in again:
            self._work([one])
        self.busy_since_s = None

    def _end(self) -> None:
        self._drop()

    def _work(self, group: list[Operation[Any]]) -> None:
        try:
            results = self._tried(group)
        except BaseException as error:
            if len(group) > 1 and not isinstance(error, LedgerUnreachable):
                for operation in group:
                    self._work([operation])
                return
            if is_locked(error) and self._is_young(group[0]) and self._put_back(group[0]):
                return
            failure = mapped(error)
            for operation in group:
                operation.future.set_exception(failure)
            return
        for operation, result in zip(group, results, strict=True):
            operation.future.set_result(result)

    @staticmethod
    def _is_young(operation: Operation[Any]) -> bool:
        return time.monotonic() - operation.asked_s <= LOCKED_MAX_S

    def _tried(self, group: list[Operation[Any]]) -> list[Any]:
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

    def _transaction(self, group: list[Operation[Any]]) -> list[Any]:
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
