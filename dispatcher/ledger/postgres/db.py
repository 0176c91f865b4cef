"""`ledger.db.Db` over one connection of psycopg."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import psycopg

from dispatcher.ledger.db import Row
from dispatcher.ledger.postgres.queries import Query, queries

Connection = psycopg.Connection[tuple[Any, ...]]


class PostgresDb:
    """See `ledger.db.Db`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        #: Sends a definition's values as part of its text.
        self._client = psycopg.ClientCursor(connection)

    def run(self, name: str, /, **values: Any) -> int:
        return self._execute(queries()[name], values).rowcount

    def one(self, name: str, /, **values: Any) -> Row:
        row: Row
        (row,) = self._execute(queries()[name], values).fetchall()
        return row

    def first(self, name: str, /, **values: Any) -> Row | None:
        rows = self._execute(queries()[name], values).fetchall()
        return rows[0] if rows else None

    def rows(self, name: str, /, **values: Any) -> Sequence[Sequence[Any]]:
        rows: list[Row] = self._execute(queries()[name], values).fetchall()
        return rows

    def insert(self, name: str, width: int, flat: Sequence[Any], /) -> None:
        self._many(name, width, flat, {})

    def update(self, name: str, width: int, flat: Sequence[int | str], /, **values: Any) -> int:
        return self._many(name, width, flat, values)

    @contextlib.contextmanager
    def undone(self) -> Iterator[None]:
        self.connection.execute("SAVEPOINT undone")
        try:
            yield
        finally:
            # A connection that is lost has undone all of it.
            if not self.connection.broken and not self.connection.closed:
                self.connection.execute("ROLLBACK TO SAVEPOINT undone")
                self.connection.execute("RELEASE SAVEPOINT undone")

    def _many(self, name: str, width: int, flat: Sequence[Any], values: dict[str, Any]) -> int:
        """All rows in one statement, or as few as their keys allow."""
        query = queries()[name]
        if query.width != width:
            raise ValueError(f"{name} takes rows of {query.width} values")
        changed = 0
        for some in _rounds(width, flat, query.unique):
            columns = {f"column{place + 1}": list(some[place::width]) for place in range(width)}
            changed += self._execute(query, values | columns).rowcount
        return changed

    def _execute(self, query: Query, values: dict[str, Any]) -> psycopg.Cursor[tuple[Any, ...]]:
        for key in query.json:
            values[key] = orjson.dumps(values[key]).decode()
        if query.is_definition:
            return self._client.execute(query.sql, values)
        return self.connection.execute(query.sql, values)


def _rounds(width: int, flat: Sequence[Any], unique: int | None) -> list[Sequence[Any]]:
    """Rows that may go in one statement: the n-th of a key goes in the n-th, since none may meet a row twice."""
    if unique is None or not flat:
        return [flat] if flat else []
    seen: Counter[Any] = Counter()
    rounds: list[list[Any]] = []
    for start in range(0, len(flat), width):
        key = flat[start + unique]
        if seen[key] == len(rounds):
            rounds.append([])
        rounds[seen[key]] += flat[start : start + width]
        seen[key] += 1
    return list(rounds)
