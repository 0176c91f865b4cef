"""The ledger on a PostgreSQL server: one connection, written to by one thread, and the leases of this process."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Collection
from typing import TypeVar

from dispatcher.errors import LedgerError, LedgerGone
from dispatcher.ledger.db import Db
from dispatcher.ledger.frozen import reader
from dispatcher.ledger.postgres.connection import (
    CLOCK_STEP_MAX_S,
    align_clock,
    check_version,
    clock_apart_s,
    connected,
    opened,
)
from dispatcher.ledger.postgres.db import Connection, PostgresDb
from dispatcher.ledger.postgres.failures import mapped
from dispatcher.ledger.postgres.lease import Leases
from dispatcher.ledger.postgres.reader import frozen
from dispatcher.ledger.postgres.writer import Writer
from dispatcher.ledger.records import Account, PlanCounts
from dispatcher.ledger.snapshot import LedgerSnapshot, Snapshot
from dispatcher.ledger.store import Store
from dispatcher.remedies import Advice

T = TypeVar("T")

LEASE_S = 6.0
#: A shift makes room for whoever plans within five seconds.
PATIENCE_S = 10.0
#: A server that answers later than this keeps people waiting who want to know why.
BLOCKED_TOLD_S = 1.0
#: A file with fewer rows changes nothing about how others are found.
FIGURES_ROWS = 1_000


class PostgresLedger(Store):
    """See `protocol.Ledger`."""

    def __init__(
        self,
        url: str,
        connection: Connection,
        *,
        location: str,
        lease_s: float = LEASE_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        super().__init__()
        self._url = url
        self._location = location
        #: Why nothing more may be begun, once that is so.
        self._gone: LedgerGone | None = None
        self._writer = Writer(connection, self._reconnect)
        self._leases = Leases(self._writer, lease_s=lease_s, patience_s=patience_s, renewed=self._look_at_clock)

    @classmethod
    def open(
        cls, url: str, *, location: str = "", lease_s: float = LEASE_S, patience_s: float = PATIENCE_S
    ) -> PostgresLedger:
        """Open the ledger of a database. From then on this process' clock is the server's. Blocking.

        `location`: what it is called to people, without whoever connects; `patience_s`: see `Leases`.
        Raises: LedgerUnreachable, LedgerUnwritable, LedgerNotMigrated, LedgerTooNew, LedgerGone, LedgerError.
        """
        connection = opened(url)
        align_clock(connection)
        return cls(url, connection, location=location or "a PostgreSQL server", lease_s=lease_s, patience_s=patience_s)

    @property
    def location(self) -> str:
        return self._location

    @property
    def is_shared(self) -> bool:
        return True

    def blocked_by(self) -> str | None:
        since_s = self._writer.busy_since_s
        if since_s is None or time.monotonic() - since_s < BLOCKED_TOLD_S:
            return None
        return "the ledger's server"

    async def close(self) -> None:
        await self._leases.close()
        await asyncio.to_thread(self._writer.close)

    @contextlib.asynccontextmanager
    async def lease(
        self,
        account: Account,
        *,
        wait: bool,
        stopped: asyncio.Event | None = None,
        waiting: Callable[[], None] | None = None,
    ) -> AsyncIterator[None]:
        # Whoever has migrated the tables meanwhile did it for programs that know them.
        (version, *_) = await self._read(lambda db: db.one("ledger_meta_get"))
        check_version(version)
        async with self._leases.lease(account, wait=wait, stopped=stopped, waiting=waiting):
            yield

    async def is_leased(self, account: Account) -> bool:
        return await self._leases.is_held(account.account_id)

    async def is_wanted(self, account: Account) -> bool:
        return await self._leases.is_wanted(account.account_id)

    async def holder(self, account: Account) -> str | None:
        return await self._leases.holder(account.account_id)

    @contextlib.asynccontextmanager
    async def snapshot(self) -> AsyncIterator[LedgerSnapshot]:
        async with reader(frozen(self._url), mapped) as opened_reader:
            yield Snapshot(opened_reader.read)

    async def _planned(self, counts: PlanCounts) -> None:
        if counts.total >= FIGURES_ROWS:
            # What is planned is planned, with or without them.
            with contextlib.suppress(LedgerError):
                await self._do(lambda db: db.run("figures_anew"))

    async def _do(self, work: Callable[[Db], T]) -> T:
        return await self._writer.do(work)

    async def _do_for(self, account_id: int, work: Callable[[Db], T], *, fenced: bool = False, few: bool = False) -> T:
        leases = self._leases

        def alone(db: Db) -> T:
            # A statement of its own, before anything is read: what is read then is as whoever had the account left it.
            if not fenced:
                db.run("account_lock", account_id=account_id, few=few)
                return work(db)
            since_s = leases.enter(db, account_id, few=few)
            result = work(db)
            leases.leave(db, account_id, since_s)
            return result

        return await self._writer.do(alone, account_id=account_id)

    async def _do_for_all(self, account_ids: Collection[int], work: Callable[[Db], T]) -> T:
        leases = self._leases

        def alone(db: Db) -> T:
            # In the order in which everybody locks several.
            since_s = {account_id: leases.enter(db, account_id) for account_id in sorted(account_ids)}
            result = work(db)
            for account_id, at_s in since_s.items():
                leases.leave(db, account_id, at_s)
            return result

        return await self._writer.do(alone)

    async def _read(self, work: Callable[[Db], T]) -> T:
        return await self._writer.read(work)

    def _make_key(self) -> None:
        with connected(self._url, name="key") as connection:
            PostgresDb(connection).run("key_make", key=secrets.token_hex(32))

    def _check_place(self) -> None:
        if self._gone is not None:
            raise self._gone

    def _reconnect(self) -> Connection:
        """On the writer's thread. Raises: LedgerError."""
        try:
            connection = opened(self._url)
        except LedgerGone as error:
            self._gone = error
            raise
        self._look_at_clock(PostgresDb(connection))
        if self._gone is not None:
            connection.close()
            raise self._gone
        return connection

    def _look_at_clock(self, db: Db) -> None:
        """Times of one run must not stand on two clocks: where the server's was set, nothing more is begun."""
        apart_s = clock_apart_s(db)
        if abs(apart_s) > CLOCK_STEP_MAX_S:
            self._gone = LedgerGone(
                "the clock of the ledger's server was set while this program ran",
                found=f"it is {apart_s:+.1f} s from what it was",
                fix=Advice("start this program again: it takes the time from the server"),
            )
