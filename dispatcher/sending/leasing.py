"""A ledger's lease by its lock file, until the ledger gives it itself."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from dispatcher.errors import AccountLocked
from dispatcher.ledger import AccountLock
from dispatcher.ledger.protocol import Ledger
from dispatcher.ledger.records import Account


class FileLeases:
    """See `account.Leasing`."""

    def __init__(self, ledger: Ledger, state_dir: Path) -> None:
        self._ledger = ledger
        self._state_dir = state_dir

    @contextlib.asynccontextmanager
    async def lease(
        self,
        account: Account,
        *,
        wait: bool,
        stopped: asyncio.Event | None = None,
        waiting: Callable[[], None] | None = None,
    ) -> AsyncIterator[None]:
        """Take the lock without blocking the loop."""
        lock, given_up, loop = AccountLock(self._state_dir, account), threading.Event(), asyncio.get_running_loop()

        def tell() -> None:
            if waiting is not None:
                loop.call_soon_threadsafe(waiting)

        taking = asyncio.create_task(
            asyncio.to_thread(lock.acquire, wait=wait, waiting=tell, stop=lambda: given_up.is_set())
        )
        stopping = asyncio.create_task((stopped or asyncio.Event()).wait())
        try:
            await asyncio.wait([taking, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            given_up.set()
            stopping.cancel()
        if not await taking:
            raise AccountLocked()
        try:
            yield
        finally:
            lock.release()

    async def departures(self, account: Account, *, since_ms: int, now_ms: int) -> list[int]:
        """As the ledger has them."""
        return await self._ledger.departures(account, since_ms=since_ms, now_ms=now_ms)
