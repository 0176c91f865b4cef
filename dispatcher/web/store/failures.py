"""What SQLite and the system say when something is wrong with the page's file, as our errors."""

from __future__ import annotations

import errno
import sqlite3

from dispatcher.errors import (
    DispatcherError,
    LedgerCorrupt,
    LedgerError,
    LedgerFull,
    LedgerTooNew,
    LedgerUnreachable,
    LedgerUnwritable,
)

_FULL = "the disk is full: nothing can be changed on the page"
_UNWRITABLE = "the page's files cannot be written"
_WRITABLE = "set [state] dir to a folder you may write"
_ROOM = "free some disk space"
_DAMAGED = ("SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_IOERR_CORRUPTFS", "SQLITE_IOERR_DATA")


def is_busy(error: BaseException) -> bool:
    """Whether another process held the file just then: worth another try."""
    return isinstance(error, sqlite3.OperationalError) and _name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def mapped(error: BaseException) -> BaseException:
    """sqlite3's and the system's errors as ours (codes: sqlite.org/rescode.html); everything else as it is."""
    if isinstance(error, OSError):
        return _with(error, mapped_os(error))
    if isinstance(error, DispatcherError) or not isinstance(error, sqlite3.Error):
        return error
    name, text = _name(error), str(error)
    if name in ("SQLITE_FULL", "SQLITE_IOERR_WRITE") or "disk is full" in text:
        return _with(error, LedgerFull(_FULL, found=text, fix=_ROOM))
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")) or name == "SQLITE_PERM":
        return _with(error, LedgerUnwritable(_UNWRITABLE, found=text, fix=_WRITABLE))
    if name.startswith(_DAMAGED) or "malformed" in text or "not a database" in text:
        return _with(error, corrupt(text))
    if name.startswith("SQLITE_IOERR"):
        return _with(error, LedgerUnreachable("the disk of the page's files failed", found=text, fix="check the disk"))
    if is_busy(error) or name == "SQLITE_PROTOCOL":
        fix = "close what has web.sqlite3 open, such as a database viewer with unsaved changes"
        return _with(error, LedgerUnreachable("another program kept the page's file locked", found=text, fix=fix))
    found = f"{name or type(error).__name__}: {text}"
    return _with(error, LedgerError("the page's file refused an operation", found=found))


def mapped_os(error: OSError) -> LedgerError:
    """An operating-system error on the page's files as ours."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return LedgerFull(_FULL, found=error.strerror, fix=_ROOM)
    return LedgerUnwritable(_UNWRITABLE, found=error.strerror, fix=_WRITABLE)


def corrupt(found: str) -> LedgerCorrupt:
    """The file is damaged, or another program's."""
    return LedgerCorrupt(
        "web.sqlite3 is damaged, or another program's",
        found=found,
        fix="keep the file and put a copy in its place; without one, people and drafts are entered anew"
        " (what was sent stands in the ledger)",
    )


def too_new(found: int, known: int) -> LedgerTooNew:
    """A newer program has made or upgraded the file."""
    return LedgerTooNew(
        "web.sqlite3 was written by a newer version of this program",
        found=f"version {found}, this program knows {known}",
        fix="upgrade dispatcher",
    )


def _with(cause: BaseException, error: LedgerError) -> LedgerError:
    error.__cause__ = cause
    return error


def _name(error: BaseException) -> str:
    return getattr(error, "sqlite_errorname", None) or ""
