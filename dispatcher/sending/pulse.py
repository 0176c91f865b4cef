"""A run's pulse: those on other machines are told that it is there, and why nothing leaves, though nothing ends.

It is the run's and not a round's: most of what is waited for (a pause that was taken over, the list, a canary) is
waited for between the rounds.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from dispatcher.clock import now_ms
from dispatcher.errors import LedgerError
from dispatcher.ledger.protocol import Ledger
from dispatcher.ledger.records import Run, RunTotals

#: So often a run whose ledger others look into from other machines says what it waits for.
PULSE_S = 5.0


@contextlib.asynccontextmanager
async def pulse(ledger: Ledger, run: Run, totals: Callable[[], RunTotals]) -> AsyncIterator[None]:
    """Keep `totals` in the ledger inside the block while no outcome does; its end waits for no write.

    Nobody looks into a ledger in a file from elsewhere: there nothing is written.
    """
    if not ledger.is_shared:
        yield
        return
    task = asyncio.create_task(_beat(ledger, run, totals), name="pulse")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


async def _beat(ledger: Ledger, run: Run, totals: Callable[[], RunTotals]) -> None:
    requests = totals().requests
    while True:
        await asyncio.sleep(PULSE_S)
        now = totals()
        # While requests leave, their outcomes are written, and all of this with them.
        if now.waits is not None or now.requests == requests:
            # Whoever cannot be told now is told the next time.
            with contextlib.suppress(LedgerError):
                await ledger.end_rows(run, [], now_ms=now_ms(), totals=now)
        requests = now.requests
