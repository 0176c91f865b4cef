"""What a ledger can do. Batches only; every method that writes is one durable transaction when it returns.

The protocol fits one file as it does a database server shared by many machines: who sends for an account holds its
lease, and `begin_rows` and `resolve_rows` check the epoch by which a run took the account over. Times are milliseconds
since 1970, of `dispatcher.clock`.

Every method raises LedgerError's children: LedgerUnreachable (worth another try), LedgerFull, LedgerCorrupt,
LedgerUnwritable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from dispatcher.ledger.canaries import Canaries
from dispatcher.ledger.doubts import Doubts
from dispatcher.ledger.erasures import Erasures
from dispatcher.ledger.executions import CreatedExecution, ExecutionCounts, TrackedExecution
from dispatcher.ledger.foresight import Foresight
from dispatcher.ledger.lists import Lists
from dispatcher.ledger.notices import Announce, Notices
from dispatcher.ledger.records import (
    Account,
    AccountLimits,
    AttemptEnd,
    CampaignRecord,
    CampaignStatus,
    EarlierRows,
    GrantedRow,
    GrantedRows,
    InputRecord,
    NewInput,
    PlanCounts,
    RowBatch,
    Run,
    RunTotals,
    TestAttempt,
)
from dispatcher.ledger.snapshot import LedgerSnapshot
from dispatcher.ledger.suppressed import LeftOut
from dispatcher.ledger.waiting import PlacesOfRows, SendersOfRows
from dispatcher.ledger.wishes import Wishes
from dispatcher.model import Outcome, Pause, Reason
from dispatcher.rules.gate import OPEN, Gate


class Ledger(Doubts, Protocol):
    """The durable store of campaigns, rows, attempts and runs. Opened by `open_ledger`, `open_rehearsal`."""

    @property
    def location(self) -> str:
        """Where it lies, for people."""

    @property
    def lists(self) -> Lists:
        """The suppression lists of its accounts."""

    @property
    def places(self) -> PlacesOfRows:
        """Where contacts may be, and the rows that wait there."""

    @property
    def senders(self) -> SendersOfRows:
        """Who has sent how much, and what waits to be sent by whom."""

    @property
    def foresight(self) -> Foresight:
        """Which row would go first, and whom an account has reached lately."""

    @property
    def wishes(self) -> Wishes:
        """What is wanted of its campaigns: that they are sent, by whom, or stand still."""

    @property
    def canaries(self) -> Canaries:
        """Campaigns' first rows, before all others."""

    @property
    def notices(self) -> Notices:
        """What is to be told of runs, and is not delivered yet."""

    @property
    def erasures(self) -> Erasures:
        """How old its campaigns are, and who and what is forgotten."""

    @property
    def is_shared(self) -> bool:
        """Whether it is a server's, of many machines: whoever sends for its accounts does it by this ledger."""

    def blocked_by(self) -> str | None:
        """Who has kept the ledger from being written for a second or longer, in words; None: nobody. Never blocks."""

    async def close(self) -> None:
        """Finish what is queued and close. Safe to call twice."""

    # --- accounts and campaigns ---

    async def account(self, account_sid: str, base_url: str) -> Account:
        """The account's record, made where it is new; one for all its spellings (`identity`)."""

    def lease(
        self,
        account: Account,
        *,
        wait: bool,
        stopped: asyncio.Event | None = None,
        waiting: Callable[[], None] | None = None,
    ) -> AbstractAsyncContextManager[None]:
        """Hold the account: whoever plans or sends for it is alone, and is let go however the process ends.

        With `wait`, until whoever holds it now has finished; `waiting` is called once, when that begins, and `stopped`
        ends it. Not reentrant: a second lease of an account waits for the first, in one process, too.
        Raises: AccountLocked (without `wait`, or `stopped` was set), LedgerUnwritable.
        """

    async def is_leased(self, account: Account) -> bool:
        """Whether any process, this one included, holds the account now; False where it cannot be told."""

    async def is_wanted(self, account: Account) -> bool:
        """Whether somebody waits for the account's lease who is to plan: whoever only sends makes room for a moment.

        Only a server's ledger tells.
        """

    async def holder(self, account: Account) -> str | None:
        """The machine and process that hold the account now, for people; None: nobody does, or it cannot be told."""

    async def open_campaign(self, name: str, account: Account, flow_sid: str) -> CampaignRecord:
        """The account's campaign of that name, made where it is new.

        Until its first attempt a campaign can be given to another flow or account: this does it. Names are unique per
        account. In one machine's ledger one that another account has begun to send, or that a server is to send for it,
        is refused all the same, lest its people are reached once more; in a server's, of many teams, each has its own.
        Raises: CampaignMismatch where the name belongs to another flow or account.
        """

    async def find_campaign(self, name: str, account: Account | None = None) -> CampaignRecord:
        """The campaign of that name, of this account where it is given.

        Raises: CampaignNotFound, naming the nearest that there is; CampaignMismatch where another account has it, or
        several have and none is given.
        """

    async def campaigns(self) -> list[CampaignRecord]:
        """All, oldest first."""

    async def inputs(self, campaign: CampaignRecord) -> list[InputRecord]:
        """The campaign's files that were planned whole, oldest first."""

    async def input_files(self) -> list[tuple[str, str]]:
        """All campaigns' files: the folder where each lay (empty: not known), and its name as the user gave it."""

    async def set_report_path(self, campaign: CampaignRecord, path: str) -> None:
        """Remember where the last report was written."""

    async def reasons(self, campaign: CampaignRecord, *, whole_campaign: bool = False) -> dict[str, int]:
        """Why rows of the latest file, or of all, are left out: reason -> how many."""

    async def status(self, campaign: CampaignRecord) -> CampaignStatus:
        """Counts, and whether a run is at work: one that has not stopped, while some process holds the account."""

    # --- planning ---

    async def begin_input(self, campaign: CampaignRecord, new: NewInput) -> InputRecord:
        """Start loading a file; rows of loads that were cut short are removed. The caller holds the account's lease.

        Raises: CampaignMismatch where the file's key is not the campaign's, of which something was sent.
        """

    async def load_rows(self, input_id: int, batch: RowBatch) -> None:
        """Store some rows, in file order; they do not count yet."""

    async def finish_input(
        self,
        input_id: int,
        sha256: str,
        *,
        repeat_after_ms: int = 0,
        skip_repeats: bool = True,
        earlier: EarlierRows = EarlierRows.left,
        remove_share_max: float | None = None,
        list_ids: Collection[int] = (),
    ) -> PlanCounts:
        """The file is whole: an upsert of its lines into the campaign, by row key. All or nothing.

        Of several lines with one key, the first that is in order (else the first) is the row, and the others are
        skipped as duplicates. What becomes of a row whose key the campaign has:

        | row was | line in order | line skipped or invalid |
        |---|---|---|
        | planned, skipped, invalid | planned | as the line |
        | skipped: cancelled | skipped: cancelled | as the line |
        | rejected | rejected; planned where parameters or addresses have changed (`corrected`) | as the line |
        | busy | busy; planned where the contact or sender has changed (`corrected`) | as the line |
        | created | created | created |
        | sending, unknown | the same; planned if it proves that nothing was created | the same; then as the line |

        What was sent, or may have been, is kept where the file has other values for it (`changed`, `ReportRow.sent`).
        A key that the campaign does not have becomes a new row, as its line says. Rows of earlier files that this one
        lacks stay in the campaign, `left_planned` of them to be sent; with `earlier` = removed they are not sent any
        more, and `missing` of them are for `remove_rows` to take out. A larger share of the rows that wait than
        `remove_share_max` is refused, and nothing is planned. A line that is skipped as `reported` stays so unless the
        campaign has tried to send the row itself.

        A row that would be planned and whose contact this account has begun to reach on the campaign's flow in the last
        `repeat_after_ms` (by whatever campaign, file or key; but not by another row of this file) becomes skipped
        (`contacted`), or without `skip_repeats` is only counted. Raises: UsageError.
        """

    async def rows_to_remove(self, campaign: CampaignRecord) -> int:
        """How many rows that wait to be sent `remove_rows` would take out."""

    async def remove_rows(self, campaign: CampaignRecord) -> int:
        """Rows that the latest whole file has no more become skipped (`removed`); returns how many.

        Planned, busy and rejected ones. Rows on the wire or unknown follow as soon as it is known that nothing was
        created.
        """

    async def campaigns_of_file(self, account: Account, flow_sid: str, sha256: str) -> list[str]:
        """The account's campaigns on the flow that were fed these bytes, the newest first."""

    async def retry_rows(
        self,
        campaign: CampaignRecord,
        *,
        codes: Sequence[int] = (),
        all_rejected: bool = False,
        busy: bool = False,
        skipped: Sequence[Reason] = (),
        count_only: bool = False,
        most: int | None = None,
    ) -> int:
        """Plan refused rows again, and those left out for these reasons; returns how many. Their history is kept.

        `count_only` changes nothing. `most`: only the first so many; the others stay refused, with their reasons.
        """

    async def count_left_out(
        self,
        campaign: CampaignRecord,
        *,
        repeat_after_ms: int = 0,
        list_ids: Collection[int] = (),
        codes: Sequence[int] = (),
        all_rejected: bool = False,
        busy: bool = False,
        skipped: Sequence[Reason] = (),
    ) -> LeftOut:
        """How many planned rows of the campaign would be left out: by these lists, and as reached a short time ago.

        As if `retry_rows` had planned these, too; nothing is changed. Raises: SuppressionError, as `begin_rows`.
        """

    async def cancel_rows(self, campaign: CampaignRecord, reason: str) -> int:
        """Take planned rows out of the campaign; returns how many.

        Rows on the wire or unknown follow as soon as it is known that nothing was created.
        """

    # --- sending ---

    async def start_run(
        self, campaign: CampaignRecord, *, window_limit: int, now_ms: int, announce: Announce | None = None
    ) -> Run:
        """Take the account over: raise its epoch and turn its rows left in `sending` into `unknown`.

        The rows of all its campaigns: the caller holds the account's lease, so runs that have not stopped are dead, and
        are marked as interrupted; test sends that they left become `unknown`, too. `announce` says what is to be told
        of each of them; that is written in the same transaction.
        """

    async def stop_run(
        self, run: Run, *, now_ms: int, reason: str | None, totals: RunTotals, announce: Announce | None = None
    ) -> None:
        """Record the run's end, and in the same transaction what is to be told of it."""

    async def begin_rows(
        self,
        run: Run,
        limit: int,
        *,
        now_ms: int,
        input_id: int | None,
        dispatch_id: Callable[[str], str] | None = None,
        repeat_after_ms: int = 0,
        list_ids: Collection[int] = (),
        gate: Gate = OPEN,
    ) -> GrantedRows:
        """Write the intent to send for up to `limit` planned rows (of one input, or of all) whose time has come.

        When it returns, the intents are on disk. Each row granted may leave once. `dispatch_id` makes the id of a row
        from its key; it is kept with the attempt.

        A row whose contact this account has begun to reach on the campaign's flow in the last `repeat_after_ms`
        (whatever the campaign, the file or the key; 0: does not matter) becomes skipped instead of granted; and so
        does one whose contact is suppressed: on one of these lists, opted out, or by hand.
        With a `gate` only rows of its open places are granted, in their order; none whose own time is over is. Where it
        says how many more each sender may begin, no sender is granted more, and those of the others go all the same.
        Raises: LeaseLost where another run has taken the account over; CampaignPaused where rows wait and the campaign
        is paused, also for no row at all (`limit` 0); SuppressionError where one of the lists is not there any more;
        LedgerFull, LedgerGone.
        """

    async def end_rows(
        self,
        run: Run,
        ends: Sequence[AttemptEnd],
        *,
        now_ms: int,
        totals: RunTotals,
        pause: Pause | None = None,
    ) -> None:
        """Write what attempts proved and move their rows. Raises: LedgerFull (nothing of the batch is written then).

        `pause`: and pause the campaign, because of what they proved: neither is on disk without the other.

        Proof counts however late it comes: also of rows that another run has made `unknown` meanwhile. A row of
        which nothing was created and that was taken out meanwhile, or is no longer in order in a newer file, becomes
        skipped or invalid: it is not left refused, where `retry` would find it.
        Writing the same ends again changes nothing.
        """

    async def known_executions(self, account: Account, executions: Mapping[str, str]) -> set[str]:
        """Of executions (SID -> contact's address) those that this ledger knows of.

        They are its campaigns' or its test sends', or may be: an attempt for the contact has no answer yet.
        """

    async def own_execution(self, run: Run, row: GrantedRow, execution_sid: str) -> bool:
        """Whether another row of the run's campaign has begun this execution of the row's contact, or may have."""

    async def skip_contacts(self, run: Run, sentences: Mapping[str, str]) -> int:
        """Planned rows of the campaign become skipped (`contacted`) by their contact; returns how many.

        `sentences`: contact (as `model.contact_of` gives it) -> why, for people. Raises: LeaseLost.
        """

    async def next_due_ms(self, campaign: CampaignRecord, input_id: int | None) -> int | None:
        """When the next waiting row may be sent; None: no row waits for a time."""

    async def departures(self, account: Account, *, since_ms: int, now_ms: int, unresolved: bool = True) -> list[int]:
        """When create requests of the account left since then, in ms, ascending: of any run, and test sends.

        `unresolved`: also those of which it is not known whether or when they left; they count at the latest moment
        possible (that is right for a limiter, and too many for a measurement).
        """

    async def account_limits(self, account: Account) -> AccountLimits:
        """The account's own rate, and what 429s have left of it for whoever sends next."""

    async def set_account_rate(self, account: Account, per_second: float | None) -> None:
        """The account's own rate from now on, for whoever begins to send; None: the settings' again."""

    async def has_sent(self, account: Account) -> bool:
        """Whether a create request of the account was ever begun, by any run or test send."""

    async def begun_since(self, account: Account, since_ms: int) -> int:
        """How many executions the account has begun since then, or may have: by any campaign, and as tests."""

    async def begin_test(
        self,
        account: Account,
        *,
        to_address: str,
        from_address: str | None = None,
        now_ms: int,
        list_ids: Collection[int] = (),
    ) -> TestAttempt:
        """Write the intent of a test send; when it returns, it is on disk. The caller holds the account's lease.

        Raises: SuppressedContact where the contact is suppressed; SuppressionError, as `begin_rows`.

        An attempt of no row and no campaign: counts, reports, tracking and reconcile do not see it, departures do. One
        that is never ended counts as departed at the latest moment possible.
        """

    async def end_test(
        self,
        attempt: TestAttempt,
        *,
        outcome: Outcome,
        sent_at_ms: int | None,
        ended_at_ms: int,
        execution_sid: str | None = None,
        http_status: int | None = None,
        error_code: int | None = None,
        error_message: str | None = None,
        request_id: str | None = None,
    ) -> None:
        """Write what a test send proved. `sent_at_ms`: None: it never left, or that is not known (`unknown`)."""

    # --- afterwards ---

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

    def snapshot(self) -> AbstractAsyncContextManager[LedgerSnapshot]:
        """The ledger as it is now, however long it is read: on a connection and a thread of its own.

        While it is open, SQLite's log grows by what is written meanwhile. (A rehearsal has one connection and is
        nobody else's: it is read as it is at each batch.)
        """
