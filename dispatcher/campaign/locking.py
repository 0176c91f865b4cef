"""Taking an account's lease, which may mean waiting for another process."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from dispatcher.campaign.stop import Stop
from dispatcher.errors import AccountLocked
from dispatcher.events import EventBus, WaitKind
from dispatcher.ledger import Ledger
from dispatcher.ledger.records import Account


@contextlib.asynccontextmanager
async def leased(ledger: Ledger, account: Account, bus: EventBus, stop: Stop, *, wait: bool) -> AsyncIterator[None]:
    """Hold the account. Raises: AccountLocked, or what stopped the waiting."""

    def waiting() -> None:
        bus.wait(WaitKind.account, "another process is sending for this account", None)

    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(ledger.lease(account, wait=wait, stopped=stop.event, waiting=waiting))
        except AccountLocked:
            if stop.error is not None:
                raise stop.error from None
            raise
        finally:
            bus.resume(WaitKind.account)
        yield
