"""The ledger in one SQLite file: WAL, synchronous=EXTRA, one thread with group commit."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeVar

from dispatcher.clock import now_ms
from dispatcher.errors import LedgerError
from dispatcher.ledger.contacted import RUN_SLACK_MS
from dispatcher.ledger.db import Db
from dispatcher.ledger.frozen import reader
from dispatcher.ledger.notices import Announce
from dispatcher.ledger.records import (
    Account,
    Run,
    RunTotals,
)
from dispatcher.ledger.snapshot import LedgerSnapshot, Snapshot
from dispatcher.ledger.sqlite import lease
from dispatcher.ledger.sqlite.connection import connect, ledger_path
from dispatcher.ledger.sqlite.failures import mapped
from dispatcher.ledger.sqlite.holder import holder
from dispatcher.ledger.sqlite.key import make_key
from dispatcher.ledger.sqlite.presence import Presence
from dispatcher.ledger.sqlite.reader import frozen
from dispatcher.ledger.sqlite.rehearsal import Elsewhere, rehearse, reopen
from dispatcher.ledger.sqlite.writer import Writer
from dispatcher.ledger.store import Store

T = TypeVar("T")

#: Processes that share a ledger wait for each other for milliseconds: that is not worth a word.
BLOCKED_TOLD_S = 1.0


class _SqliteStore(Store):
    """One connection, written to by one thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__()
        self._writer = Writer(connection)

    @property
    def is_shared(self) -> bool:
        return False

    async def is_wanted(self, account: Account) -> bool:
        return False

    async def holder(self, account: Account) -> str | None:
        return None

    async def close(self) -> None:
        await asyncio.to_thread(self._writer.close)

    async def _do(self, work: Callable[[Db], T]) -> T:
        return await self._writer.do(work)

    async def _do_for(self, account_id: int, work: Callable[[Db], T], *, fenced: bool = False, few: bool = False) -> T:
        # One writer for the whole file, and the lease's locks are the system's: they end with whoever holds them.
        return await self._writer.do(work)

    async def _read(self, work: Callable[[Db], T]) -> T:
        return await self._writer.read(work)


class SqliteLedger(_SqliteStore):
    """See `protocol.Ledger`. In a file of a state folder, for many processes."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.path = path
        self._presence = Presence(path)

    @classmethod
    def open(cls, state_dir: Path, *, create: bool = True) -> SqliteLedger:
        """Open the ledger of a state folder, and make or upgrade it as needed. Blocking; a few ms.

        Raises: LedgerUnwritable, LedgerFull, LedgerCorrupt, LedgerTooNew, LedgerUnreachable; CampaignNotFound where
        `create` is off and there is none.
        """
        path = ledger_path(state_dir, create=create)
        return cls(path, connect(path))

    @property
    def location(self) -> str:
        return str(self.path)

    def blocked_by(self) -> str | None:
        since_s = self._writer.blocked_since_s
        if since_s is None or time.monotonic() - since_s < BLOCKED_TOLD_S:
            return None
        return holder(self.path) or "another program"

    def lease(
        self,
        account: Account,
        *,
        wait: bool,
        stopped: asyncio.Event | None = None,
        waiting: Callable[[], None] | None = None,
    ) -> AbstractAsyncContextManager[None]:
        return lease.lease(self.path.parent, account, wait=wait, stopped=stopped, waiting=waiting)

    async def is_leased(self, account: Account) -> bool:
        return lease.is_held(self.path.parent, account)

    async def stop_run(
        self, run: Run, *, now_ms: int, reason: str | None, totals: RunTotals, announce: Announce | None = None
    ) -> None:
        await super().stop_run(run, now_ms=now_ms, reason=reason, totals=totals, announce=announce)
        await self._writer.read(lambda db: self._presence.restore(self._writer.connection))

    def _make_key(self) -> None:
        make_key(self.path.parent)

    def _check_place(self) -> None:
        self._presence.check()

    @contextlib.asynccontextmanager
    async def snapshot(self) -> AsyncIterator[LedgerSnapshot]:
        async with reader(frozen(self.path), mapped) as opened:
            yield Snapshot(opened.read)


class SqliteRehearsal(_SqliteStore):
    """See `protocol.Ledger`. A private database that knows one campaign, and ends with its connection or is kept."""

    @classmethod
    def open(
        cls, ledger: Path | Elsewhere, campaign: str, repeat_after_ms: int = 0, scratch: Path | None = None
    ) -> SqliteRehearsal:
        """Copy the campaign out of the ledger of a state folder, or another one. Blocking. Raises: as `rehearse`."""
        since_ms = now_ms() - repeat_after_ms - RUN_SLACK_MS if repeat_after_ms else None
        return cls(rehearse(ledger, campaign, since_ms, scratch))

    @classmethod
    def reopen(cls, ledger: Path | Elsewhere, scratch: Path) -> SqliteRehearsal:
        """A rehearsal that was kept, as it was left. Blocking; a few ms. Raises: as `rehearsal.reopen`."""
        return cls(reopen(ledger, scratch))

    @property
    def location(self) -> str:
        return "a rehearsal's own ledger, which is thrown away"

    def blocked_by(self) -> str | None:
        return None

    @contextlib.asynccontextmanager
    async def lease(
        self,
        account: Account,
        *,
        wait: bool,
        stopped: asyncio.Event | None = None,
        waiting: Callable[[], None] | None = None,
    ) -> AsyncIterator[None]:
        # Nobody else can send by this ledger.
        yield

    async def is_leased(self, account: Account) -> bool:
        return False

    def _make_key(self) -> None:
        raise LedgerError("nobody is forgotten in a rehearsal's ledger")

    def _check_place(self) -> None:
        pass

    @contextlib.asynccontextmanager
    async def snapshot(self) -> AsyncIterator[LedgerSnapshot]:
        yield Snapshot(self._read)
