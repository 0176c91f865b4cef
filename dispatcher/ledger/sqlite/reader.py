"""The ledger's file as it is now, however long it is read."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from dispatcher.ledger.sqlite.connection import connect_readonly
from dispatcher.ledger.sqlite.db import SqliteDb
from dispatcher.ledger.sqlite.failures import mapped
from dispatcher.ledger.sqlite.queries import queries


@contextlib.contextmanager
def frozen(path: Path) -> Iterator[SqliteDb]:
    """The ledger as it is now, however long it is read: for one thread. Raises: LedgerError."""
    try:
        with contextlib.closing(connect_readonly(path)) as connection:
            connection.execute("BEGIN")
            # What is seen is fixed by the first look, not by the BEGIN.
            connection.execute(queries()["file_version"]).fetchone()
            yield SqliteDb(connection)
    except sqlite3.Error as error:
        raise mapped(error) from error
