"""A ledger that is copied into another database: held still while it is read, and set aside when all of it is there."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dispatcher.durable import sync_folder
from dispatcher.errors import LedgerUnreachable, UsageError
from dispatcher.ledger import pseudonyms
from dispatcher.ledger.chunks import ROW_NUMBER_BITS, ROW_NUMBER_MASK
from dispatcher.ledger.location import NOTE_NAME
from dispatcher.ledger.named_sql import named_sql
from dispatcher.ledger.sqlite.connection import FILE_NAME, check_not_cut, connect
from dispatcher.ledger.sqlite.copies import check_unused, take_log_along
from dispatcher.ledger.sqlite.failures import mapped, mapped_os
from dispatcher.ledger.sqlite.key import KEY_NAME, read_key
from dispatcher.ledger.sqlite.queries import queries
from dispatcher.ledger.tables import TABLES, Columns, Figures, Kind, Table, figures_wanted
from dispatcher.remedies import Advice, Option

#: What a ledger that was copied is called where it was.
COPIED_NAME = f"copied-{FILE_NAME}"
#: PostgreSQL's index entries hold no more (a third of a page, less what stands around them).
KEY_MAX_BYTES = 2600
#: Of each column so many rows are named.
NAMED_MAX = 3
_KINDS: dict[str, Kind] = {"INTEGER": "int", "TEXT": "text", "BLOB": "bytes", "REAL": "float"}
_FIGURES: dict[Kind, tuple[str, ...]] = {
    # In halves: a sum of rows' numbers would not fit.
    "int": ("count({c})", "coalesce(sum({c} >> 32), 0)", "coalesce(sum({c} & 4294967295), 0)"),
    "bool": ("count({c})", "coalesce(sum({c}), 0)"),
    "float": ("count({c})", "coalesce(sum(CAST(round({c} * 1000) AS INTEGER)), 0)"),
    "text": ("count({c})", "coalesce(sum(length(CAST({c} AS BLOB))), 0)"),
    "texts": ("count({c})", "coalesce(sum(json_array_length({c})), 0)"),
    "bytes": ("count({c})", "coalesce(sum(length({c})), 0)"),
}
_REPLACED = ("count({c})", "coalesce(sum(length(CAST(fit(CAST({c} AS BLOB)) AS BLOB))), 0)")


@dataclass(frozen=True, slots=True)
class Unfit:
    """Rows with a text that the other database does not take."""

    table: str
    column: str
    n: int
    #: The first of them, for people: what they are told by, never the text.
    named: tuple[str, ...]
    #: Whether something is told by that text: it cannot be written any other way.
    is_key: bool


class Source:
    """Made by `held_source`: for one thread."""

    #: Whether what PostgreSQL does not take in a text is replaced (by U+FFFD) where nothing is told by it.
    replaces = False

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self._db = db
        self._texts = named_sql("dispatcher.ledger.sqlite", "copying.sql")

    @property
    def identity(self) -> str:
        """Which ledger it is, as it is: another one where anything was written to it since."""
        found = self.path.stat()
        as_it_is = {"path": str(self.path), "bytes": found.st_size, "changed_ns": found.st_mtime_ns}
        return json.dumps({**as_it_is, "replaces": self.replaces})

    @property
    def key(self) -> bytes | None:
        """By which forgotten people are told. Raises: LedgerKeyLost."""
        found = self._db.execute(queries()["erasure_key"]).fetchone()
        if found is not None and not found[0]:
            raise pseudonyms.key_lost()
        return read_key(self.path.parent / KEY_NAME)

    def columns(self, table: Table) -> Columns:
        """Its columns, in order."""
        found = self._db.execute(self._texts["columns"].format(table=table.name)).fetchall()
        return {name: _KINDS[kind] for name, kind in found}

    def count(self, table: Table) -> int:
        """How many rows it has."""
        n: int = self._db.execute(self._texts["count"].format(table=table.name)).fetchone()[0]
        return n

    def batches(self, table: Table, columns: Columns, after: Sequence[Any] | None) -> Iterator[list[tuple[Any, ...]]]:
        """Its rows, in the order of their key, behind the one whose key is `after`."""
        key, holes = ", ".join(table.key), ", ".join("?" * len(table.key))
        sql = self._texts["rows"].format(
            table=table.name,
            columns=", ".join(f'"{name}"' for name in columns),
            after="true" if after is None else f"({key}) > ({holes})",
            key=key,
        )
        self._db.text_factory = _fit if self.replaces else str
        cursor = self._db.execute(sql, after or ())
        while rows := cursor.fetchmany(table.batch):
            yield rows

    def figures(self, table: Table, columns: Columns) -> Figures:
        """What can be counted and summed of a table."""
        forms = _FIGURES | ({"text": _REPLACED} if self.replaces else {})
        wanted = figures_wanted(table, columns, forms)
        found: Figures = list(
            self._db.execute(self._texts["figures"].format(figures=wanted, table=table.name)).fetchone()
        )
        for column in table.counted_by:
            sql = self._texts["counts"].format(column=column, table=table.name)
            found.append(sorted([str(value), n] for value, n in self._db.execute(sql).fetchall()))
        return found

    def unfit(self, table: Table, columns: Columns) -> list[Unfit]:
        """Texts of a table that PostgreSQL does not take: with a NUL, no UTF-8, or a key that is too long."""
        texts = [name for name, kind in columns.items() if kind in ("text", "texts")]
        if not texts:
            return []
        # One call for each row: of most nothing is to be said.
        everything = " || ".join(f"coalesce(\"{name}\", '')" for name in texts)
        sql = self._texts["unfit"].format(
            key=", ".join(f'CAST("{name}" AS BLOB)' if columns[name] == "text" else f'"{name}"' for name in table.key),
            texts=", ".join(f'CAST("{name}" AS BLOB)' for name in texts),
            table=table.name,
            unfit=f"unfit(CAST({everything} AS BLOB))",
        )
        told_by = {*table.key, *table.told_by}
        found: dict[str, list[str]] = {}
        for row in self._db.execute(sql):
            key = ", ".join(
                _named(table, name, value)
                for name, value in zip(table.key, row[: len(table.key)], strict=True)
                if columns[name] != "text"
            )
            for name, text in zip(texts, row[len(table.key) :], strict=True):
                if text is not None and (_is_unfit(text) or (name in told_by and len(text) > KEY_MAX_BYTES)):
                    found.setdefault(name, []).append(key)
        return [
            Unfit(table.name, name, len(keys), tuple(dict.fromkeys(keys))[:NAMED_MAX], name in told_by)
            for name, keys in found.items()
        ]

    def check_at_rest(self) -> None:
        """Raises: UsageError: something is in flight, or was when a process was killed."""
        sending = [name for (name,) in self._db.execute(self._texts["sending"])]
        running = [name for (name,) in self._db.execute(self._texts["running"])]
        if sending or running:
            names = ", ".join(repr(name) if name else "a test send" for name in dict.fromkeys((*sending, *running)))
            raise UsageError(
                "something is in flight in the ledger, or was when a process was killed: what became of it must be"
                " known before it is copied",
                found=names,
                fix=Advice(
                    "go on with these campaigns, or reconcile them, with the old ledger ([state] url left out); then"
                    " copy it"
                ),
            )

    def leave_note(self, url: str) -> None:
        """From now on whoever looks for the ledger here is told where it is. On disk when this returns."""
        note = self.path.with_name(NOTE_NAME)
        part = note.with_name(f".{NOTE_NAME}.part")
        with os.fdopen(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            file.write(url + "\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(note)
        sync_folder(note.parent)

    def set_aside(self) -> Path:
        """Give the file another name, so that nobody goes on with it; returns which."""
        aside = self.path.with_name(COPIED_NAME)
        self.path.rename(aside)
        self._db.execute("ROLLBACK")
        self._db.close()
        take_log_along(self.path, COPIED_NAME)
        sync_folder(aside.parent)
        return aside


def _named(table: Table, column: str, value: Any) -> str:
    if column in ("row_id", "chunk_id"):
        return f"row {value & ROW_NUMBER_MASK} of file {value >> ROW_NUMBER_BITS}"
    return f"{column.removesuffix('_id')} {value}"


def _fit(text: bytes | None) -> str | None:
    return None if text is None else text.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _is_unfit(text: bytes) -> bool:
    if 0 in text:
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return True
    return False


@contextlib.contextmanager
def held_source(folder: Path) -> Iterator[Source]:
    """The ledger of a folder, of this program's version, with nobody writing to it until the end. Blocking.

    Raises: UsageError: there is none, or it is in use; AccountLocked, LedgerError.
    """
    path = folder / FILE_NAME
    if not path.exists():
        if (note := folder / NOTE_NAME).exists():
            raise UsageError("the ledger was copied already", found=str(note), fix=Advice("use the server's"))
        raise UsageError("there is no ledger to be copied", found=f"no {FILE_NAME} in {folder}", fix=Option("from"))
    with _errors():
        check_not_cut(path)
        # Upgraded as whoever opens it would.
        with contextlib.closing(connect(path)) as db:
            db.execute("PRAGMA busy_timeout = 5000")
            # What is in the log is in the file then, by whose size and time it is told whether anything has changed.
            (busy, _, _) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            db.execute("BEGIN IMMEDIATE")
            if busy:
                raise LedgerUnreachable("another program reads the ledger", fix=Advice("wait until it has finished"))
            db.create_function(
                "unfit", 1, lambda text: len(text) > KEY_MAX_BYTES or _is_unfit(text), deterministic=True
            )
            db.create_function("fit", 1, _fit, deterministic=True)
            check_unused(db, folder)
            source = Source(path, db)
            source.check_at_rest()
            yield source


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise mapped(error) from error
    except OSError as error:
        raise mapped_os(error) from error


def all_columns(source: Source) -> dict[str, Columns]:
    """Of every table."""
    return {table.name: source.columns(table) for table in TABLES}
