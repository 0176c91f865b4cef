"""web.sqlite3: opened durable, made where there is none, refused where it is not ours."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dispatcher.durable import sync_folder
from dispatcher.web.store.failures import corrupt, is_busy, too_new
from dispatcher.web.store.queries import queries, schema

SCHEMA_VERSION = 1
#: Marks the file as ours: "dspw".
APPLICATION_ID = 0x64737077
FILE_NAME = "web.sqlite3"
#: How long a change waits for another process' (`serve users` beside a server): each takes milliseconds.
BUSY_WAIT_S = 10.0

Row = tuple[Any, ...]


class Db:
    """The named queries, inside a transaction that somebody else began. Raises: sqlite3.Error."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def run(self, name: str, /, **values: Any) -> int:
        """Run a statement; how many rows it changed."""
        return self.connection.execute(queries()[name], values).rowcount

    def first(self, name: str, /, **values: Any) -> Row | None:
        """A query's first row; None: it has none."""
        rows = self.rows(name, **values)
        return rows[0] if rows else None

    def rows(self, name: str, /, **values: Any) -> Sequence[Row]:
        """All rows of a query."""
        # All of them: a statement that is not read to its end stays open.
        return self.connection.execute(queries()[name], values).fetchall()


def connect(folder: Path) -> sqlite3.Connection:
    """Open the store of a state folder, which is made where there is none, for this user alone. Blocking; a few ms.

    Raises: sqlite3.Error, OSError, LedgerCorrupt, LedgerTooNew.
    """
    path = folder / FILE_NAME
    _make_folder(folder)
    if not path.exists():
        # SQLite gives its log the rights of the file itself.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        sync_folder(folder)
    end_s = time.monotonic() + BUSY_WAIT_S
    while True:
        try:
            return _connect(path)
        except sqlite3.OperationalError as error:
            # Two processes that make the file at one moment: SQLite does not wait to change the journal mode.
            if not is_busy(error) or time.monotonic() > end_s:
                raise
            time.sleep(0.01)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_WAIT_S)
    try:
        version = file_version(db)
        # What a person was told has happened must not be gone after a power cut: a launch, a role, a session's end.
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA fullfsync = ON")  # macOS: fsync alone does not reach the disk
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA secure_delete = ON")  # cells that are shown as samples are gone when their draft is
        if version < SCHEMA_VERSION:
            _make(db)
    except BaseException:
        db.close()
        raise
    return db


def file_version(db: sqlite3.Connection) -> int:
    """The file's schema version, 0 for a new one. Looked at before anything is changed.

    Raises: LedgerCorrupt, LedgerTooNew, sqlite3.Error.
    """
    application_id: int
    version: int
    application_id, version, tables = db.execute(queries()["file_version"]).fetchone()
    if application_id != APPLICATION_ID and (application_id, version, tables) != (0, 0, 0):
        raise corrupt(f"application id {application_id}, version {version}")
    if version > SCHEMA_VERSION:
        raise too_new(version, SCHEMA_VERSION)
    return version


def _make(db: sqlite3.Connection) -> None:
    """Make the tables, all or none."""
    db.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it while this one waited.
        if file_version(db) == 0:
            for statement in schema():
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    if folder.parent != folder:
        _make_folder(folder.parent)
    folder.mkdir(exist_ok=True, mode=0o700)
    sync_folder(folder.parent)
