"""What a run came to, apart from what it takes to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from dispatcher.campaign.timing import Waiting
from dispatcher.errors import DispatcherError, ExitCode
from dispatcher.ledger.records import CampaignStatus
from dispatcher.model import Reason, RowState, moment_if
from dispatcher.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCounts:
    """What one run has done, apart from what the campaign has come to."""

    run_id: int
    started_at_ms: int
    finished_at_ms: int
    #: Rows that it has created, or found to be created.
    created: int
    rejected: int
    #: Rows that are unknown at its end, whichever run has sent them.
    unknown: int
    requests: int
    throttled: int

    def after(self, earlier: RunCounts | None) -> RunCounts:
        """Both together: one process that has waited in between."""
        if earlier is None:
            return self
        return replace(
            self,
            started_at_ms=earlier.started_at_ms,
            created=earlier.created + self.created,
            rejected=earlier.rejected + self.rejected,
            requests=earlier.requests + self.requests,
            throttled=earlier.throttled + self.throttled,
        )


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
    #: Rows that it has begun to send, as far as `limit` counts them.
    begun: int = 0
    #: The clock that the rules went by less this machine's: `waiting` is in that one's time.
    clock_ahead_ms: int = 0
    #: Rows that wait for hours, a start or their own times; the first to go first.
    waiting: tuple[Waiting, ...] = ()
    #: None: it is not told.
    run: RunCounts | None = None

    @property
    def next_at_ms(self) -> int | None:
        """When the first of those may be sent; None: none waits."""
        return self.waiting[0].until_ms if self.waiting else None

    @property
    def next_at(self) -> datetime | None:
        """`next_at_ms`, in UTC."""
        return moment_if(self.next_at_ms)

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

    def told_code(self, unexpected: int) -> ExitCode:
        """The program's exit code, as far as a report does not change it; see `unexpected_rows`."""
        return ExitCode.SOME_REFUSED if unexpected and self.exit_code is ExitCode.OK else self.exit_code


def unexpected_rows(skipped: Mapping[str, int], settings: Settings) -> int:
    """Rows of the file that are left out by a rule which the settings do not name: whoever sends must be told."""
    nowhere = skipped.get(Reason.zone_unknown, 0) + skipped.get(Reason.no_window, 0)
    return contacted_rows(skipped, settings) + nowhere


def contacted_rows(skipped: Mapping[str, int], settings: Settings) -> int:
    """Rows of the file that are left out as contacts reached a short time ago, unless the settings say so."""
    return 0 if repeats_expected(settings) else skipped.get(Reason.contacted, 0)


def repeats_expected(settings: Settings) -> bool:
    """Whether `repeat_after_h` was set, in whatever source: rows that it leaves out are left out on purpose then."""
    return "repeat_after_h" in settings.campaign.model_fields_set
