"""What passes between the ledger and the rooms above it: rows on their way in, to Studio, and into reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar, NamedTuple

import orjson

from dispatcher.ledger.run_records import AccountLimits as AccountLimits
from dispatcher.ledger.run_records import LatestRun as LatestRun
from dispatcher.ledger.run_records import RunTotals as RunTotals
from dispatcher.model import Absence, FoundBy, Outcome, Pause, Reason, RowState, moment_if
from dispatcher.rules.places import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One Studio account at one host. The limit, the lease and the breaker belong to it."""

    account_id: int
    account_sid: str
    #: The host belongs to the identity: a rehearsal against the sandbox is another account than the real one.
    base_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRecord:
    """A campaign as the ledger keeps it; it outlives every run."""

    campaign_id: int
    name: str
    account: Account
    flow_sid: str
    #: The latest input that was planned whole, None before the first.
    input_id: int | None

    @classmethod
    def of(cls, row: Sequence[Any]) -> CampaignRecord:
        """From a query's columns: id, name, the account's id, SID and host, flow, input."""
        campaign_id, name, account_id, account_sid, base_url, flow_sid, input_id = row
        account = Account(account_id=account_id, account_sid=account_sid, base_url=base_url)
        return cls(campaign_id=campaign_id, name=name, account=account, flow_sid=flow_sid, input_id=input_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRecord:
    """One file as it was planned into a campaign."""

    input_id: int
    campaign_id: int
    #: The file's path or name as the user gave it; `-` is standard input.
    source: str
    sha256: str
    #: Column names in file order, as written.
    header: tuple[str, ...]
    #: Parameter name -> index into a row's cells.
    parameter_columns: dict[str, int]
    #: Parameter name -> the same text for every row.
    parameter_constants: dict[str, str]
    #: The sender of rows that have none of their own.
    from_address: str | None
    #: Where the file lay, absolute; empty: not known, or standard input.
    folder: str = ""

    def parameters(self, cells: Sequence[str]) -> dict[str, str]:
        """The Parameters of a planned row with these cells: the constants, and above them its columns.

        The row's id is not among them: whoever sends the row adds it.
        """
        parameters = dict(self.parameter_constants)
        for name, position in self.parameter_columns.items():
            parameters[name] = cells[position]
        return parameters

    def sender(self, own: str | None) -> str | None:
        """Who sends a row: its `own` sender, else the file's. None: neither is known, so the row cannot be planned."""
        return own or self.from_address


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInput:
    """What the ledger needs to know of a file before its rows are loaded."""

    source: str
    header: tuple[str, ...]
    parameter_columns: dict[str, int]
    parameter_constants: dict[str, str] = field(default_factory=dict)
    from_address: str | None = None
    #: The file's folder, absolute; empty: it has none.
    folder: str = ""
    #: The columns that make a row the same row in the next file; (): its address does. None: not known.
    key_columns: tuple[str, ...] | None = None


class EarlierRows(Enum):
    """What becomes of a campaign's rows that a new file does not have."""

    #: It is a part of the whole: nothing.
    left = "left"
    #: The same, and what an earlier file was to take out stays, too; so do its lines that never could be sent.
    kept = "kept"
    #: It is the whole: they are to be taken out.
    removed = "removed"


@dataclass(slots=True, kw_only=True)
class RowBatch:
    """Some thousand checked rows on their way from intake to the ledger, column by column (lists of one length).

    Columns, not objects: a million rows pass here, and a list per column is what both ends work with fastest.
    """

    row_numbers: Sequence[int]
    #: None for a row that can never be sent (invalid).
    row_keys: Sequence[str | None]
    #: planned, invalid or skipped. Duplicates are found by the ledger, not here.
    states: Sequence[str]
    to_addresses: Sequence[str | None]
    #: None: the input's own sender.
    from_addresses: Sequence[str | None]
    #: The row's cells as a JSON array of text, one element per header column, exactly as written.
    cells: Sequence[str]
    #: Sparse: position in the batch -> (reason, column or None, sentence).
    reasons: dict[int, tuple[Reason, str | None, str]] = field(default_factory=dict)
    #: Sparse: position in the batch -> earliest time to send, in ms since the epoch.
    not_before_ms: dict[int, int] = field(default_factory=dict)
    not_after_ms: dict[int, int] = field(default_factory=dict)
    #: Where the contacts may be, of each row (None: no hours hold for it); None: nobody has looked.
    places: Sequence[Place | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCounts:
    """What planning a file into a campaign did. `rows` is how the file's rows stand now, by state."""

    input_id: int
    total: int
    rows: dict[RowState, int]
    #: Skipped and invalid rows by reason.
    reasons: dict[str, int]
    #: Rows that the campaign did not have before.
    new: int
    #: Rows that were refused before and have changed in the file: planned again.
    corrected: int
    #: Planned rows of earlier files that this file does not have; `run` leaves them, `resume` sends them.
    left_planned: int
    #: Planned rows of earlier files that are to be taken out, since this file does not have them.
    missing: int = 0
    #: Planned rows whose contact was reached a short time ago, where they are to be sent all the same.
    repeats: int = 0
    #: Rows of the campaign that were sent, or may have been, with other values or to another address than now.
    changed: int = 0


class AbsentAttempt(NamedTuple):
    """An attempt of a row that was unknown once, and counts as not sent."""

    absence: Absence
    begun_at_ms: int
    #: The id that was sent; None: none was, or the attempt is of a program that did not keep it.
    dispatch_id: str | None


class SentExecution(NamedTuple):
    """When the request for an execution of ours was sent, at the earliest, by the clock of its run.

    Where earlier attempts of its row count as absent, it may be the first of theirs.
    """

    run_id: int
    sent_at_ms: int


class LastCreated(NamedTuple):
    """The newest execution that an account has created on a flow, for all that the ledger knows."""

    execution_sid: str
    sent: SentExecution
    #: When its answer was known.
    answered_at_ms: int


class ForeignExecution(NamedTuple):
    """An execution of a contact that Studio shows and this ledger has not begun."""

    contact: str
    execution_sid: str
    #: By Studio's clock.
    created_at_ms: int
    #: A create request began it, and no message or call of the contact's; None: the list does not say.
    by_api: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A look at Studio's list for executions that this ledger does not know: all from some time on are kept."""

    #: When the list was asked for, on the clock of this look.
    looked_at_ms: int
    #: Studio's clock less that one.
    clock_skew_ms: int
    #: From when on, by Studio's clock, nothing is missing: through this look and those before it.
    since_ms: int
    #: When the run of this look has sent its last request, on the clock of the look; None: it has sent none.
    departed_at_ms: int | None = None


class GrantedRow(NamedTuple):
    """A row whose intent is on disk: its request may leave once. Made only by the ledger's `begin_rows`.

    A tuple, as `AttemptEnd` is: one is made for each request, and a frozen dataclass takes five times as long.
    """

    row_id: int
    attempt_id: int
    input_id: int
    row_number: int
    row_key: str
    to_address: str
    #: None: the input's own sender.
    from_address: str | None
    #: The row's cells in the order of its input's header.
    cells: list[str]
    #: The id that is to travel in its Parameters, as it is kept with the attempt; None: none was asked for.
    dispatch_id: str | None = None
    #: Its earlier attempts of which it was not known whether they created anything: one of them may have.
    absent: tuple[AbsentAttempt, ...] = ()
    #: Once it is this time, its request must not leave any more; 0: whenever.
    leave_by_ms: int = 0


class GrantedRows(list[GrantedRow]):
    """What a claim has come to: the rows granted, and how many were `skipped` instead, as not to be reached."""

    skipped: int = 0
    #: None was granted, and there may be more: so many were skipped that the claim was ended to let others write.
    is_cut: bool = False


class AttemptEnd(NamedTuple):
    """What an attempt proved; written by the ledger's `end_rows`."""

    row_id: int
    attempt_id: int
    outcome: Outcome
    #: When the request left, and when its answer was known: ms since the epoch. None: it never left.
    sent_at_ms: int | None
    ended_at_ms: int
    execution_sid: str | None = None
    http_status: int | None = None
    error_code: int | None = None
    error_message: str | None = None
    request_id: str | None = None
    found_by: FoundBy | None = None
    #: A row that waits (busy contact, on_busy = wait) comes back planned, not before this time.
    not_before_ms: int | None = None
    #: Why an attempt that was unknown counts as not sent.
    absence: Absence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownRow:
    """A row whose last attempt may or may not have created an execution, as reconcile needs it."""

    row_id: int
    attempt_id: int
    input_id: int
    row_number: int
    row_key: str
    to_address: str
    #: When the intent was written: the execution, if it exists, is not older (but for clock skew).
    begun_at_ms: int
    #: When the answer was given up, or the row was found in `sending` after a crash.
    ended_at_ms: int
    run_id: int
    #: Studio's clock less the clock of these times, as that run measured it; None: it never did.
    clock_skew_ms: int | None
    #: The id that was sent; None: none was, or the attempt is of a program that did not keep it.
    dispatch_id: str | None = None
    #: What was answered; None: nothing.
    http_status: int | None = None
    #: Earlier attempts that were unknown, too.
    absent: tuple[AbsentAttempt, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One process sending a campaign's rows. `epoch` fences it: the ledger grants rows only to the newest holder."""

    run_id: int
    campaign: CampaignRecord
    epoch: int
    #: Rows that an earlier run left in `sending`; they are `unknown` now.
    recovered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TestAttempt:
    """A test send whose intent is on disk: its request may leave once. Made only by the ledger's `begin_test`."""

    #: Not a test of pytest's, whatever it is called.
    __test__: ClassVar[bool] = False

    attempt_id: int
    run_id: int
    account: Account


class ReportRow(NamedTuple):
    """A row as the report shows it: the input's cells and our own columns.

    A tuple, since a million of them are made for a report: a frozen dataclass of this size takes four times as long.
    """

    row_id: int
    input_id: int
    row_number: int
    #: In the order of its input's header.
    cells: list[str]
    state: RowState
    to_address: str | None
    from_address: str | None
    reason_code: str | None
    reason_column: str | None
    reason: str | None
    #: Attempts that counted (429s do not).
    attempts: int
    execution_sid: str | None
    http_status: int | None
    error_code: int | None
    error_message: str | None
    found_by: str | None
    sent_at_ms: int | None
    ended_at_ms: int | None
    #: What was sent where the file says something else: JSON, parameter -> its value, null: not sent; None: as it says.
    sent: str | None = None

    @property
    def sent_at(self) -> datetime | None:
        """When its last request left, in UTC; None: none has."""
        return moment_if(self.sent_at_ms)

    @property
    def ended_at(self) -> datetime | None:
        """When its answer was known, in UTC; None: it is not."""
        return moment_if(self.ended_at_ms)

    def sent_otherwise(self) -> dict[str, str | None] | None:
        """`sent` as an object; empty where only the addresses differ."""
        return None if self.sent is None else orjson.loads(self.sent)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPlace:
    """Where a ledger lies, for people, and when its first campaign was made: of what was before, it knows nothing."""

    location: str
    #: None: it has no campaign yet.
    since_ms: int | None

    @property
    def since(self) -> datetime | None:
        """`since_ms`, in UTC."""
        return moment_if(self.since_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignStatus:
    """A campaign's counts, as `status` shows them."""

    campaign: CampaignRecord
    ledger: LedgerPlace
    #: Rows of the latest file by state; every state is present.
    rows: dict[RowState, int]
    #: Rows of earlier files that the latest file does not have, by state (only those present).
    earlier_rows: dict[RowState, int]
    attempts: int
    throttled: int
    worst_window: int
    window_limit: int
    first_started_at_ms: int | None
    #: Sending time over all runs, in seconds.
    duration_s: float
    running: bool
    stop_reason: str | None
    report_path: str | None
    #: When the first of the rows may be sent that the last run has left to their time; None: it has left none so.
    next_at_ms: int | None = None
    #: The latest run neither runs nor has stopped: it was killed, and nothing has been started since.
    interrupted: bool = False
    #: Rows that were sent, or may have been, with other values or to another address than the latest file has.
    changed: int = 0
    #: None: it may be sent.
    paused: Pause | None = None
    #: From when on a server is to send it; None: nobody but a terminal does.
    due_ms: int | None = None
    #: Whether workers are told how to send all that it has: not what was planned after it was ordered. None: the
    #: ledger is one machine's, and it has none.
    is_settled: bool | None = None
    #: None: it has none.
    run: LatestRun | None = None

    @property
    def first_started_at(self) -> datetime | None:
        """When its first run was begun, in UTC; None: it has none."""
        return moment_if(self.first_started_at_ms)

    @property
    def next_at(self) -> datetime | None:
        """`next_at_ms`, in UTC."""
        return moment_if(self.next_at_ms)

    @property
    def due_at(self) -> datetime | None:
        """`due_ms`, in UTC."""
        return moment_if(self.due_ms)
