"""A throw-away ledger that knows one campaign, for commands that ask "what if". It has no name on the disk."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from dispatcher.ledger.sqlite.connection import (
    APPLICATION_ID,
    FILE_NAME,
    OPEN_WAIT_S,
    check_not_cut,
    check_sqlite,
    connect_readonly,
    file_version,
    lend_functions,
    upgrade,
)
from dispatcher.ledger.sqlite.failures import mapped, mapped_os
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


def rehearse(state_dir: Path, campaign: str, since_ms: int | None) -> sqlite3.Connection:
    """A private temporary database with what the ledger knows of a campaign; empty where that is nothing. Blocking.

    Of other campaigns what tells whom they have reached after `since_ms`; None: nothing.
    SQLite removes the file's name as soon as it is open: whatever kills the process, nothing is left.
    Raises: LedgerFull, LedgerUnwritable, LedgerCorrupt, LedgerTooNew, LedgerError.
    """
    check_sqlite()
    try:
        # "": a temporary file without a name (sqlite.org/inmemorydb.html#temp_db).
        db = sqlite3.connect("", isolation_level=None, check_same_thread=False, uri=True, cached_statements=256)
        try:
            lend_functions(db, state_dir)
            db.execute("PRAGMA foreign_keys = OFF")  # a campaign whose latest file is not copied
            db.execute("PRAGMA synchronous = OFF")
            path = state_dir / FILE_NAME
            if path.exists():
                check_not_cut(path)
                _copy(path, campaign, since_ms, db)
            upgrade(db)
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as error:
        raise mapped(error) from error
    except OSError as error:
        raise mapped_os(error) from error
    return db


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
