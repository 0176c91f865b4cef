"""Connecting: only to a server that keeps what it has said to have kept, and to the one that this ledger is of."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.numeric import Int8Dumper

from dispatcher import clock
from dispatcher.errors import LedgerError, LedgerGone, LedgerNotMigrated, LedgerTooNew, LedgerUnreachable
from dispatcher.ledger.db import Db
from dispatcher.ledger.postgres.db import Connection, PostgresDb
from dispatcher.ledger.postgres.failures import MIGRATE, mapped, refused
from dispatcher.ledger.postgres.target import check_whole
from dispatcher.remedies import Advice, Command, InTurn, Option

#: The version of schema.sql and functions.sql.
SCHEMA_VERSION = 1
SCHEMA = "dispatcher"
#: `starts_with`, `regexp_instr` and what else functions.sql uses.
SERVER_MIN = 15
#: A process that stands still in the middle of a transaction has an account locked: less than a lease lasts.
_IDLE_IN_TRANSACTION_MS = 4_000
#: Whoever only reads locks nothing, but the server keeps old versions of rows for it: a laptop that sleeps ends that.
_LONG_IDLE_MS = 3_600_000
#: A process has one thread for all its accounts: shorter than a third of any lease.
LOCK_MS = 1_500
#: A machine that is gone says nothing any more.
_WAY: dict[str, int | str] = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 4_000,
    "target_session_attrs": "read-write",
}
#: Each statement is prepared once it was run some times; there are about so many of them.
_PREPARED_MAX = 400
#: The clock is asked so often; the quickest answer counts.
_CLOCK_LOOKS = 5
#: Nobody's clock is off by more within a run.
CLOCK_STEP_MAX_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Which server's history of writes it is: a restored copy or a promoted standby has another one."""

    system_identifier: str
    timeline: int


def connect(url: str, *, name: str = "ledger", long: bool = False) -> Connection:
    """A session on the ledger's database, each statement by itself until a transaction is begun. Blocking.

    `name`: what the session is for, for whoever looks at the server. `long`: it may stand still in a transaction.
    Raises: LedgerUnreachable; LedgerUnwritable: the user, the password or the database is wrong.
    """
    given = conninfo_to_dict(url)
    settings = {
        "search_path": SCHEMA,
        "client_min_messages": "warning",
        "idle_in_transaction_session_timeout": _LONG_IDLE_MS if long else _IDLE_IN_TRANSACTION_MS,
        "lock_timeout": LOCK_MS,
    }
    options = [str(given.get("options", "")), *(f"-c {key}={value}" for key, value in settings.items())]
    way = {key: value for key, value in _WAY.items() if key not in given}
    conninfo = make_conninfo(
        url, **way, application_name=f"dispatcher {name} {who()}", options=" ".join(options).strip()
    )
    try:
        connection = psycopg.connect(conninfo, autocommit=True)
    except psycopg.Error as error:
        raise refused(error) from error
    connection.prepared_max = _PREPARED_MAX
    # Of whatever size a number is, it is one and the same statement.
    connection.adapters.register_dumper(int, Int8Dumper)
    return connection


def who() -> str:
    """This process, as others are told of it: host and number."""
    return f"{socket.gethostname()}:{os.getpid()}"


@contextlib.contextmanager
def connected(url: str, *, name: str = "ledger", long: bool = False) -> Iterator[Connection]:
    """As `connect`, for a while. Raises: LedgerError."""
    try:
        with contextlib.closing(connect(url, name=name, long=long)) as connection:
            yield connection
    except psycopg.Error as error:
        raise mapped(error) from error


@contextlib.contextmanager
def reading(url: str, *, name: str) -> Iterator[Connection]:
    """As `connected`, on a ledger that can be used, for whoever only reads. Raises: as `connect`, and as `check`."""
    with connected(url, name=name, long=True) as connection:
        check(connection)
        check_whole(connection)
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield connection


