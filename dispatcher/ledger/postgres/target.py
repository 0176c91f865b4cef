"""A ledger that another one is copied into: in batches, each with how far it is. Whatever kills the copy, it goes on.

Nobody else can open it until all of it is there (`copy_get`, which every opening looks at).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from dispatcher.clock import now_ms
from dispatcher.errors import LedgerNotMigrated, LedgerUnreachable, UsageError
from dispatcher.ledger.named_sql import named_sql
from dispatcher.ledger.tables import LEASE, TABLES, Columns, Figures, Kind, Table, figures_wanted
from dispatcher.remedies import Advice, Command, InTurn

#: A table, how many rows of it are there, and the key of the last of them.
Progress = dict[str, tuple[int, list[Any] | None]]

_KINDS: dict[str, Kind] = {
    "bigint": "int",
    "integer": "int",
    "boolean": "bool",
    "text": "text",
    "text[]": "texts",
    "bytea": "bytes",
    "double precision": "float",
}
_FIGURES: Mapping[Kind, Sequence[str]] = {
    "int": (
        "count({c})",
        "coalesce(sum({c}::bigint >> 32), 0)::bigint",
        "coalesce(sum({c}::bigint & 4294967295), 0)::bigint",
    ),
    "bool": ("count({c})", "coalesce(sum({c}::integer), 0)::bigint"),
    "float": ("count({c})", "coalesce(sum(round({c}::numeric * 1000)), 0)::bigint"),
    "text": ("count({c})", "coalesce(sum(octet_length({c})), 0)::bigint"),
    "texts": ("count({c})", "coalesce(sum(cardinality({c})), 0)::bigint"),
    "bytes": ("count({c})", "coalesce(sum(octet_length({c})), 0)::bigint"),
}


def check_whole(connection: psycopg.Connection[Any]) -> None:
    """Raises: LedgerNotMigrated: a copy of another ledger into this one was begun, and is not whole."""
    found = connection.execute(named_sql("dispatcher.ledger.postgres", "copying.sql")["copy_get"]).fetchone()
    if found is None or found[2] is not None:
        return
    rows = sum(n for n, _ in json.loads(found[1]).values())
    raise LedgerNotMigrated(
        "a ledger is being copied into this database, and not all of it is there",
        found=f"{rows:,} rows so far, of {json.loads(found[0])['path']}",
        fix=Command("ledger copy", (), (), does="goes on with it"),
    )


class Target:
    """A ledger of this program's version, by a connection of the caller's, which commits by itself. For one thread."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        """Raises: LedgerUnreachable: another copy into it is going on."""
        self._connection = connection
        self._texts = named_sql("dispatcher.ledger.postgres", "copying.sql")
        self._types: dict[str, list[str]] = {}
        if not self._one("copy_alone")[0]:
            raise LedgerUnreachable(
                "another process copies a ledger into this database", fix=Advice("wait until it has finished")
            )

    def found(self) -> tuple[str, Progress, bool] | None:
        """The copy that was begun: of which ledger, how far it is, and whether it is whole; None: none was."""
        row = self._run("copy_get").fetchone()
        return None if row is None else (row[0], json.loads(row[1]), row[2] is not None)

    def begin(self, source: str, key: bytes | None) -> None:
        """Make room for a copy of that ledger; what an earlier copy has left goes, if it was not whole.

        Raises: UsageError: it is a ledger that knows something.
        """
        with self._connection.transaction():
            if self.found() is None:
                # An account alone is made by whoever only looks.
                known = [table.name for table in TABLES[1:] if self._one("has_rows", table=table.name)[0]]
                if known:
                    raise UsageError(
                        "there is a ledger already, and two cannot be made one",
                        found=f"the database has {', '.join(known[:5])}",
                        fix=Advice("make an empty database, and set [state] url to it"),
                    )
            self._run("copy_forget")
            self._run("empty", tables=", ".join(table.name for table in TABLES))
            self._run("key_forget")
            if key is not None:
                self._run("key_keep", {"key": key.hex()})
            self._run("copy_begin", {"source": source})

    def check_alone(self) -> None:
        """Once the copy is begun, nobody else may have the database open: of what they see only a part is true.

        Raises: LedgerUnreachable; nothing is left of a copy that had only begun.
        """
        if not (others := [name for (name,) in self._run("others", {}).fetchall()]):
            return
        found = self.found()
        if found is not None and not found[1]:
            self._run("copy_forget")
        raise LedgerUnreachable(
            "other processes work with the ledger of this database",
            found=", ".join(others[:5]),
            fix=InTurn(Advice("stop its workers and pages, on all machines"), Command("ledger copy")),
        )

    def columns(self, table: Table) -> Columns:
        """Its columns, in order, without those that only this kind of ledger has."""
        found = self._run("columns", table=table.name).fetchall()
        own = LEASE if table.name == "accounts" else frozenset[str]()
        self._types[table.name] = [kind for name, kind in found if name not in own]
        return {name: _KINDS[kind] for name, kind in found if name not in own}

    def add(self, table: Table, columns: Columns, rows: Sequence[Sequence[Any]], progress: Progress) -> None:
        """Rows with all columns of `columns()`, in their order, and how far the copy is with them: both or neither."""
        several = [at for at, kind in enumerate(columns.values()) if kind == "texts"]
        statement = self._text("copy_in", table=table.name, columns=", ".join(columns))
        with self._connection.transaction(), self._connection.cursor() as cursor:
            with cursor.copy(statement) as copy:
                copy.set_types(self._types[table.name])
                if several:
                    rows = [[_several(at, several, value) for at, value in enumerate(row)] for row in rows]
                for row in rows:
                    copy.write_row(row)
            self._run("copy_keep", {"progress": json.dumps(progress)})

    def figures(self, table: Table, columns: Columns) -> Figures:
        """What can be counted and summed of a table."""
        wanted = figures_wanted(table, columns, _FIGURES)
        found: Figures = list(self._one("figures", figures=wanted, table=table.name))
        for column in table.counted_by:
            rows = self._run("counts", column=column, table=table.name).fetchall()
            found.append(sorted([str(value), n] for value, n in rows))
        return found

    def number_on(self) -> None:
        """The next rows get numbers above all that are there, and the planner knows the tables."""
        for table in TABLES:
            if table.is_numbered:
                self._run("numbered", table=table.name, key=table.key[0])
        self._run("analyze", tables=", ".join(table.name for table in TABLES))

    def end(self) -> None:
        """All of it is there: from now on it is a ledger like any."""
        self._run("copy_end", {"now_ms": now_ms()})

    def _one(self, name: str, **names: str) -> tuple[Any, ...]:
        row: tuple[Any, ...] | None = self._run(name, **names).fetchone()
        assert row is not None
        return row

    def _run(self, name: str, values: dict[str, Any] | None = None, /, **names: str) -> psycopg.Cursor[Any]:
        return self._connection.execute(self._text(name, **names), values)

    def _text(self, name: str, **names: str) -> str:
        sql = self._texts[name]
        return sql.format(**names) if names else sql


def _several(at: int, several: Sequence[int], value: Any) -> Any:
    return json.loads(value) if at in several and value is not None else value
