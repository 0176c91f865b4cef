"""A throw-away ledger that knows one campaign, for whoever asks "what if".

It has no name on the disk, unless it is to be kept: a page plans a file into it in one process, and looks at what came
of that from another, for as long as the file waits to be sent.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from dispatcher.errors import LedgerError
from dispatcher.ledger.named_sql import named_sql
from dispatcher.ledger.sqlite.connection import (
    APPLICATION_ID,
    FILE_NAME,
    OPEN_WAIT_S,
    SCHEMA_VERSION,
    check_not_cut,
    check_sqlite,
    connect_readonly,
    file_version,
    lend_functions,
    make_folder,
    upgrade,
)
from dispatcher.ledger.sqlite.failures import mapped, mapped_os
from dispatcher.ledger.sqlite.key import KeyReader, key_of
from dispatcher.ledger.sqlite.queries import queries

#: What is copied, in this order, and by which query: the accounts and the campaigns' names, and one campaign's rows.
TABLES = [
    "accounts",
    "campaigns",
    "beginnings",
    "inputs",
    "rows",
    "chunks",
    "row_keys",
    "tallies",
    "runs",
    "attempts",
    "sent",
    "contacts",
    "places",
    "lists",
    "suppressed",
    "executions",
    "erasures",
]


#: What SQLite keeps beside a file.
_COMPANIONS = ("", "-journal", "-wal", "-shm")


class Elsewhere(Protocol):
    """A ledger that is no file of this machine's. Raises: LedgerError."""

    def tables(
        self, campaign: str, since_ms: int | None, columns: Mapping[str, Sequence[str]]
    ) -> Generator[tuple[str, Sequence[Sequence[Any]]], None, None]:
        """What it knows of a campaign, as of one moment: of each table in `columns` these columns of some rows."""

    def key(self) -> bytes | None:
        """By which forgotten people are told; None: there is none."""


def rehearse(
    ledger: Path | Elsewhere, campaign: str, since_ms: int | None, scratch: Path | None = None
) -> sqlite3.Connection:
    """A private temporary database with what the ledger knows of a campaign; empty where that is nothing. Blocking.

    `ledger`: its folder, or one that is no file.
    Of other campaigns what tells whom they have reached after `since_ms`; None: nothing.
    SQLite removes the file's name as soon as it is open: whatever kills the process, nothing is left. With `scratch` it
    is made anew under that name, for this user alone, and stays; a file that was there is removed first.
    Raises: LedgerFull, LedgerUnwritable, LedgerCorrupt, LedgerTooNew, LedgerError.
    """
    check_sqlite()
    try:
        if scratch is not None:
            _make_empty(scratch)
        # "": a temporary file without a name (sqlite.org/inmemorydb.html#temp_db).
        db = _open(scratch.resolve().as_uri() if scratch else "", _key_of(ledger))
        try:
            if not isinstance(ledger, Path):
                _fill(ledger, campaign, since_ms, db)
            elif (path := ledger / FILE_NAME).exists():
                check_not_cut(path)
                _copy(path, campaign, since_ms, db)
            upgrade(db)
            db.execute(queries()["rehearsal_index_left_out"])
            db.execute(queries()["rehearsal_index_left_out_by"])
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as error:
        raise mapped(error) from error
    except OSError as error:
        raise mapped_os(error) from error
    return db


def reopen(ledger: Path | Elsewhere, scratch: Path) -> sqlite3.Connection:
    """A database that `rehearse` has kept, as it was left. Blocking; a few ms.

    Raises: LedgerError: it is not there, or was never whole; LedgerCorrupt, LedgerTooNew, LedgerUnwritable.
    """
    check_sqlite()
    try:
        if not scratch.is_file():
            raise _gone()
        db = _open(f"{scratch.resolve().as_uri()}?mode=rw", _key_of(ledger))
        try:
            version = file_version(db)
            if version == 0:
                raise _gone()
            if version < SCHEMA_VERSION:
                upgrade(db)
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as error:
        raise mapped(error) from error
    except OSError as error:
        raise mapped_os(error) from error
    return db


