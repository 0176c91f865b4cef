"""What PostgreSQL says, as our errors: what may be tried again is told apart from what may not."""

from __future__ import annotations

import contextlib

import psycopg
import pytest
from psycopg import errors as pg

from dispatcher.errors import (
    LeaseLost,
    LedgerCorrupt,
    LedgerError,
    LedgerFull,
    LedgerNotMigrated,
    LedgerUnreachable,
    LedgerUnwritable,
)
from dispatcher.ledger.postgres.connection import connect
from dispatcher.ledger.postgres.failures import is_clash, is_lost, mapped, refused
from tests.support.postgres import PrivateServer


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (psycopg.OperationalError, LedgerUnreachable),
        (psycopg.InterfaceError, LedgerUnreachable),
        (pg.AdminShutdown, LedgerUnreachable),
        (pg.CrashShutdown, LedgerUnreachable),
        (pg.CannotConnectNow, LedgerUnreachable),
        (pg.IdleInTransactionSessionTimeout, LedgerUnreachable),
        (pg.LockNotAvailable, LedgerUnreachable),
        (pg.QueryCanceled, LedgerUnreachable),
        (pg.DeadlockDetected, LedgerUnreachable),
        (pg.SerializationFailure, LedgerUnreachable),
        (pg.DiskFull, LedgerFull),
        (pg.UndefinedTable, LedgerNotMigrated),
        (pg.UndefinedColumn, LedgerNotMigrated),
        (pg.UndefinedFunction, LedgerNotMigrated),
        (pg.InsufficientPrivilege, LedgerUnwritable),
        (pg.DataCorrupted, LedgerCorrupt),
        (pg.IndexCorrupted, LedgerCorrupt),
        (psycopg.DataError, LedgerError),
        (pg.UniqueViolation, LedgerError),
        (pg.SyntaxError, LedgerError),
    ],
)
def test_each_has_its_error(kind: type[psycopg.Error], expected: type[LedgerError]) -> None:
    """The error that came first stays to be seen."""
    error = kind("said so")
    told = mapped(error)
    assert type(told) is expected
    assert told.__cause__ is error
    assert isinstance(told, LedgerError)
    assert "said so" in (told.found or "")
    assert told.fix is not None or expected is LedgerError
    assert is_clash(error) == (kind in (pg.DeadlockDetected, pg.SerializationFailure))


@pytest.mark.parametrize(
    ("kind", "lost"),
    [
        (psycopg.OperationalError, True),
        (psycopg.InterfaceError, True),
        (pg.AdminShutdown, True),
        (pg.IdleInTransactionSessionTimeout, True),
        (pg.DeadlockDetected, False),
        (pg.SerializationFailure, False),
        (pg.LockNotAvailable, False),
        (pg.QueryCanceled, False),
        (pg.DiskFull, False),
        (pg.UniqueViolation, False),
        (psycopg.DataError, False),
        (ValueError, False),
    ],
)
def test_whether_the_connection_is_gone(kind: type[Exception], lost: bool) -> None:
    """A session that goes on is not thrown away, and one that is gone is not used."""
    assert is_lost(kind("x")) is lost


@pytest.mark.parametrize("error", [LeaseLost(), ValueError("a bug"), KeyboardInterrupt()])
def test_errors_not_of_psycopg_stay_what_they_are(error: BaseException) -> None:
    """Our own errors, and those that are nobody's, are not mapped."""
    assert mapped(error) is error


def test_nothing_of_a_row_is_told() -> None:
    """Of several lines the first: the others hold values."""
    told = mapped(pg.UniqueViolation("duplicate key\nDETAIL:  Key (contact)=(+12025550123) already exists."))
    assert isinstance(told, LedgerError)
    assert "duplicate key" in str(told.found)
    assert "2025550123" not in f"{told} {told.found} {told.fix}"


@pytest.mark.parametrize(
    ("said", "expected", "words"),
    [
        ('FATAL:  password authentication failed for user "x"', LedgerUnwritable, "let this user in"),
        ("fe_sendauth: no password supplied", LedgerUnwritable, "let this user in"),
        ('FATAL:  role "x" does not exist', LedgerUnwritable, "know this user"),
        ('FATAL:  database "x" does not exist', LedgerUnwritable, "no such database"),
        ('definition of service "x" not found', LedgerUnwritable, "service"),
        ("FATAL:  sorry, too many clients already", LedgerUnreachable, "no more connections"),
        ("FATAL:  remaining connection slots are reserved", LedgerUnreachable, "no more connections"),
        ('FATAL:  too many connections for role "x"', LedgerUnreachable, "no more connections"),
        ("FATAL:  the database system is starting up", LedgerUnreachable, "cannot be reached"),
        ("Connection refused", LedgerUnreachable, "cannot be reached"),
    ],
)
def test_why_there_is_no_connection(said: str, expected: type[LedgerError], words: str) -> None:
    """psycopg has one error for all of it."""
    told = refused(psycopg.OperationalError(f"connection failed: {said}"))
    assert type(told) is expected
    assert words in str(told)
    assert said in str(told.found)
    assert told.fix is not None


def test_a_server_that_is_full() -> None:
    """As it says it itself."""
    few = {"max_connections": "5", "superuser_reserved_connections": "1"}
    with (
        PrivateServer(few) as server,
        contextlib.ExitStack() as held,
        pytest.raises(LedgerUnreachable, match="no more connections"),
    ):
        fill(server, held)


def fill(server: PrivateServer, held: contextlib.ExitStack) -> None:
    """Connect until it takes no more. Raises: LedgerUnreachable."""
    for _ in range(20):
        held.enter_context(contextlib.closing(connect(server.url())))
