"""The server's ledger as it is now, however long it is read: on a connection of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from dispatcher.ledger.postgres.connection import connected
from dispatcher.ledger.postgres.db import PostgresDb


@contextlib.contextmanager
def frozen(url: str, *, name: str = "report") -> Iterator[PostgresDb]:
    """The ledger as it is now, however long it is read: for one thread. Raises: LedgerError."""
    with connected(url, name=name, long=True) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        db = PostgresDb(connection)
        # What is seen is fixed by the first look, not by the BEGIN.
        db.one("clock_now_us")
        yield db
