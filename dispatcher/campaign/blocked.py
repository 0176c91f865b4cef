"""Another program that keeps the ledger locked: told while it lasts, for nothing can be sent meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from dispatcher.events import EventBus, WaitKind
from dispatcher.ledger import Ledger

#: How often it is looked for.
LOOK_S = 0.5


@contextlib.asynccontextmanager
async def blocked_told(ledger: Ledger, bus: EventBus) -> AsyncIterator[None]:
    """While the block lasts the bus hears who keeps the ledger from being written, and when that is over."""
    task = asyncio.create_task(_watch(ledger, bus), name="ledger-blocked")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _watch(ledger: Ledger, bus: EventBus) -> None:
    told: str | None = None
    try:
        while True:
            await asyncio.sleep(LOOK_S)
            found = ledger.blocked_by()
            if found == told:
                continue
            if told is not None:
                bus.resume(WaitKind.ledger)
            if found is not None:
                bus.wait(WaitKind.ledger, f"{found} keeps the ledger locked ({ledger.location})", None)
            told = found
    finally:
        if told is not None:
            bus.resume(WaitKind.ledger)
