"""What becomes of the executions once they are created: looked at, and ended where the user wants it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Collection
from typing import TYPE_CHECKING

from dispatcher.campaign.context import CampaignContext
from dispatcher.campaign.stop import StopRequest
from dispatcher.campaign.wiring import studio_client
from dispatcher.errors import DispatcherError, Interrupted
from dispatcher.events import Phase, PhaseChanged
from dispatcher.remedies import Command
from dispatcher.tracking.reads import Reads
from dispatcher.tracking.recaller import Recaller
from dispatcher.tracking.results import RecallResult, TrackResult
from dispatcher.tracking.tracker import Tracker

if TYPE_CHECKING:
    from dispatcher.studio.client import Studio

#: After a stop request: how long what is on the wire may take; a pause after a 429 may be longer than anybody waits.
STOP_S = 3.0


@contextlib.asynccontextmanager
async def _reading(context: CampaignContext, stop: StopRequest) -> AsyncIterator[Studio]:
    """Studio for many reads, at the rate of `[tracking]`."""
    settings, credentials = context.settings, context.required_credentials()
    async with context.borrowed_account(stop) as account:
        gate = account.gate(per_second=settings.tracking.per_second)
        async with studio_client(settings, credentials, gate=gate) as studio:
            yield studio


def _tracker(
    context: CampaignContext, studio: Studio, reads: Reads, *, details: bool, only: Collection[int] | None = None
) -> Tracker:
    return Tracker(
        context.record,
        ledger=context.ledger,
        studio=studio,
        settings=context.settings.tracking,
        opt_out_words=context.settings.suppress.keywords if context.settings.suppress.learn else None,
        bus=context.bus,
        reads=reads,
        details=details,
        only=only,
    )


def _reads(context: CampaignContext, stop: StopRequest) -> Reads:
    return Reads(concurrency=context.settings.tracking.concurrency, stopped=lambda: stop.error)


async def _look(tracker: Tracker, stop: StopRequest) -> TrackResult:
    """A look; where it had to be broken off, what it had found."""
    try:
        return await stop.race(tracker.look(), grace_s=STOP_S)
    except DispatcherError as error:
        if error is not stop.error:
            raise
        tracker.result.error = error
        return tracker.result


async def track(
    context: CampaignContext, stop: StopRequest, *, details: bool, follow: bool, only: Collection[int] | None = None
) -> TrackResult:
    """See `CampaignView.track`. `only`: the executions of these attempts."""
    context.bus.emit(PhaseChanged(phase=Phase.tracking))
    async with _reading(context, stop) as studio:
        tracker = _tracker(context, studio, _reads(context, stop), details=details, only=only)
        while True:
            result = await _look(tracker, stop)
            if not follow or result.error is not None or not result.to_look_at_again:
                break
            if await stop.sleep(context.settings.tracking.every_s):
                result.error = stop.error
                break
    result.error = _as_interruption(result.error, "what was read is kept", Command("track", (context.name,)))
    return result


async def recall(context: CampaignContext, stop: StopRequest) -> RecallResult:
    """See `Campaign.recall`."""
    context.bus.emit(PhaseChanged(phase=Phase.recalling))
    reads = _reads(context, stop)
    async with _reading(context, stop) as studio:
        recaller = Recaller(context.record, ledger=context.ledger, studio=studio, reads=reads, bus=context.bus)
        # Those that have ended already need no request of their own.
        tracker = _tracker(context, studio, reads, details=False)
        result = recaller.result
        result.error = (await _look(tracker, stop)).error
        if result.error is None:
            try:
                await stop.race(recaller.recall(), grace_s=STOP_S)
            except DispatcherError as error:
                result.error = error
    result.failure = reads.failure
    result.error = _as_interruption(result.error, "what was ended is kept", Command("recall", (context.name,)))
    return result


def _as_interruption(error: DispatcherError | None, kept: str, command: Command) -> DispatcherError | None:
    """An interruption, in the words of this command."""
    if isinstance(error, Interrupted):
        return Interrupted(f"interrupted: {kept}", fix=command)
    return error
