"""What becomes of the executions once they are created: looked at, and ended where the user wants it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from dispatcher.campaign.wiring import studio_client
from dispatcher.errors import DispatcherError, Interrupted
from dispatcher.remedies import Command
from dispatcher.tracking.reads import Reads

if TYPE_CHECKING:
    from dispatcher.campaign.campaign import Campaign
    from dispatcher.ledger import SqliteLedger
    from dispatcher.sending.hold import Hold
    from dispatcher.sending.limiter import Limiter
    from dispatcher.studio.client import Studio
    from dispatcher.tracking.results import RecallResult, TrackResult
    from dispatcher.tracking.tracker import Tracker

T = TypeVar("T")

#: After a wish to stop: how long what is on the wire may take; a pause after a 429 may be longer than anybody waits.
STOP_S = 3.0


class ReadGate:
    """What reads wait at: their own rate, and the hold after a 429."""

    def __init__(self, hold: Hold, limiter: Limiter) -> None:
        self._hold = hold
        self._limiter = limiter
        self._turn = asyncio.Lock()

    async def wait(self) -> None:
        """Return when a read may leave."""
        async with self._turn:  # the limiter serves one task
            await self._limiter.acquire(1)
            self._limiter.left()
        await self._hold.wait()

    def throttled(self, retry_after_s: float | None) -> None:
        """A 429."""
        self._hold.throttled(retry_after_s)


@contextlib.asynccontextmanager
async def reading(campaign: Campaign) -> AsyncIterator[Studio]:
    """Studio for many reads, at the rate of `[tracking]`."""
    from dispatcher.sending.hold import Hold
    from dispatcher.sending.limiter import Limiter

    settings = campaign.settings
    hold = Hold(settings.retry, campaign.bus, stop=campaign.stopping.request)
    limiter = Limiter(per_second=settings.tracking.per_second, window_s=1.0, headroom=0.0, pace="even")
    async with studio_client(settings, campaign.own_credentials(), gate=ReadGate(hold, limiter)) as studio:
        yield studio


async def _stoppable(campaign: Campaign, work: Coroutine[Any, Any, T]) -> T:
    """The work's result; once the user wants it to stop, it has a moment to come to an end by itself.

    Raises: why it was stopped, where it did not; what the work raises.
    """
    task = asyncio.create_task(work)
    stopped = asyncio.create_task(campaign.stopping.event.wait())
    try:
        await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
        done, _ = await asyncio.wait([task], timeout=STOP_S)
        if done:
            return task.result()
        raise campaign.stopping.error or Interrupted()
    finally:
        stopped.cancel()
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _reads(campaign: Campaign) -> Reads:
    return Reads(concurrency=campaign.settings.tracking.concurrency, stopped=lambda: campaign.stopping.error)


async def _look(campaign: Campaign, tracker: Tracker) -> TrackResult:
    """A look; where it had to be broken off, what it had found."""
    try:
        return await _stoppable(campaign, tracker.look())
    except DispatcherError as error:
        if error is not campaign.stopping.error:
            raise
        tracker.result.error = error
        return tracker.result


async def track(campaign: Campaign, ledger: SqliteLedger, *, details: bool, follow: bool) -> TrackResult:
    """See `Campaign.track`."""
    from dispatcher.tracking.tracker import Tracker

    record = await campaign.own_record()
    settings = campaign.settings.tracking
    campaign.bus.progress.phase = "tracking"
    reads = _reads(campaign)
    async with reading(campaign) as studio:
        tracker = Tracker(
            record, ledger=ledger, studio=studio, settings=settings, bus=campaign.bus, reads=reads, details=details
        )
        while True:
            result = await _look(campaign, tracker)
            if not follow or result.error is not None or not result.to_look_at_again:
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(settings.every_s):
                    await campaign.stopping.event.wait()
            if campaign.stopping.error is not None:
                result.error = campaign.stopping.error
                break
    result.error = _as_interruption(result.error, "what was read is kept", Command("track", (campaign.name,)))
    return result


async def recall(campaign: Campaign, ledger: SqliteLedger) -> RecallResult:
    """See `Campaign.recall`."""
    from dispatcher.tracking.recaller import Recaller
    from dispatcher.tracking.tracker import Tracker

    record = await campaign.own_record()
    settings = campaign.settings.tracking
    campaign.bus.progress.phase = "recalling"
    reads = _reads(campaign)
    async with reading(campaign) as studio:
        recaller = Recaller(record, ledger=ledger, studio=studio, reads=reads, bus=campaign.bus)
        # Those that have ended already need no request of their own.
        tracker = Tracker(
            record, ledger=ledger, studio=studio, settings=settings, bus=campaign.bus, reads=reads, details=False
        )
        result = recaller.result
        result.error = (await _look(campaign, tracker)).error
        if result.error is None:
            try:
                await _stoppable(campaign, recaller.recall())
            except DispatcherError as error:
                result.error = error
    result.failure = reads.failure
    result.error = _as_interruption(result.error, "what was ended is kept", Command("recall", (campaign.name,)))
    return result


def _as_interruption(error: DispatcherError | None, kept: str, command: Command) -> DispatcherError | None:
    """An interruption, in the words of this command."""
    if isinstance(error, Interrupted):
        return Interrupted(f"interrupted: {kept}", fix=command)
    return error
