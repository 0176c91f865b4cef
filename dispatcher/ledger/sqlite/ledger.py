"""The ledger in one SQLite file: WAL, synchronous=FULL, one thread with group commit."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from dispatcher.ledger import attempts, planning, reading, runs, tracking
from dispatcher.ledger.chunks import ChunkReader
from dispatcher.ledger.records import (
    Account,
    AttemptEnd,
    CampaignRecord,
    CampaignStatus,
    CreatedExecution,
    ExecutionCounts,
    GrantedRow,
    InputRecord,
    NewInput,
    PlanCounts,
    ReportRow,
    RowBatch,
    Run,
    RunTotals,
    TrackedExecution,
    UnknownRow,
)
from dispatcher.ledger.sqlite.connection import connect, ledger_path
from dispatcher.ledger.sqlite.lock import AccountLock
from dispatcher.ledger.sqlite.presence import Presence
from dispatcher.ledger.sqlite.queries import queries
from dispatcher.ledger.sqlite.writer import Writer
from dispatcher.model import RowState


class SqliteLedger:
    """See `protocol.Ledger`; this class adds only where the file lies."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._presence = Presence(path)
        self._writer = Writer(connection)
        self._chunks = ChunkReader()

    @classmethod
    def open(cls, state_dir: Path, *, create: bool = True) -> SqliteLedger:
        """Open the ledger of a state folder, and make or upgrade it as needed. Blocking; a few ms.

        Raises: LedgerUnwritable, LedgerFull, LedgerCorrupt, LedgerTooNew; CampaignNotFound where `create` is off and
        there is none.
        """
        path = ledger_path(state_dir, create=create)
        return cls(path, connect(path))

    async def close(self) -> None:
        await asyncio.to_thread(self._writer.close)

    # --- accounts and campaigns ---

    async def account(self, account_sid: str, base_url: str) -> Account:
        return await self._writer.do(lambda db: reading.account(db, account_sid, base_url))

    async def open_campaign(self, name: str, account: Account, flow_sid: str) -> CampaignRecord:
        return await self._writer.do(lambda db: reading.open_campaign(db, name, account, flow_sid, _now_ms()))

    async def find_campaign(self, name: str) -> CampaignRecord:
        return await self._writer.read(lambda db: reading.find_campaign(db, name))

    async def campaigns(self) -> list[CampaignRecord]:
        return await self._writer.read(reading.campaigns)

    async def inputs(self, campaign: CampaignRecord) -> list[InputRecord]:
        return await self._writer.read(lambda db: planning.inputs(db, campaign.campaign_id))

    async def set_report_path(self, campaign: CampaignRecord, path: str) -> None:
        values = {"campaign_id": campaign.campaign_id, "path": path}
        await self._writer.do(lambda db: db.execute(queries()["campaign_set_report"], values))

    async def status(self, campaign: CampaignRecord) -> CampaignStatus:
        locked = AccountLock(self.path.parent, campaign.account).held()
        return await self._writer.read(lambda db: reading.status(db, campaign, locked=locked))

    def report_rows(self, campaign: CampaignRecord, input_id: int) -> Iterator[list[ReportRow]]:
        return reading.report_rows(self.path, input_id)

    # --- planning ---

    async def begin_input(self, campaign: CampaignRecord, new: NewInput) -> InputRecord:
        return await self._writer.do(lambda db: planning.begin(db, campaign, new, _now_ms()))

    async def load_rows(self, input_id: int, batch: RowBatch) -> None:
        await self._writer.do(lambda db: planning.load(db, input_id, batch))

    async def finish_input(self, input_id: int, sha256: str) -> PlanCounts:
        return await self._writer.do(lambda db: planning.finish(db, input_id, sha256, _now_ms()))

    async def retry_rows(
        self,
        campaign: CampaignRecord,
        *,
        codes: Sequence[int] = (),
        all_rejected: bool = False,
        busy: bool = False,
        cancelled: bool = False,
        count_only: bool = False,
    ) -> int:
        which = ["rejected"] * bool(codes or all_rejected) + ["busy"] * busy + ["cancelled"] * cancelled

        def work(db: sqlite3.Connection) -> int:
            db.execute("SAVEPOINT retry")
            count = planning.retry(db, campaign, which, codes, all_rejected)
            if count_only:
                db.execute("ROLLBACK TO retry")
            db.execute("RELEASE retry")
            return count

        return await self._writer.do(work)

    async def cancel_rows(self, campaign: CampaignRecord, reason: str) -> int:
        return await self._writer.do(lambda db: planning.cancel(db, campaign, reason))

    # --- sending ---

    async def start_run(self, campaign: CampaignRecord, *, window_limit: int, now_ms: int) -> Run:
        return await self._writer.do(lambda db: runs.start(db, campaign, window_limit=window_limit, now_ms=now_ms))

    async def stop_run(self, run: Run, *, now_ms: int, reason: str | None, totals: RunTotals) -> None:
        await self._writer.do(lambda db: runs.stop(db, run, now_ms, reason, totals))
        await self._writer.read(self._presence.restore)

    async def begin_rows(self, run: Run, limit: int, *, now_ms: int, input_id: int | None) -> list[GrantedRow]:
        def work(db: sqlite3.Connection) -> list[GrantedRow]:
            self._presence.check()
            return attempts.begin(db, self._chunks, run, limit, now_ms=now_ms, input_id=input_id)

        return await self._writer.do(work)

    async def end_rows(self, run: Run, ends: Sequence[AttemptEnd], *, now_ms: int, totals: RunTotals) -> None:
        def work(db: sqlite3.Connection) -> None:
            attempts.end(db, ends, RowState.sending)
            runs.update(db, run, now_ms, totals)

        def carefully(db: sqlite3.Connection) -> None:
            # A row that another run has put in doubt meanwhile takes the proof all the same.
            attempts.end_one_by_one(db, ends, (RowState.sending, RowState.unknown))
            runs.update(db, run, now_ms, totals)

        try:
            await self._writer.do(work)
        except attempts.RowsMoved:
            await self._writer.do(carefully)

    async def next_due_ms(self, campaign: CampaignRecord, input_id: int | None) -> int | None:
        def work(db: sqlite3.Connection) -> int | None:
            scopes = [input_id] if input_id is not None else attempts.inputs_planned(db, campaign)
            times = [db.execute(queries()["planned_next"], {"input_id": scope}).fetchone()[0] for scope in scopes]
            return min((at for at in times if at is not None), default=None)

        return await self._writer.read(work)

    async def departures(self, account: Account, *, since_ms: int, now_ms: int, doubtful: bool = True) -> list[int]:
        return await self._writer.read(
            lambda db: runs.departures(db, account, since_ms=since_ms, now_ms=now_ms, doubtful=doubtful)
        )

    # --- doubt ---

    async def unknown_rows(self, campaign: CampaignRecord) -> list[UnknownRow]:
        return await self._writer.read(
            lambda db: attempts.unknown(db, [r.input_id for r in planning.inputs(db, campaign.campaign_id)])
        )

    async def note_unknown(self, notes: Sequence[tuple[int, str]]) -> None:
        await self._writer.do(lambda db: attempts.note_unknown(db, notes))

    async def settle_rows(self, run: Run | None, ends: Sequence[AttemptEnd], *, now_ms: int) -> None:
        try:
            await self._writer.do(lambda db: attempts.end(db, ends, RowState.unknown))
        except attempts.RowsMoved:
            await self._writer.do(lambda db: attempts.end_one_by_one(db, ends, (RowState.unknown,)))

    # --- afterwards ---

    async def executions_to_track(
        self, campaign: CampaignRecord, *, read_as: str | None, after: int, limit: int
    ) -> list[CreatedExecution]:
        return await self._writer.read(
            lambda db: tracking.to_track(db, campaign, read_as=read_as, after=after, limit=limit)
        )

    async def save_executions(self, executions: Sequence[TrackedExecution]) -> None:
        await self._writer.do(lambda db: tracking.save(db, executions))

    async def execution_counts(self, campaign: CampaignRecord) -> ExecutionCounts:
        return await self._writer.read(lambda db: tracking.counts(db, campaign))

    async def is_tracked(self, campaign: CampaignRecord) -> bool:
        return await self._writer.read(lambda db: tracking.is_tracked(db, campaign))

    def executions_of_rows(self) -> AbstractContextManager[Callable[[Sequence[int]], dict[int, TrackedExecution]]]:
        return tracking.of_rows(self.path)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
