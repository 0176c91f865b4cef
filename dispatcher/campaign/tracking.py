"""What becomes of the executions once they are created: looked at, and ended where the user wants it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dispatcher.campaign.wiring import studio_client
from dispatcher.errors import DispatcherError, ExitCode, Interrupted, StoppedEarly, StudioUnavailable
from dispatcher.model import ExecutionCounts, ExecutionStatus
from dispatcher.results.reads import Reads

if TYPE_CHECKING:
    from dispatcher.campaign.campaign import Campaign
    from dispatcher.ledger import SqliteLedger
    from dispatcher.sending.hold import Hold
    from dispatcher.sending.limiter import Limiter
    from dispatcher.studio.client import Studio


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


class ReadGate:
    """What reads wait at: their own rate, and the hold after a 429."""

    def __init__(self, hold: Hold, limiter: Limiter) -> None:
        self._hold = hold
        self._limiter = limiter

    async def wait(self) -> None:
        """Return when a read may leave."""
        await self._limiter.acquire(1)
        await self._hold.wait()

    def throttled(self, retry_after_s: float | None) -> None:
        """A 429. Those that come while everything is held are its echo."""
        if retry_after_s is not None or not self._hold.held:
            self._hold.throttled(retry_after_s)

    def answered(self) -> None:
        """A read was answered in earnest."""
        self._hold.answered(asyncio.get_running_loop().time())


@contextlib.asynccontextmanager
async def reading(campaign: Campaign, what: str) -> AsyncIterator[tuple[Studio, ReadGate]]:
    """Studio for many reads, at the rate of `[tracking]`. `what` the user may do later: `track`, `recall`."""
    from dispatcher.sending.hold import Hold
    from dispatcher.sending.limiter import Limiter

    settings = campaign.settings

    def give_up(error: StoppedEarly) -> None:
        campaign.stopping.request(
            StudioUnavailable(
                error.message, found=error.found, fix=f"lower [tracking] per_second, or later: dispatcher {what}"
            )
        )

    hold = Hold(settings.retry, campaign.bus, stop=give_up)
    limiter = Limiter(per_second=settings.tracking.per_second, window_s=1.0, headroom=0.0, pace="even")
    gate = ReadGate(hold, limiter)
    async with studio_client(settings, campaign.own_credentials(), gate=gate) as studio:
        yield studio, gate


def _reads(campaign: Campaign, gate: ReadGate) -> Reads:
    return Reads(
        concurrency=campaign.settings.tracking.concurrency,
        answered=gate.answered,
        stopped=lambda: campaign.stopping.error,
    )


async def track(campaign: Campaign, ledger: SqliteLedger, *, details: bool, follow: bool) -> TrackResult:
    """See `Campaign.track`."""
    from dispatcher.results.tracking import Tracker

    record = await campaign.own_record()
    settings = campaign.settings.tracking
    campaign.bus.progress.phase = "tracking"
    read = not_whole = 0
    async with reading(campaign, f"track {campaign.name}") as (studio, gate):
        reads = _reads(campaign, gate)
        tracker = Tracker(
            record, ledger=ledger, studio=studio, settings=settings, bus=campaign.bus, reads=reads, details=details
        )
        while True:
            look = await tracker.look()
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
    from dispatcher.results.recall import Recalled, Recaller
    from dispatcher.results.tracking import Tracker

    record = await campaign.own_record()
    campaign.bus.progress.phase = "recalling"
    async with reading(campaign, f"recall {campaign.name}") as (studio, gate):
        reads = _reads(campaign, gate)
        # Those that have ended already need no request of their own.
        settings = campaign.settings.tracking
        tracker = Tracker(
            record, ledger=ledger, studio=studio, settings=settings, bus=campaign.bus, reads=reads, details=False
        )
        look = await tracker.look()
        recaller = Recaller(record, ledger=ledger, studio=studio, reads=reads, bus=campaign.bus)
        found = Recalled(error=look.error) if look.error else await recaller.recall()
    return RecallResult(
        ended=found.ended,
        already_ended=found.already_ended,
        gone=found.gone,
        failed=found.failed,
        failure=reads.failure,
        error=_said(found.error, "what was ended is kept", f"recall {campaign.name}"),
    )


def _said(error: DispatcherError | None, kept: str, command: str) -> DispatcherError | None:
    """An interruption, in the words of this command."""
    if isinstance(error, Interrupted):
        return Interrupted(f"interrupted: {kept}", fix=f"dispatcher {command}")
    return error
