"""Recall: the campaign's executions that are still active are ended, and only those that this ledger has created."""

from __future__ import annotations

from dispatcher.clock import now_ms
from dispatcher.errors import ResourceNotFound
from dispatcher.events import EventBus, Tracking
from dispatcher.ledger.executions import CreatedExecution, TrackedExecution
from dispatcher.ledger.protocol import Ledger
from dispatcher.ledger.records import CampaignRecord
from dispatcher.model import ExecutionStatus
from dispatcher.studio.client import Studio
from dispatcher.tracking.learned import Learned
from dispatcher.tracking.reads import Reads
from dispatcher.tracking.results import RecallResult

BATCH = 1_000
SAVED_AT_ONCE = 50


class Recaller:
    """Ends executions one by one, keeping each in the ledger: whatever stops it, the next one goes on."""

    def __init__(
        self, campaign: CampaignRecord, *, ledger: Ledger, studio: Studio, reads: Reads, bus: EventBus
    ) -> None:
        self._campaign = campaign
        self._ledger = ledger
        self._studio = studio
        self._reads = reads
        #: What it has come to so far.
        self.result = RecallResult()
        self._learned = Learned(ledger.save_executions, bus, self._progress, batch_size=SAVED_AT_ONCE)
        self._total = 0

    async def recall(self) -> RecallResult:
        """End every execution that was active when last seen, or was not seen.

        To be called after a look (`Tracker.look`), which has seen that the flow is there: without it, each of its
        executions would be a 404 and be taken for gone. What ends it early is in the result. Raises: LedgerError.
        """
        result = self.result
        failed_before = self._reads.failed
        counts = await self._ledger.execution_counts(self._campaign)
        self._total = counts.by_status[ExecutionStatus.active] + counts.unseen
        after = 0
        while found := await self._ledger.executions_to_track(self._campaign, read_as=None, after=after, limit=BATCH):
            after = found[-1].attempt_id
            result.error = await self._learned.save_after(self._reads.each(found, self._end))
            result.failed = self._reads.failed - failed_before
            result.failure = self._reads.failure
            if result.error is not None:
                break
        self._learned.emit_progress()
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
        await self._learned.add(
            TrackedExecution(
                attempt_id=one.attempt_id,
                status=status,
                seen_at_ms=now_ms(),
                ended_at_ms=int(ended_at.timestamp() * 1000) if ended_at else None,
                flow_version=ended.flow_version if ended else None,
                recalled_at_ms=recalled_ms,
            )
        )

    def _progress(self) -> Tracking:
        result = self.result
        detail = f"{result.ended:,} ended, {result.already_ended:,} had ended already"
        return Tracking(done=result.done, total=max(self._total, result.done), detail=detail)
