"""Whether a ledger's file is whole; looked at without changing it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from dispatcher.ledger import pseudonyms
from dispatcher.ledger.health import LedgerHealth, Looking
from dispatcher.ledger.soundness import unsound
from dispatcher.ledger.sqlite.connection import (
    APPLICATION_ID,
    FILE_NAME,
    SCHEMA_VERSION,
    connect_readonly,
    lend_functions,
)
from dispatcher.ledger.sqlite.failures import mapped
from dispatcher.ledger.sqlite.key import key_of
from dispatcher.ledger.sqlite.queries import queries

#: Problems that are worth reading.
PROBLEMS_MAX = 5
#: The schema's version from which on people can be forgotten.
_FORGETS = 16


def ledger_health(state_dir: Path, looking: Looking | None = None) -> LedgerHealth | None:
    """Read the whole file and check its structure (SQLite's quick_check); None where there is no ledger. Blocking.

    `looking`: and what it says, row by row; called with how far that is.
    Raises: LedgerCorrupt, LedgerUnwritable, LedgerError: it cannot even be read.
    """
    path = state_dir / FILE_NAME
    if not path.exists():
        return None
    size_bytes = sum(file.stat().st_size for file in state_dir.glob(f"{FILE_NAME}*") if file.is_file())
    try:
        with contextlib.closing(connect_readonly(path)) as db:
            (application_id,) = db.execute("PRAGMA application_id").fetchone()
            (version,) = db.execute("PRAGMA user_version").fetchone()
            problems = [text for (text,) in db.execute(f"PRAGMA quick_check({PROBLEMS_MAX})") if text != "ok"]
            if application_id != APPLICATION_ID:
                problems.insert(0, "the file is another program's, not a ledger")
            campaigns = 0 if problems else len(db.execute(queries()["campaign_list"]).fetchall())
            (since_ms,) = (None,) if problems else db.execute(queries()["ledger_since"]).fetchone()
            if looking is not None and not problems and version == SCHEMA_VERSION:
                db.execute("BEGIN")
                problems = list(unsound(lambda sql: db.execute(sql).fetchall(), looking))
            is_key_lost = not problems and version >= _FORGETS and _is_key_lost(db, state_dir)
    except sqlite3.Error as error:
        raise mapped(error) from error
    return LedgerHealth(
        location=str(path),
        size_bytes=size_bytes,
        version=version,
        version_known=SCHEMA_VERSION,
        campaigns=campaigns,
        since_ms=since_ms,
        problems=tuple(problems),
        kept_by=f"SQLite {sqlite3.sqlite_version}, WAL, synchronous = EXTRA",
        key_lost=pseudonyms.key_lost() if is_key_lost else None,
    )


def _is_key_lost(db: sqlite3.Connection, state_dir: Path) -> bool:
    lend_functions(db, key_of(state_dir))
    found = db.execute(queries()["erasure_key"]).fetchone()
    return found is not None and not found[0]
