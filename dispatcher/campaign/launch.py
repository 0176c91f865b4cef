"""The order of a launch, the same for every front end: outlook → confirm → before → send → always a report.

`confirm` is the only asking. Nothing has changed when it is called, and whatever it raises ends the launch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from dispatcher.campaign.outlook import Outlook, outlook
from dispatcher.errors import DispatcherError, ExitCode
from dispatcher.remedies import Command, InTurn, Option

if TYPE_CHECKING:
    from dispatcher.campaign.campaign import Campaign
    from dispatcher.campaign.result import RunResult

#: Asked with what is about to happen. Raises to refuse.
Confirm: TypeAlias = Callable[[Outlook], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchOptions:
    """How a campaign is sent."""

    report: Path
    #: A file that is no report of this program's may be replaced by it.
    overwrite: bool = False
    #: The most rows to send; None: all.
    limit: int | None = None
    #: Rows of earlier files, too.
    whole_campaign: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched:
    """What a launch came to."""

    result: RunResult
    #: None: it could not be written, `report_error` says why.
    report: Path | None
    report_error: DispatcherError | None

    @property
    def errors(self) -> tuple[DispatcherError, ...]:
        """Everything that went wrong, what ended the run first."""
        found = (self.result.error, self.result.reconcile_error, self.report_error)
        return tuple(error for error in found if error is not None)

    @property
    def exit_code(self) -> ExitCode:
        """That of the run; the report's error counts only where nothing graver has happened."""
        code = self.result.exit_code
        if self.report_error is not None and code in (ExitCode.OK, ExitCode.SOME_REFUSED):
            return self.report_error.exit_code
        return code


async def launch(
    campaign: Campaign,
    options: LaunchOptions,
    *,
    confirm: Confirm,
    extra: int = 0,
    before: Callable[[], Awaitable[object]] | None = None,
    shown: Callable[[], AbstractAsyncContextManager[object]] = contextlib.nullcontext,
) -> Launched:
    """Confirm what would be sent, send it, and write the report, whatever happens meanwhile.

    `before` is called once that is confirmed; it plans `extra` rows again. `shown` wraps the sending: a live view.

    Raises: what `confirm` and `before` do; what is a bug, or a ledger that is gone.
    """
    ahead = outlook(
        await campaign.status(),
        campaign.settings,
        whole_campaign=options.whole_campaign,
        limit=options.limit,
        extra=extra,
    )
    confirm(ahead)
    if before is not None:
        await before()
    async with shown():
        try:
            result = await campaign.send(whole_campaign=options.whole_campaign, limit=options.limit)
        except BaseException:
            # A bug, or a ledger that is gone: what is known goes into the report all the same.
            await write_report(campaign, options.report, overwrite=options.overwrite)
            raise
        error = await write_report(campaign, options.report, overwrite=options.overwrite)
    return Launched(result=result, report=None if error else options.report, report_error=error)


async def write_report(campaign: Campaign, path: Path, *, overwrite: bool = False) -> DispatcherError | None:
    """Write it; the error, if it cannot be written, with how to write it again. Also for a run that sends nothing."""
    try:
        await campaign.report(path, overwrite=overwrite)
    except DispatcherError as error:
        again = Command("report", (campaign.name,), (Option("report", "PATH"),), does="writes it again")
        error.fix = InTurn(error.fix, again) if error.fix else again
        return error
    return None
