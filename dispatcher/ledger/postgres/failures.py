"""What PostgreSQL and the way to it say when something is wrong, as our errors."""

from __future__ import annotations

import psycopg
from psycopg import errors as pg

from dispatcher.errors import (
    DispatcherError,
    LedgerCorrupt,
    LedgerError,
    LedgerFull,
    LedgerNotMigrated,
    LedgerUnreachable,
    LedgerUnwritable,
)
from dispatcher.remedies import Advice, AnyOf, Command, InTurn, Setting

RESUME = Command("resume", ("CAMPAIGN",))
MIGRATE = Command("ledger migrate", ())
#: Another transaction was in the way: worth another try at once.
_CLASHED = (pg.DeadlockDetected, pg.SerializationFailure)
_AWAY = InTurn(Advice("look whether the server runs and can be reached"), RESUME)


def is_clash(error: BaseException) -> bool:
    """Whether another transaction was in the way, and nothing is done."""
    return isinstance(error, _CLASHED)


def is_locked(error: BaseException) -> bool:
    """Whether another process has an account, and nothing is done: worth another try in a moment."""
    return isinstance(error, pg.LockNotAvailable)


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone: its transaction is, too, unless it was being committed."""
    if isinstance(error, pg.IdleInTransactionSessionTimeout):
        # This process stood still in the middle of it, and the server has ended the session.
        return True
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and not isinstance(
        error, (*_CLASHED, pg.LockNotAvailable, pg.QueryCanceled, pg.DiskFull, pg.InsufficientResources)
    )


def mapped(error: BaseException) -> BaseException:
    """psycopg's errors as ours; everything else as it is. Nothing of a row is in the text."""
    if isinstance(error, DispatcherError):
        return error
    if isinstance(error, UnicodeEncodeError):
        error = psycopg.DataError("a text with half of a character (a lone surrogate)")
    if not isinstance(error, psycopg.Error):
        return error
    mapping = _mapping(error, _said(error))
    mapping.__cause__ = error
    return mapping


def _said(error: psycopg.Error) -> str:
    """The first line of what was said: details hold values."""
    said = error.diag.message_primary or str(error).strip().split("\n")[0]
    return said or type(error).__name__


def _mapping(error: psycopg.Error, said: str) -> LedgerError:
    if isinstance(error, pg.DiskFull):
        return LedgerFull(found=said, fix=InTurn(Advice("free some disk space on the server"), RESUME))
    if isinstance(error, pg.UndefinedTable | pg.UndefinedFunction | pg.UndefinedColumn | pg.InvalidSchemaName):
        return LedgerNotMigrated(found=said, fix=MIGRATE)
    if isinstance(error, pg.InsufficientPrivilege):
        return LedgerUnwritable(
            "the user has no right to do this in the ledger's database",
            found=said,
            fix=Command("ledger migrate", does="as the database's owner: it says what to grant to whom"),
        )
    if isinstance(error, pg.DataCorrupted | pg.IndexCorrupted):
        return LedgerCorrupt(found=said, fix="restore a backup of the database")
    if isinstance(error, pg.LockNotAvailable):
        return LedgerUnreachable("another process kept the account's part of the ledger locked", found=said, fix=RESUME)
    if is_lost(error) or isinstance(error, psycopg.OperationalError):
        return LedgerUnreachable("the ledger's server cannot be reached", found=said, fix=_AWAY)
    if isinstance(error, psycopg.DataError):
        return LedgerError(
            "the ledger's server cannot keep a text",
            found=said,
            fix="take characters without a meaning (NUL, halves of characters) out of the file",
        )
    return LedgerError("the ledger refused an operation", found=f"{error.sqlstate or type(error).__name__}: {said}")


def refused(error: psycopg.Error) -> LedgerError:
    """Why a connection was not made: the way, the user or the database."""
    said = _said(error)
    words = said.lower()
    if isinstance(error, pg.InvalidPassword | pg.InvalidAuthorizationSpecification) or any(
        part in words for part in ("password authentication failed", "no password supplied", "authentication failed")
    ):
        fix = AnyOf(
            Advice("put the password into ~/.pgpass (mode 0600), a service file or PGPASSWORD"), Setting("state.url")
        )
        return LedgerUnwritable("the ledger's server does not let this user in", found=said, fix=fix)
    if 'role "' in words and "does not exist" in words:
        return LedgerUnwritable("the ledger's server does not know this user", found=said, fix=Setting("state.url"))
    if "does not exist" in words and "database" in words:
        fix = AnyOf(Advice("make the database (createdb NAME)"), Setting("state.url"))
        return LedgerUnwritable("the ledger's server has no such database", found=said, fix=fix)
    if "service" in words and "not found" in words:
        return LedgerUnwritable("the service of [state] url is not known", found=said, fix=Setting("state.url"))
    if any(part in words for part in ("too many clients", "too many connections", "connection slots")):
        return LedgerUnreachable(
            "the ledger's server takes no more connections", found=said, fix=Advice("raise its max_connections")
        )
    mapping = mapped(error)
    assert isinstance(mapping, LedgerError)
    return mapping
