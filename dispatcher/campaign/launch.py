"""The order of a launch, the same for every front end: outlook → confirm → before → send → always a report → notices.

`confirm` is the only asking. Nothing has changed when it is called, and whatever it raises ends the launch.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from dispatcher.campaign.courier import TRIES, Courier, Posted, courier_of
from dispatcher.campaign.handing import HandedOver
from dispatcher.campaign.outlook import Outlook, outlook, refuse_too_many
from dispatcher.campaign.result import contacted_rows, unexpected_rows
from dispatcher.campaign.stop import StopRequest
from dispatcher.errors import DispatcherError, ExitCode, Interrupted, LookCutShort
from dispatcher.events import Event, RunStarted
from dispatcher.remedies import Command, InTurn, Option

if TYPE_CHECKING:
    from dispatcher.campaign.campaign import Campaign
    from dispatcher.campaign.entrusting import Entrusting
    from dispatcher.campaign.result import RunResult

#: Asked with what is about to happen. Raises to refuse.
Confirm: TypeAlias = Callable[[Outlook], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchOptions:
    """How a campaign is sent."""

    #: Where the report is written; None: nowhere, it is another machine's to write.
    report: Path | None
    #: A file that is no report of this program's may be replaced by it.
    overwrite: bool = False
    #: The most rows to send; None: all.
    limit: int | None = None
    #: Rows of earlier files, too.
    whole_campaign: bool = False
    #: Also to contacts who were reached a short time ago.
    again: bool = False
    #: The report is of all the campaign's files, and not of the latest alone.
    report_all: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched:
    """What a launch came to."""

    result: RunResult
    #: None: there was to be none, or it could not be written: `report_error` says why.
    report: Path | None
    report_error: DispatcherError | None
    #: Why rows of the latest file are left out: reason → how many.
    skipped: dict[str, int] = field(default_factory=dict)
    #: Rows of the file that were left out as contacts reached a short time ago, unless the settings say so.
    contacted: int = 0
    #: Those, and rows that are left out since no hour or no zone is known for them.
    unexpected: int = 0
    #: What became of the notices; None: nobody is told.
    posted: Posted | None = None

    @property
    def errors(self) -> tuple[DispatcherError, ...]:
        """Everything that went wrong, what ended the run first."""
        found = (self.result.error, self.result.reconcile_error, self.report_error)
        return tuple(error for error in found if error is not None)

    @property
    def exit_code(self) -> ExitCode:
        """That of the run; the report's error counts only where nothing graver has happened."""
        code = self.result.told_code(self.unexpected)
        if self.report_error is not None and code in (ExitCode.OK, ExitCode.SOME_REFUSED):
            return self.report_error.exit_code
        return code


