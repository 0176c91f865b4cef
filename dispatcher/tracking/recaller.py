"""Recall: the campaign's executions that are still active are ended, and only those that this ledger has created."""

from __future__ import annotations

import time
from dataclasses import dataclass

from dispatcher.clock import now_ms
from dispatcher.errors import DispatcherError, ResourceNotFound
from dispatcher.events import EventBus, Tracking
from dispatcher.ledger.protocol import Ledger
from dispatcher.ledger.records import CampaignRecord, CreatedExecution, TrackedExecution
from dispatcher.model import ExecutionStatus
from dispatcher.studio.client import Studio
from dispatcher.tracking.reads import Reads

BATCH = 1_000
SAVED_AT_ONCE = 50
SAVE_EVERY_S = 1.0
TOLD_EVERY_S = 0.1


@dataclass(slots=True, kw_only=True)
class Recalled:
    """What became of those that were to be ended."""

    ended: int = 0
    #: They had ended by themselves when their turn came (409).
    already_ended: int = 0
    gone: int = 0
    #: Studio could not be asked: recall again.
    failed: int = 0
    #: Why it ended early; None: it did not.
    error: DispatcherError | None = None


class Recaller:
    """Ends executions one by one, keeping each in the ledger: whatever stops it, the next one goes on."""

    def __init__(
        self, campaign: CampaignRecord, *, ledger: Ledger, studio: Studio, reads: Reads, bus: EventBus
    ) -> None:
        self._campaign = campaign
        self._ledger = ledger
        self._studio = studio
        self._reads = reads
        self._bus = bus
        self.result = Recalled()
        self._learned: list[TrackedExecution] = []
        self._saved_s = self._told_s = 0.0
        self._total = 0

    async def recall(self) -> Recalled:
        """End every execution that was active when last seen, or was not seen.

        To be called after a look (`Tracker.look`), which has seen that the flow is there: without it, each of its
        executions would be a 404 and be taken for gone. Raises: LedgerError.
        """
        result = self.result
        failed_before = self._reads.failed
        counts = await self._ledger.execution_counts(self._campaign)
        self._total = counts.by_status[ExecutionStatus.active] + counts.unseen
        after = 0
        while found := await self._ledger.executions_to_track(self._campaign, read_as=None, after=after, limit=BATCH):
            after = found[-1].attempt_id
            try:
                await self._reads.each(found, self._end)
            except DispatcherError as error:
                result.error = error
            finally:
                await self._save()
            if result.error is not None:
                break
        result.failed = self._reads.failed - failed_before
        self._tell()
        return result

    async def _end(self, one: CreatedExecution) -> None:
        recalled_ms: int | None = None
        status = ExecutionStatus.ended
        try:
            ended = await self._reads.one(self._studio.end_execution(self._campaign.flow_sid, one.execution_sid))
        except ResourceNotFound:
            status, ended = ExecutionStatus.gone, None
            self.result.gone += 1
        else:
            if ended is None:
                self.result.already_ended += 1
            else:
                recalled_ms = now_ms()
                self.result.ended += 1
        ended_at = ended.date_updated if ended else None
        self._learned.append(
            TrackedExecution(
                attempt_id=one.attempt_id,
                status=status,
                seen_at_ms=now_ms(),
                ended_at_ms=int(ended_at.timestamp() * 1000) if ended_at else None,
                flow_version=ended.flow_version if ended else None,
                recalled_at_ms=recalled_ms,
            )
        )
        if time.monotonic() - self._told_s > TOLD_EVERY_S:
            self._tell()
        if len(self._learned) >= SAVED_AT_ONCE or time.monotonic() - self._saved_s > SAVE_EVERY_S:
            await self._save()

    async def _save(self) -> None:
        learned, self._learned = self._learned, []
        self._saved_s = time.monotonic()
        if learned:
            await self._ledger.save_executions(learned)

    def _tell(self) -> None:
        self._told_s = time.monotonic()
        result = self.result
        done = result.ended + result.already_ended + result.gone
        detail = f"{result.ended:,} ended, {result.already_ended:,} had ended already"
        self._bus.emit(Tracking(done=done, total=max(self._total, done), detail=detail))
