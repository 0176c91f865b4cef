"""Tracking: what became of a campaign's executions, read page by page where that is cheaper, and kept in the ledger.

A look goes through the executions of which more can be learned: those never looked at, those that were active, and
those that have ended and whose details are missing. Lists of a thousand tell who has ended; what a list does not show
is asked for one by one; details are read once, after the end (`details.py`). Whatever was learned is in the ledger
within a second or two, so a look may be stopped at any time and the next one goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import orjson

from dispatcher.clock import now_ms
from dispatcher.errors import FlowNotFound, ResourceNotFound, StudioError
from dispatcher.events import EventBus, Tracking
from dispatcher.ledger.executions import CreatedExecution, TrackedExecution
from dispatcher.ledger.protocol import Ledger
from dispatcher.ledger.records import CampaignRecord
from dispatcher.model import ExecutionStatus
from dispatcher.remedies import Advice, AnyOf, Setting
from dispatcher.settings import TrackingSettings
from dispatcher.studio.client import PAGE_SIZE_MAX, Studio
from dispatcher.studio.resources import Execution
from dispatcher.tracking.details import DetailReader, Details
from dispatcher.tracking.learned import Learned
from dispatcher.tracking.reads import FATAL, Reads
from dispatcher.tracking.results import TrackResult

#: Executions looked at together: their list has some twenty pages.
BATCH = 20_000
#: What was learned is written after this many executions, or a second.
SAVED_AT_ONCE = 200
#: Studio forgets executions 30 days after their start (twilio.com/docs/studio/user-guide); a day more for the clocks.
RETENTION_MS = 31 * 24 * 3600 * 1000
#: Between an intent and its execution: a request may be under way for so long. Longer ones are asked for one by one.
UNDER_WAY_MAX_S = 600.0
#: Studio's times are whole seconds.
DATE_MARGIN = timedelta(seconds=2)


@dataclass(slots=True)
class _Batch:
    """Some executions, and what is known of them so far."""

    waiting: list[CreatedExecution]
    #: Those that have ended and whose details are to be read.
    ended: list[CreatedExecution] = field(default_factory=list)


class Tracker:
    """Looks at a campaign's executions."""

    def __init__(
        self,
        campaign: CampaignRecord,
        *,
        ledger: Ledger,
        studio: Studio,
        settings: TrackingSettings,
        opt_out_words: Collection[str] | None,
        bus: EventBus,
        reads: Reads,
        details: bool = True,
        only: Collection[int] | None = None,
    ) -> None:
        """`only`: the executions of these attempts; None: all."""
        self._only = only
        self._campaign = campaign
        self._flow_sid = campaign.flow_sid
        self._ledger = ledger
        self._studio = studio
        self._reads = reads
        self._read_as = read_as(settings, opt_out_words) if details else None
        self._reader = DetailReader(studio, campaign.flow_sid, settings, opt_out_words)
        #: What the looks have found so far; kept where one is broken off, too.
        self.result = TrackResult()
        self._learned = Learned(ledger.save_executions, bus, self._progress, batch_size=SAVED_AT_ONCE)
        self._total = 0

    async def look(self) -> TrackResult:
        """Look once at every execution of which more can be learned.

        Raises: FlowNotFound, AuthenticationError, StudioError where Studio cannot be asked at all; LedgerError. What
        ends it later is in the result.
        """
        before = self.result
        counts = await self._ledger.execution_counts(self._campaign)
        self.result = TrackResult(
            read=before.read, incomplete=before.incomplete, opted_out=before.opted_out, counts=counts
        )
        try:
            await self._look_at_all()
        finally:
            self.result.counts = await self._ledger.execution_counts(self._campaign)
        return self.result

    async def _look_at_all(self) -> None:
        result = self.result
        failed_before = self._reads.failed
        total = result.counts.unseen + result.counts.by_status[ExecutionStatus.active]
        after = 0
        flow_is_there = False
        while True:
            found = await self._ledger.executions_to_track(
                self._campaign, read_as=self._read_as, after=after, limit=BATCH
            )
            if not found:
                break
            if not flow_is_there:
                # Without the flow each of its executions is a 404, and would be taken for gone.
                await self._see_flow()
                flow_is_there = True
            after = found[-1].attempt_id
            if self._only is not None:
                found = [one for one in found if one.attempt_id in self._only]
                total = len(found)
            self._total = max(total, result.looked_at + len(found))
            result.error = await self._learned.save_after(self._look_at(found))
            result.failed = self._reads.failed - failed_before
            result.failure = self._reads.failure
            if result.error is not None:
                break

    async def _see_flow(self) -> None:
        try:
            await self._studio.flow(self._flow_sid)
        except ResourceNotFound as error:
            raise FlowNotFound(
                "the flow is not there any more, so its executions cannot be read",
                found=error.found,
                fix=AnyOf(Advice("check the account"), Setting("account.base_url"), Setting("account.region")),
            ) from None
        self._reads.answered()

    async def _look_at(self, found: Sequence[CreatedExecution]) -> None:
        batch = _Batch([])
        # By Studio's clock, which forgets by its own: this machine's may be anywhere.
        there_ms = now_ms() + int((self._studio.clock_skew_s or 0.0) * 1000)
        for one in found:
            if there_ms - one.begun_at_ms > RETENTION_MS:
                self._is_gone(one)
            elif one.status is ExecutionStatus.ended:
                batch.ended.append(one)
            else:
                batch.waiting.append(one)
        await self._find_statuses(batch)
        if self._read_as is not None:
            await self._reads.each(batch.ended, self._read_details)
        else:
            self.result.looked_at += len(batch.ended)
        self._learned.emit_progress()

    # --- who has ended ---

    async def _find_statuses(self, batch: _Batch) -> None:
        waiting = {one.execution_sid: one for one in batch.waiting}
        if len(waiting) > self._pages_of(batch.waiting):
            try:
                window = await self._window(waiting, batch)
                if window is not None:
                    await self._list(window, waiting, batch)
            except FATAL:
                raise
            except StudioError:
                pass  # what the list did not tell is asked for one by one
        if waiting:

            async def ask(one: CreatedExecution) -> None:
                execution = await self._ask_one(one)
                if execution is not None:
                    await self._note(one, execution, batch)

            await self._reads.each(list(waiting.values()), ask)

    def _pages_of(self, waiting: Sequence[CreatedExecution]) -> int:
        """How many reads a list costs: of the account's attempts between the first and the last, all may be in it."""
        if not waiting:
            return 0
        return 3 + (waiting[-1].attempt_id - waiting[0].attempt_id) // PAGE_SIZE_MAX

    async def _window(self, waiting: dict[str, CreatedExecution], batch: _Batch) -> tuple[datetime, datetime] | None:
        """Between which moments, by Studio's clock, they were created: the first and the last one tell it.

        None: they do not, since they are gone.
        """
        under_way_s = min(max((one.answered_at_ms - one.begun_at_ms) / 1000 for one in batch.waiting), UNDER_WAY_MAX_S)
        margin = timedelta(seconds=max(under_way_s, 0.0)) + DATE_MARGIN
        moments: list[datetime] = []
        for end in (batch.waiting, batch.waiting[::-1]):
            for one in end[:3]:
                execution = await self._ask_one(one)
                if one.execution_sid in waiting and (execution is None or execution.status != "active"):
                    del waiting[one.execution_sid]
                    if execution is not None:
                        await self._note(one, execution, batch)
                if execution is not None and execution.date_created is not None:
                    moments.append(execution.date_created)
                    break
        return (min(moments) - margin, max(moments) + margin) if len(moments) == 2 else None

    async def _list(
        self, window: tuple[datetime, datetime], waiting: dict[str, CreatedExecution], batch: _Batch
    ) -> None:
        executions = self._studio.executions(self._flow_sid, created_from=window[0], created_to=window[1])
        listed = 0
        async for execution in executions:
            one = waiting.pop(execution.sid, None)
            if one is not None:
                await self._note(one, execution, batch)
            listed += 1
            if listed % PAGE_SIZE_MAX == 0:
                self._reads.answered()
                self._reads.raise_if_stopped()
            if not waiting:
                break

    async def _ask_one(self, one: CreatedExecution) -> Execution | None:
        try:
            return await self._reads.one(self._studio.execution(self._flow_sid, one.execution_sid))
        except ResourceNotFound:
            self._is_gone(one)
            return None

    async def _note(self, one: CreatedExecution, execution: Execution, batch: _Batch) -> None:
        """What Studio says of an execution's status."""
        if execution.status == "ended":
            ended = one._replace(ended_at_ms=_ms(execution.date_updated), flow_version=execution.flow_version)
            batch.ended.append(ended)
            await self._learned.add(self._tracked(ended, ExecutionStatus.ended))
        else:
            self.result.active += 1
            self.result.looked_at += 1
            await self._learned.add(self._tracked(one, ExecutionStatus.active))

    def _is_gone(self, one: CreatedExecution) -> None:
        self.result.gone += 1
        self.result.looked_at += 1
        self._learned.note(self._tracked(one, ExecutionStatus.gone))

    # --- what they did ---

    async def _read_details(self, one: CreatedExecution) -> None:
        try:
            details: Details = await self._reads.one(self._reader.read(one.execution_sid, one.flow_version))
        except ResourceNotFound:
            # Its context is gone. Whether it is, too, it says itself.
            if await self._ask_one(one) is None:
                return
            raise
        self.result.read += 1
        self.result.looked_at += 1
        self.result.incomplete += not details.is_complete
        self.result.opted_out += details.opted_out is not None
        error = details.error
        await self._learned.add(
            TrackedExecution(
                attempt_id=one.attempt_id,
                status=ExecutionStatus.ended,
                seen_at_ms=now_ms(),
                ended_at_ms=one.ended_at_ms,
                flow_version=one.flow_version,
                read_as=self._read_as,
                last_step=details.last_step,
                path=details.path,
                error_code=error.code if error else None,
                error_message=f"{error.widget}: {error.message}" if error and error.message else None,
                variables=details.variables,
                opted_out=details.opted_out,
            )
        )

    def _tracked(self, one: CreatedExecution, status: ExecutionStatus) -> TrackedExecution:
        return TrackedExecution(
            attempt_id=one.attempt_id,
            status=status,
            seen_at_ms=now_ms(),
            ended_at_ms=one.ended_at_ms,
            flow_version=one.flow_version,
        )

    def _progress(self) -> Tracking:
        result = self.result
        detail = f"{result.active:,} active, {result.read:,} read"
        return Tracking(done=result.looked_at, total=max(self._total, result.looked_at), detail=detail)


def read_as(settings: TrackingSettings, opt_out_words: Collection[str] | None) -> str:
    """A mark of what is read of an execution: with another one, its details are read again."""
    words = [] if opt_out_words is None else [sorted(opt_out_words)]
    what = orjson.dumps([sorted(settings.named_variables.items()), settings.steps, *words])
    return hashlib.blake2b(what, digest_size=6).hexdigest()


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.astimezone(UTC).timestamp() * 1000)
