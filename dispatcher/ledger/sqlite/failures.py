"""What SQLite and the system say when something is wrong with the ledger's file, as our errors."""

from __future__ import annotations

import errno
import sqlite3

from dispatcher.errors import (
    DispatcherError,
    LedgerCorrupt,
    LedgerError,
    LedgerFull,
    LedgerUnreachable,
    LedgerUnwritable,
)
from dispatcher.remedies import Advice, Command, InTurn

RESUME = Command("resume", ("CAMPAIGN",))
_WRITABLE = "set [state] dir to a folder you may write"
#: Not to be confused with a disk that fails for a moment.
_DAMAGED = ("SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_IOERR_CORRUPTFS", "SQLITE_IOERR_DATA")


def is_busy(error: BaseException) -> bool:
    """Whether another process held the file just then: worth another try."""
    return isinstance(error, sqlite3.OperationalError) and _name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def mapped(error: BaseException) -> BaseException:
    """sqlite3's errors as ours (codes: sqlite.org/rescode.html); everything else as it is."""
    if isinstance(error, DispatcherError) or not isinstance(error, sqlite3.Error):
        return error
    name, text = _name(error), str(error)
    mapping: LedgerError
    if name in ("SQLITE_FULL", "SQLITE_IOERR_WRITE") or "disk is full" in text:
        mapping = LedgerFull(found=text, fix=InTurn(Advice("free some disk space"), RESUME))
    elif name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")) or name == "SQLITE_PERM":
        mapping = LedgerUnwritable(found=text, fix=_WRITABLE)
    elif name.startswith(_DAMAGED) or "malformed" in text or "not a database" in text:
        mapping = LedgerCorrupt(
            found=text,
            fix="keep the file; restore a copy, or set [state] dir to a new folder (it knows nothing of rows sent)",
        )
    elif name.startswith("SQLITE_IOERR"):
        mapping = LedgerUnreachable(
            "the ledger's disk failed", found=text, fix=InTurn(Advice("check the disk"), RESUME)
        )
    elif is_busy(error) or name == "SQLITE_PROTOCOL":
        mapping = LedgerUnreachable(
            "another process kept the ledger locked",
            found=text,
            fix=InTurn(Advice("close what has it open, such as a database viewer with unsaved changes"), RESUME),
        )
    else:
        mapping = LedgerError("the ledger refused an operation", found=f"{name or type(error).__name__}: {text}")
    mapping.__cause__ = error
    return mapping


def mapped_os(error: OSError) -> LedgerError:
    """An operating-system error on the state folder as ours."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return LedgerFull(found=error.strerror, fix="free some disk space")
    return LedgerUnwritable(found=error.strerror, fix=_WRITABLE)


def _name(error: BaseException) -> str:
    return getattr(error, "sqlite_errorname", None) or ""
