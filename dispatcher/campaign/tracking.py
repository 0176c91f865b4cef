"""What becomes of the executions once they are created: looked at, and ended where the user wants it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from dispatcher.campaign.wiring import studio_client
from dispatcher.errors import DispatcherError, ExitCode, Interrupted
from dispatcher.ledger.records import ExecutionCounts
from dispatcher.model import ExecutionStatus
from dispatcher.tracking.reads import Reads

if TYPE_CHECKING:
    from dispatcher.campaign.campaign import Campaign
    from dispatcher.ledger import SqliteLedger
    from dispatcher.studio.client import Studio
    from dispatcher.tracking.tracker import Tracked, Tracker

T = TypeVar("T")

#: After a wish to stop: how long what is on the wire may take; a pause after a 429 may be longer than anybody waits.
STOP_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackResult:
    """What tracking came to."""

    counts: ExecutionCounts
    #: Executions whose details were read now.
    read: int
    #: Those of them of which the path or the error was left open: `[tracking] steps = "always"` reads both.
    not_whole: int
    #: Executions that could not be read now; the next look asks again. Why the last of them could not.
    failed: int
    failure: DispatcherError | None
    #: Why it ended early; None: it did not.
    error: DispatcherError | None

    @property
    def exit_code(self) -> ExitCode:
        """0; 5 where something could not be read now; else that of the error."""
        if self.error is not None:
            return self.error.exit_code
        return ExitCode.STOPPED if self.failed else ExitCode.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallResult:
    """What recall came to."""

    ended: int
    #: They had ended by themselves when their turn came (409).
    already_ended: int
    #: Studio does not know them any more.
    gone: int
    #: Executions that Studio could not be asked to end now, and why the last of them.
    failed: int
    failure: DispatcherError | None
    #: Why it ended early; None: it did not.
    error: DispatcherError | None

    @property
    def exit_code(self) -> ExitCode:
        """0; 5 where executions may still be active; else that of the error."""
        if self.error is not None:
            return self.error.exit_code
        return ExitCode.STOPPED if self.failed else ExitCode.OK


@contextlib.asynccontextmanager
async def reading(campaign: Campaign) -> AsyncIterator[Studio]:
    """Studio for many reads, at the rate of `[tracking]`."""
    from dispatcher.sending.account import open_account

    settings, record = campaign.settings, await campaign.own_record()
    async with open_account(record.account, settings, bus=campaign.bus, stop=campaign.stopping.request) as account:
        gate = account.gate(per_second=settings.tracking.per_second)
        async with studio_client(settings, campaign.own_credentials(), gate=gate) as studio:
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


async def _look(campaign: Campaign, tracker: Tracker) -> Tracked:
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
    read = not_whole = 0
    reads = _reads(campaign)
    async with reading(campaign) as studio:
        tracker = Tracker(
            record, ledger=ledger, studio=studio, settings=settings, bus=campaign.bus, reads=reads, details=details
        )
        while True:
            look = await _look(campaign, tracker)
            read += look.read
            not_whole += look.not_whole
            counts = await ledger.execution_counts(record)
            waiting = counts.unseen + counts.by_status[ExecutionStatus.active] + look.failed
            if not follow or look.error is not None or not waiting:
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(settings.every_s):
                    await campaign.stopping.event.wait()
            if campaign.stopping.error is not None:
                look.error = campaign.stopping.error
                break
    return TrackResult(
        counts=counts,
        read=read,
        not_whole=not_whole,
        failed=look.failed,
        failure=reads.failure,
        error=_said(look.error, "what was read is kept", f"track {campaign.name}"),
    )


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
        error = (await _look(campaign, tracker)).error
        if error is None:
            try:
                error = (await _stoppable(campaign, recaller.recall())).error
            except DispatcherError as stopped:
                error = stopped
    found = recaller.result
    return RecallResult(
        ended=found.ended,
        already_ended=found.already_ended,
        gone=found.gone,
        failed=found.failed,
        failure=reads.failure,
        error=_said(error, "what was ended is kept", f"recall {campaign.name}"),
    )


def _said(error: DispatcherError | None, kept: str, command: str) -> DispatcherError | None:
    """An interruption, in the words of this command."""
    if isinstance(error, Interrupted):
        return Interrupted(f"interrupted: {kept}", fix=f"dispatcher {command}")
    return error