async def launch(
    campaign: Campaign,
    options: LaunchOptions,
    *,
    confirm: Confirm,
    extra: int = 0,
    repeats: int = 0,
    suppressed: int = 0,
    risked: int = 0,
    before: Callable[[], Awaitable[object]] | None = None,
    may_look_short: Callable[[LookCutShort], None] | None = None,
    entrusting: Entrusting | None = None,
    shown: Callable[[], AbstractAsyncContextManager[object]] = contextlib.nullcontext,
) -> Launched:
    """Confirm what would be sent, send it, and write the report, whatever happens meanwhile.

    `before` is called once that is confirmed; it plans `extra` rows again. `repeats` of all that wait then were reached
    a short time ago: left out, or with `options.again` sent all the same; `suppressed` others are left out.
    `risked` of the extra rows are unknown now. `shown` wraps the sending: a live view.

    `may_look_short` is for whoever can be asked: what Studio shows of others is looked up before `confirm`, and where
    that look was cut short it is called, and raises to refuse. Without it the run itself looks, and stops there.

    `entrusting`: workers of a cluster send it, all of it, in the place of this process, which looks on; what they have
    to tell they deliver themselves.

    Raises: what `confirm`, `before` and `may_look_short` do; AuthenticationError: the notices' secret cannot be used;
    what is a bug, or a ledger that is gone. A notice that is not delivered is none of these: see `Launched.posted`.
    """
    look_short = False
    if may_look_short is not None and not options.again:
        try:
            await campaign.look_back()
        except LookCutShort as cut_short:
            may_look_short(cut_short)
            look_short = True
            await campaign.look_back(may_be_short=True)
    ahead = outlook(
        await campaign.status(),
        campaign.settings,
        whole_campaign=options.whole_campaign,
        limit=options.limit,
        extra=extra,
        risked=risked,
        again=repeats if options.again else 0,
        contacted=0 if options.again else repeats,
        suppressed=suppressed,
        cooled_off=await campaign.cooled_off(whole_campaign=options.whole_campaign),
        removed=await campaign.rows_to_remove(),
    )
    refuse_too_many(ahead, campaign.settings)
    courier = courier_of(campaign.settings) if entrusting is None else None
    confirm(ahead)
    if before is not None:
        await before()
    async with shown(), _earlier_posted(campaign, courier):
        try:
            if entrusting is not None:
                result = await campaign.entrust(entrusting, again=options.again, may_look_short=look_short)
            else:
                result = await campaign.send(
                    whole_campaign=options.whole_campaign,
                    limit=options.limit,
                    again=options.again,
                    may_look_short=look_short,
                    report=options.report,
                )
        except BaseException:
            # A bug, or a ledger that is gone: what is known goes into the report all the same.
            await _write_report(campaign, options)
            raise
        error = await _write_report(campaign, options)
    skipped = await campaign.reasons()
    return Launched(
        result=result,
        report=None if error else options.report,
        report_error=error,
        skipped=skipped,
        contacted=contacted_rows(skipped, campaign.settings),
        unexpected=unexpected_rows(skipped, campaign.settings),
        # Whoever has interrupted the run waits for its end.
        # And nobody who takes the campaign over waits for notices: they are delivered with the next run's.
        posted=await campaign.post(courier, tries=1 if isinstance(result.error, Interrupted) else TRIES)
        if courier and not isinstance(result.error, HandedOver)
        else None,
    )


@contextlib.asynccontextmanager
async def _earlier_posted(campaign: Campaign, courier: Courier | None) -> AsyncIterator[None]:
    """Deliver, while a run sends, what earlier ones have left: that one was killed must not wait for this one's end."""
    if courier is None:
        yield
        return
    started, over = asyncio.Event(), StopRequest()

    def hear(event: Event) -> None:
        # Runs that were killed are found when this one begins.
        if isinstance(event, RunStarted):
            started.set()

    async def post() -> None:
        await started.wait()
        if over.error is None:
            await campaign.post(courier, over=over)

    unsubscribe, task = campaign.bus.subscribe(hear), asyncio.create_task(post())
    try:
        yield
    finally:
        unsubscribe()
        # A try that is under way gives its claim back: the last delivery begins anew.
        over.request(Interrupted())
        started.set()
        await asyncio.wait([task])


async def _write_report(campaign: Campaign, options: LaunchOptions) -> DispatcherError | None:
    return await write_report(campaign, options.report, overwrite=options.overwrite, whole_campaign=options.report_all)


async def write_report(
    campaign: Campaign, path: Path | None, *, overwrite: bool = False, whole_campaign: bool = False
) -> DispatcherError | None:
    """Write it, but for None; the error, if it cannot be written, with how to write it again.

    Also for a run that sends nothing.
    """
    if path is None:
        return None
    try:
        await campaign.report(path, overwrite=overwrite, whole_campaign=whole_campaign)
    except DispatcherError as error:
        again = Command("report", (campaign.name,), (Option("report", "PATH"),), does="writes it again")
        error.fix = InTurn(error.fix, again) if error.fix else again
        return error
    return None
