"""What a run came to, apart from what it takes to run."""

from __future__ import annotations

from dataclasses import dataclass

from dispatcher.campaign.timing import Waiting
from dispatcher.errors import DispatcherError, ExitCode
from dispatcher.ledger.records import CampaignStatus
from dispatcher.model import RowState


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What a run came to."""

    status: CampaignStatus
    #: Why it ended before every row had its answer; None: it did not.
    error: DispatcherError | None
    #: Rows left unknown that reconcile found to exist in this run.
    found_by_reconcile: int = 0
    #: Why rows left unknown could not be looked up.
    reconcile_error: DispatcherError | None = None
    #: Planned rows that this run was to send and did not.
    remaining: int = 0
    #: Rows that wait for hours, a start or their own times; the first to go first.
    waiting: tuple[Waiting, ...] = ()

    @property
    def next_at_ms(self) -> int | None:
        """When the first of those may be sent; None: none waits."""
        return self.waiting[0].until_ms if self.waiting else None

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the contract."""
        rows = self.status.rows
        if self.error is not None:
            return self.error.exit_code
        if self.remaining:
            return ExitCode.STOPPED
        if rows[RowState.unknown] or self.status.earlier_rows.get(RowState.unknown, 0):
            return ExitCode.SOME_UNKNOWN
        if self.waiting:
            return ExitCode.WAITING
        if rows[RowState.rejected] or rows[RowState.invalid] or rows[RowState.busy]:
            return ExitCode.SOME_REFUSED
        return ExitCode.OK
