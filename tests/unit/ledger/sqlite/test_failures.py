"""What SQLite says, as our errors: what may be tried again is told apart from what may not."""

from __future__ import annotations

import sqlite3

import pytest

from dispatcher.errors import (
    LeaseLost,
    LedgerCorrupt,
    LedgerError,
    LedgerFull,
    LedgerUnreachable,
    LedgerUnwritable,
)
from dispatcher.ledger.sqlite.failures import is_busy, mapped


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SQLITE_BUSY", LedgerUnreachable),
        ("SQLITE_BUSY_SNAPSHOT", LedgerUnreachable),
        ("SQLITE_LOCKED", LedgerUnreachable),
        ("SQLITE_PROTOCOL", LedgerUnreachable),
        ("SQLITE_IOERR", LedgerUnreachable),
        ("SQLITE_IOERR_READ", LedgerUnreachable),
        ("SQLITE_IOERR_FSYNC", LedgerUnreachable),
        ("SQLITE_IOERR_WRITE", LedgerFull),
        ("SQLITE_FULL", LedgerFull),
        ("SQLITE_IOERR_CORRUPTFS", LedgerCorrupt),
        ("SQLITE_IOERR_DATA", LedgerCorrupt),
        ("SQLITE_CORRUPT_INDEX", LedgerCorrupt),
        ("SQLITE_NOTADB", LedgerCorrupt),
        ("SQLITE_READONLY_DBMOVED", LedgerUnwritable),
        ("SQLITE_CANTOPEN", LedgerUnwritable),
        ("SQLITE_ERROR", LedgerError),
    ],
)
def test_each_code_has_its_error(name: str, expected: type[LedgerError]) -> None:
    """By SQLite's own name of it; the error that came first stays to be seen."""
    error = sqlite3.OperationalError("said so")
    error.sqlite_errorname = name
    told = mapped(error)
    assert type(told) is expected
    assert told.__cause__ is error
    assert isinstance(told, LedgerError)
    assert "said so" in (told.found or "")
    assert told.fix is not None or expected is LedgerError
    assert is_busy(error) == name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


@pytest.mark.parametrize("error", [LeaseLost(), ValueError("a bug"), KeyboardInterrupt()])
def test_errors_not_of_sqlite_stay_what_they_are(error: BaseException) -> None:
    """Our own errors, and those that are nobody's, are not mapped."""
    assert mapped(error) is error
