"""How the suite opens a ledger of each kind, looks into it from outside, and kills its process."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import psycopg
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine
from psycopg.types.string import TextLoader

from dispatcher.ledger import Ledger
from dispatcher.ledger.postgres.ledger import PostgresLedger
from dispatcher.ledger.sqlite.connection import FILE_NAME
from tests.support import postgres
from tests.support.ledgers import flaws, flaws_of, killed, opened, raw


class Harness(Protocol):
    """One ledger's place; a new one is empty."""

    #: What `query` raises where the database itself refuses a change.
    refusal: ClassVar[type[Exception]]

    async def open(self) -> Ledger:
        """A connection to the ledger; the second is another process' as far as the database can tell."""

    async def kill(self, ledger: Ledger) -> Ledger:
        """The ledger as the next process finds it once this one's is killed, with whatever it had not committed."""

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Run any SQL on the database itself; what it changes is committed."""

    def tables(self) -> list[str]:
        """Those that may hold something of people."""

    def flaws(self) -> list[str]:
        """What is wrong with the ledger's content: empty for a sound one."""

    def close(self) -> None:
        """No ledger of this place is open any more; nothing is left of it."""


class SqliteHarness:
    """A state folder; after a kill, the folder that it left."""

    refusal: ClassVar[type[Exception]] = sqlite3.IntegrityError

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state = folder / "state"
        self._deaths = 0

    async def open(self) -> Ledger:
        return await opened(self._state)

    async def kill(self, ledger: Ledger) -> Ledger:
        self._deaths += 1
        self._state = killed(self._file, self._folder / f"after-{self._deaths}")
        await ledger.close()
        return await self.open()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with raw(self._file) as db:
            return db.execute(sql).fetchall()

    def tables(self) -> list[str]:
        return [name for (name,) in self.query("SELECT name FROM sqlite_master WHERE type = 'table'")]

    def flaws(self) -> list[str]:
        return flaws(self._file)

    def close(self) -> None:
        """The folder is its test's."""

    @property
    def _file(self) -> Path:
        return self._state / FILE_NAME


class PostgresHarness:
    """A database of the session's server; a kill ends the sessions of all that have it open."""

    refusal: ClassVar[type[Exception]] = psycopg.IntegrityError

    def __init__(self, folder: Path) -> None:
        self._stack = contextlib.ExitStack()
        self._url = self._stack.enter_context(postgres.shared().ledger())
        self._db = self._stack.enter_context(postgres.connected(self._url))
        # -infinity, a lease that nobody has, is no datetime.
        self._db.adapters.register_loader("timestamptz", TextLoader)

    async def open(self) -> Ledger:
        # Nobody makes room here: who does not wait need not be patient.
        return await asyncio.to_thread(PostgresLedger.open, self._url, patience_s=0.0)

    async def kill(self, ledger: Ledger) -> Ledger:
        """As the server sees it: its sessions end, and what they had not committed is gone; its leases run out."""
        self.query(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        self.query("UPDATE accounts SET holder = NULL, lease_until = '-infinity', wanted_until = '-infinity'")
        await ledger.close()
        return await self.open()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        cursor = self._db.execute(sql.encode())
        return [] if cursor.description is None else cursor.fetchall()

    def tables(self) -> list[str]:
        """But for those with what is chosen at random: any number may come up in it."""
        return [
            name
            for (name,) in self.query(
                "SELECT tablename::text FROM pg_tables WHERE schemaname = 'dispatcher'"
                " AND tablename NOT IN ('accounts', 'forgotten_key', 'ledger_meta')"
            )
        ]

    def flaws(self) -> list[str]:
        # Of one moment, whoever writes meanwhile.
        self.query("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        try:
            return flaws_of(self.query)
        finally:
            self.query("ROLLBACK")

    def close(self) -> None:
        self._stack.close()


#: Every kind of ledger passes the suite.
BACKENDS: dict[str, Callable[[Path], Harness]] = {"postgres": PostgresHarness, "sqlite": SqliteHarness}

_Machine = TypeVar("_Machine", bound=RuleBasedStateMachine)


def on(backend: str, machine: type[_Machine]) -> type[_Machine]:
    """A state machine, whose `backend` is SQLite's, on another kind of ledger."""
    return machine if backend == "sqlite" else type(machine.__name__, (machine,), {"backend": backend})


def fewer(backend: str, of: settings) -> settings:
    """How many examples of a state machine run, told for SQLite.

    A step on a server takes several times as long, and the rules are the same code: what SQL gets wrong shows early.
    """
    return of if backend == "sqlite" else settings(of, max_examples=of.max_examples // 3)
