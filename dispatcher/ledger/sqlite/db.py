"""`ledger.db.Db` over one connection of Python's sqlite3."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from dispatcher.ledger.db import Row
from dispatcher.ledger.sqlite.queries import PADDED_TO, ROWS_PER_STATEMENT, many, packed, queries

# One statement for many rows, not one per row: a statement costs as much as its row, and each is a moment at which this
# thread gives the interpreter lock away and may wait 5 ms to get it back from a busy event loop.
# Rows' parameters are plain int and str, 0 and '' for what is missing: for anything else, None included, sqlite3 looks
# for an adapter, which takes a microsecond.


class SqliteDb:
    """See `ledger.db.Db`. `connection`: for what is SQLite's alone (backup, pragmas)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def run(self, name: str, /, **values: Any) -> int:
        return self._execute(name, values).rowcount

    def one(self, name: str, /, **values: Any) -> Row:
        row: Row
        # All of them: a statement that is not read to its end stays open.
        (row,) = self._execute(name, values).fetchall()
        return row

    def first(self, name: str, /, **values: Any) -> Row | None:
        rows = self._execute(name, values).fetchall()
        return rows[0] if rows else None

    def rows(self, name: str, /, **values: Any) -> Sequence[Sequence[Any]]:
        rows: list[Row] = self._execute(name, values).fetchall()
        if name in packed():
            unpacked: list[list[Any]] = orjson.loads(rows[0][0])
            return unpacked
        return rows

    def insert(self, name: str, width: int, flat: Sequence[Any], /) -> None:
        step = ROWS_PER_STATEMENT * width
        for start in range(0, len(flat), step):
            piece = flat[start : start + step]
            self.connection.execute(many(name, len(piece) // width, width).sql, piece)

    def update(self, name: str, width: int, flat: Sequence[int | str], /, **values: Any) -> int:
        changed = 0
        step = ROWS_PER_STATEMENT * width
        for start in range(0, len(flat), step):
            piece = flat[start : start + step]
            missing = -(len(piece) // width) % PADDED_TO
            statement = many(name, len(piece) // width + missing, width)
            before = [values[key] for key in statement.before]
            after = [values[key] for key in statement.after]
            padded = [*before, *piece, *[0] * (missing * width), *after]
            changed += self.connection.execute(statement.sql, padded).rowcount
        return changed

    @contextlib.contextmanager
    def undone(self) -> Iterator[None]:
        self.connection.execute("SAVEPOINT undone")
        try:
            yield
        finally:
            # A full disk has rolled the whole transaction back already.
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK TO undone")
                self.connection.execute("RELEASE undone")

    def _execute(self, name: str, values: dict[str, Any]) -> sqlite3.Cursor:
        for key, value in values.items():
            if type(value) is list:
                values[key] = orjson.dumps(value).decode()
        return self.connection.execute(queries()[name], values)
