"""While a campaign is sent, its executions are tracked: where too many contacts opt out, the run stops."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING

from dispatcher.clock import now_ms
from dispatcher.errors import DispatcherError
from dispatcher.events import EventBus
from dispatcher.ledger.wishes import refusal
from dispatcher.model import Pause, PausedBy
from dispatcher.rules.guard import OptOutShare

if TYPE_CHECKING:
    from dispatcher.campaign.context import CampaignContext
    from dispatcher.campaign.stop import StopRequest

MINUTE_S = 60.0


@contextlib.asynccontextmanager
async def opt_outs_watched(context: CampaignContext, stop: StopRequest) -> AsyncIterator[None]:
    """Track every `[guard] track_every_min` inside the block, if that is set. Its end waits for no look."""
    if not context.settings.guard.track_every_min:
        yield
        return
    task = asyncio.create_task(_watch(context, stop), name="opt-outs")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


async def _watch(context: CampaignContext, stop: StopRequest) -> None:
    from dispatcher.campaign.tracking import track

    guard = context.settings.guard
    share = OptOutShare(window_rows=guard.window_rows, max_opted_out=guard.max_opted_out)
    # Whoever looks on sees the sending.
    quiet = replace(context, bus=EventBus())
    while not await stop.sleep(guard.track_every_min * MINUTE_S):
        # What cannot be read or written now is the next time.
        with contextlib.suppress(DispatcherError):
            found = await track(quiet, stop, details=True, follow=False)
            numbers = share.tracked(found.read, found.opted_out)
            if numbers is not None:
                record = await context.current()
                pause = Pause(at_ms=now_ms(), by=PausedBy.guard, reason=numbers)
                held, _ = await context.ledger.wishes.pause(record, pause)
                stop.request(refusal(record.name, held))
                return