def opened(url: str) -> Connection:
    """A connection whose server, history and tables are looked at. Blocking; raises: as `connect`, and as `check`."""
    connection = connect(url)
    try:
        check(connection)
        check_whole(connection)
    except psycopg.Error as error:
        connection.close()
        raise mapped(error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def check(connection: Connection) -> None:
    """Raises: LedgerError: the server may lose what it has confirmed, or is too old; LedgerGone; LedgerNotMigrated;
    LedgerTooNew.
    """
    history = history_of(connection)
    found = meta(connection)
    if found is None:
        raise LedgerNotMigrated(fix=MIGRATE)
    version, kept = found
    check_version(version)
    if history != kept:
        raise LedgerGone(
            "these are not the tables that the ledger was in: a dump or a copy that was restored, or a standby that was"
            " promoted",
            found=f"timeline {history.timeline} of system {history.system_identifier}, the ledger knows"
            f" {kept.timeline} of {kept.system_identifier}",
            fix=InTurn(
                Advice("make sure that nothing was sent after that copy, or that the standby was synchronous"),
                Command("ledger migrate", (), (Option("accept-history"),)),
            ),
        )


def check_version(version: int) -> None:
    """Raises: LedgerTooNew, LedgerNotMigrated."""
    if version > SCHEMA_VERSION:
        raise LedgerTooNew(
            found=f"version {version}, this program knows {SCHEMA_VERSION}", fix=Advice("upgrade dispatcher")
        )
    if version < SCHEMA_VERSION:
        raise LedgerNotMigrated(
            "the ledger's tables are of an older version",
            found=f"version {version}, this program needs {SCHEMA_VERSION}",
            fix=MIGRATE,
        )


def history_of(connection: Connection) -> History:
    """The server's history. Raises: LedgerError: it may lose what it has confirmed, or is too old."""
    version, fsync, full_page_writes, synchronous, in_recovery, identifier, timeline = PostgresDb(connection).one(
        "server_facts"
    )
    if version < SERVER_MIN * 10_000:
        raise LedgerError(
            "the ledger's server is too old",
            found=f"PostgreSQL {version // 10_000}",
            fix=f"upgrade it to PostgreSQL {SERVER_MIN} or newer",
        )
    off = [name for name, value in (("fsync", fsync), ("full_page_writes", full_page_writes)) if value != "on"]
    # remote_write: what the standby has only in its memory.
    if synchronous in ("off", "local", "remote_write"):
        off.append("synchronous_commit")
    if off:
        raise LedgerError(
            "the ledger's server may lose what it has confirmed, and whoever was contacted would be contacted again",
            found=", ".join(f"{name} is not on" for name in off),
            fix=InTurn(*(Advice(f"ALTER SYSTEM SET {name} = on") for name in off), Advice("SELECT pg_reload_conf()")),
        )
    if in_recovery:
        raise LedgerUnreachable("the ledger's server is a standby", fix=Advice("name the primary in [state] url"))
    return History(system_identifier=identifier, timeline=timeline)


def meta(connection: Connection) -> tuple[int, History] | None:
    """The version of the tables and whose history they are; None: there are none."""
    try:
        found = PostgresDb(connection).first("ledger_meta_get")
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return None
    if found is None:
        return None
    version, identifier, timeline = found
    return version, History(system_identifier=identifier, timeline=timeline)


def clock_apart_s(db: Db) -> float:
    """How much the server's clock is ahead of ours, right to half of the quickest answer's time."""
    return _apart_ns(db) / 1e9


def align_clock(connection: Connection) -> None:
    """From now on our clock is the server's."""
    clock.align(_apart_ns(PostgresDb(connection)))


def _apart_ns(db: Db) -> int:
    looks = []
    for _ in range(_CLOCK_LOOKS):
        before_ns = clock.now_ns()
        (at_us,) = db.one("clock_now_us")
        after_ns = clock.now_ns()
        looks.append((after_ns - before_ns, at_us * 1000 - (before_ns + after_ns) // 2))
    apart_ns: int = min(looks)[1]
    return apart_ns
