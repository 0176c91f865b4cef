"""Taking an account's lock, which may mean waiting for another process."""

from __future__ import annotations

import asyncio
import threading

from dispatcher.campaign.stop import Stop
from dispatcher.errors import AccountLocked
from dispatcher.events import EventBus, WaitKind
from dispatcher.ledger import AccountLock


async def acquire(lock: AccountLock, bus: EventBus, stop: Stop, *, wait: bool) -> None:
    """Take it without blocking the loop. Raises: AccountLocked, or what stopped the waiting."""
    given_up = threading.Event()
    loop = asyncio.get_running_loop()

    def tell() -> None:
        reason = "another process is sending for this account"
        loop.call_soon_threadsafe(bus.wait, WaitKind.account, reason, None)

    taking = asyncio.create_task(
        asyncio.to_thread(lock.acquire, wait=wait, waiting=tell, stop=lambda: given_up.is_set())
    )
    stopping = asyncio.create_task(stop.event.wait())
    try:
        await asyncio.wait([taking, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        given_up.set()
        stopping.cancel()
        bus.resume(WaitKind.account)
    if not await taking:
        raise stop.error or AccountLocked()
