"""What a ledger can do. Batches only; every method that writes is one durable transaction when it returns.

SQLite is the one implementation today; the same protocol fits a database server shared by many machines, which is why
`begin_rows` checks the caller's epoch and says when each granted row may leave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

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


class Ledger(Protocol):
    """The durable store of campaigns, rows, attempts and runs."""

    async def close(self) -> None:
        """Finish what is queued and close. Safe to call twice."""

    async def account(self, account_sid: str, base_url: str) -> Account:
        """The account's record, made where it is new."""

    async def open_campaign(self, name: str, account: Account, flow_sid: str) -> CampaignRecord:
        """The campaign of that name, made where it is new.

        Raises: CampaignMismatch where the name belongs to another flow or account.
        """

    async def find_campaign(self, name: str) -> CampaignRecord:
        """Raises: CampaignNotFound, naming the nearest that there is."""

    async def campaigns(self) -> list[CampaignRecord]:
        """All, oldest first."""

    async def inputs(self, campaign: CampaignRecord) -> list[InputRecord]:
        """The campaign's files that were planned whole, oldest first."""

    async def begin_input(self, campaign: CampaignRecord, new: NewInput) -> InputRecord:
        """Start loading a file; rows of loads that were cut short are removed. The caller holds the account's lock."""

    async def load_rows(self, input_id: int, batch: RowBatch) -> None:
        """Store some rows, in file order; they do not count yet."""

    async def finish_input(self, input_id: int, sha256: str) -> PlanCounts:
        """The file is whole: find duplicates, join its rows to the campaign's, and let them count. All or nothing.

        A line whose key the campaign has goes on with that row. What was sent stays created or in doubt; what was
        taken out stays out; what Studio refused stays refused, unless something else would be sent now (then it is
        planned again: `corrected`). Anything else is as the new line says. Rows of earlier files that this one lacks
        stay in the campaign, `left_planned` of them to be sent. Of equal keys in the file, the first that is in order
        is the row.
        """

    async def start_run(self, campaign: CampaignRecord, *, window_limit: int, now_ms: int) -> Run:
        """Take the account over: raise its epoch and turn its rows left in `sending` into `unknown`.

        The rows of all its campaigns: the caller holds the account's lock, so runs that have not stopped are dead, and
        are marked as interrupted.
        """

    async def stop_run(self, run: Run, *, now_ms: int, reason: str | None, totals: RunTotals) -> None:
        """Record the run's end."""

    async def begin_rows(self, run: Run, limit: int, *, now_ms: int, input_id: int | None) -> list[GrantedRow]:
        """Write the intent to send for up to `limit` planned rows (of one input, or of all) whose time has come.

        When it returns, the intents are on disk. Each row granted may leave once.
        Raises: LeaseLost where another run has taken the account over; LedgerFull.
        """

    async def end_rows(self, run: Run, ends: Sequence[AttemptEnd], *, now_ms: int, totals: RunTotals) -> None:
        """Write what attempts proved and move their rows. Raises: LedgerFull (nothing of the batch is written then).

        Proof counts however late it comes: also of rows that another run has put in doubt meanwhile. A row that would
        be planned again and was taken out, or is no longer in order in a newer file, becomes skipped or invalid.
        """

    async def next_due_ms(self, campaign: CampaignRecord, input_id: int | None) -> int | None:
        """When the next waiting row may be sent; None: no row waits for a time."""

    async def departures(self, account: Account, *, since_ms: int, now_ms: int, doubtful: bool = True) -> list[int]:
        """When create requests of any run of the account left since then, in ms, ascending.

        `doubtful`: also those of which it is not known whether or when they left; they count at the latest moment
        possible (that is right for a limiter, and too many for a measurement).
        """

    async def status(self, campaign: CampaignRecord) -> CampaignStatus:
        """Counts, and whether a run is at work: one that has not stopped, while some process holds the account."""

    async def unknown_rows(self, campaign: CampaignRecord) -> list[UnknownRow]:
        """The rows in doubt, of all the campaign's inputs."""

    async def note_unknown(self, notes: Sequence[tuple[int, str]]) -> None:
        """Keep the evidence why attempts stay unknown: (attempt_id, sentence)."""

    async def settle_rows(self, run: Run | None, ends: Sequence[AttemptEnd], *, now_ms: int) -> None:
        """Move `unknown` rows by what reconcile has proved (created, busy, not_sent)."""

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
        """Plan refused rows again; returns how many. Their history is kept. `count_only` changes nothing."""

    async def cancel_rows(self, campaign: CampaignRecord, reason: str) -> int:
        """Take planned rows out of the campaign; returns how many.

        Rows on the wire or in doubt follow as soon as it is known that nothing was created.
        """

    async def set_report_path(self, campaign: CampaignRecord, path: str) -> None:
        """Remember where the last report was written."""

    async def executions_to_track(
        self, campaign: CampaignRecord, *, read_as: str | None, after: int, limit: int
    ) -> list[CreatedExecution]:
        """Executions of which more can be learned, by attempt, from the attempt `after` on.

        Those never looked at, those that were active when last seen, and, unless `read_as` is None, those that have
        ended and whose details were not read with these settings.
        """

    async def save_executions(self, executions: Sequence[TrackedExecution]) -> None:
        """Keep what was seen. An execution that has ended stays ended; details stay until they are read again."""

    async def execution_counts(self, campaign: CampaignRecord) -> ExecutionCounts:
        """What became of a campaign's executions, as far as they were tracked."""

    async def is_tracked(self, campaign: CampaignRecord) -> bool:
        """Whether anything is known of any execution of the campaign."""

    def executions_of_rows(self) -> AbstractContextManager[Callable[[Sequence[int]], dict[int, TrackedExecution]]]:
        """Row ids -> what is known of their executions, those of which something is.

        Synchronous, on a connection of its own: enter and use it in one thread.
        """

    def report_rows(self, campaign: CampaignRecord, input_id: int) -> Iterator[list[ReportRow]]:
        """One input's rows in file order, some hundred at a time.

        Synchronous, on a connection of its own: call it in a thread.
        """