def remove(scratch: Path) -> None:
    """Remove a database that `rehearse` has kept, if it is there. Raises: LedgerUnwritable."""
    try:
        for companion in _COMPANIONS:
            scratch.with_name(scratch.name + companion).unlink(missing_ok=True)
    except OSError as error:
        raise mapped_os(error) from error


def _key_of(ledger: Path | Elsewhere) -> KeyReader:
    return key_of(ledger) if isinstance(ledger, Path) else ledger.key


def _open(uri: str, key: KeyReader) -> sqlite3.Connection:
    db = sqlite3.connect(uri, isolation_level=None, check_same_thread=False, uri=True, cached_statements=256)
    try:
        lend_functions(db, key)
        db.execute("PRAGMA foreign_keys = OFF")  # a campaign whose latest file is not copied
        db.execute("PRAGMA synchronous = OFF")
    except BaseException:
        db.close()
        raise
    return db


def _make_empty(scratch: Path) -> None:
    make_folder(scratch.parent)
    remove(scratch)
    # SQLite gives what it makes beside a file the file's own permissions.
    os.close(os.open(scratch, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _gone() -> LedgerError:
    return LedgerError("what a check has found is not there any more", fix="check the file again")


def _copy(path: Path, campaign: str, since_ms: int | None, db: sqlite3.Connection) -> None:
    """Make the ledger's tables, of whatever version it is, and bring the campaign's rows over; all as of one moment."""
    with contextlib.closing(connect_readonly(path)) as source:
        if file_version(source) == 0:
            return
    sql = queries()
    db.execute(f"PRAGMA busy_timeout = {int(OPEN_WAIT_S * 1000)}")
    db.execute("ATTACH ? AS source", (f"{path.resolve().as_uri()}?mode=ro",))
    db.execute("BEGIN")
    # The version and the tables as of the same moment: another process may upgrade the ledger just now.
    (version,) = db.execute("PRAGMA source.user_version").fetchone()
    made = db.execute(sql["rehearsal_schema"]).fetchall()
    for kind, _, statement in made:
        if kind == "table":
            db.execute(statement)
    names = {name for kind, name, _ in made if kind == "table"}
    for table in TABLES:
        if table in names:
            db.execute(sql[f"rehearsal_{table}"], {"campaign": campaign, "since_ms": since_ms})
    for kind, _, statement in made:
        if kind in ("index", "view", "trigger"):
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {version}")
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("COMMIT")
    db.execute("DETACH source")


def _fill(ledger: Elsewhere, campaign: str, since_ms: int | None, db: sqlite3.Connection) -> None:
    """Make the tables of this program's version, and bring the campaign's rows over."""
    sql, copying = queries(), named_sql("dispatcher.ledger.sqlite", "copying.sql")
    with contextlib.closing(sqlite3.connect("", isolation_level=None)) as empty:
        lend_functions(empty, lambda: None)
        upgrade(empty)
        made = empty.execute(copying["made"]).fetchall()
        # Those of people are made anew from the rows that are here.
        wanted = [table for table in TABLES if table != "contacts"]
        columns = {
            table: [name for name, _ in empty.execute(copying["columns"].format(table=table))] for table in wanted
        }
    db.execute("BEGIN")
    for kind, statement in made:
        if kind == "table":
            db.execute(statement)
    with contextlib.closing(ledger.tables(campaign, since_ms, columns)) as found:
        for table, rows in found:
            names, holes = ", ".join(f'"{name}"' for name in columns[table]), ", ".join("?" * len(columns[table]))
            db.executemany(copying["put"].format(table=table, columns=names, holes=holes), rows)
    db.execute(sql["rehearsal_contacts"])
    for kind, statement in made:
        if kind != "table":
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("COMMIT")
