"""What run, resume and retry have in common: show what is ahead, ask, send with the live view, say how it went."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dispatcher.campaign import Campaign
from dispatcher.campaign.destination import Destination, destination
from dispatcher.campaign.flow_check import stop_unless_flow_fits
from dispatcher.campaign.launch import Launched, LaunchOptions, launch, write_report
from dispatcher.campaign.objects import launched_answer, status_answer
from dispatcher.campaign.outlook import Outlook
from dispatcher.campaign.planning import REMOVE_SHARE_MAX, PlanOptions
from dispatcher.campaign.problems import examples
from dispatcher.campaign.report_target import check_chosen
from dispatcher.cli import asking, entrusting
from dispatcher.cli.render import answers, live
from dispatcher.cli.render import campaign as shown
from dispatcher.cli.render.failures import error_answer, print_error, say_notices
from dispatcher.cli.render.findings import say_findings
from dispatcher.cli.render.preview import preview_lines
from dispatcher.cli.render.progress import reading
from dispatcher.cli.render.remedies import say_fix
from dispatcher.cli.render.terminal import err, out, pairs, print_json, print_pairs, say
from dispatcher.cli.session import Session
from dispatcher.errors import DispatcherError, ExitCode, Interrupted, LookCutShort, UsageError
from dispatcher.model import RowState
from dispatcher.plurals import counted
from dispatcher.remedies import AnyOf, Command, Option
from dispatcher.settings.notices import notify_notices
from dispatcher.studio.proxies import proxy_of

if TYPE_CHECKING:
    from dispatcher.campaign.result import RunCounts
    from dispatcher.studio.preflight import Finding


def prepare(
    session: Session,
    *,
    report: Path | None,
    overwrite: bool,
    limit: int | None,
    yes: bool,
    again: bool = False,
    file: str | None = None,
) -> Callable[[Campaign], Awaitable[LaunchOptions]]:
    """Look at what must be right before a campaign is opened; what is returned says, once it is, how to launch it.

    Without a `file`, or by workers of a cluster, all of the campaign is sent.

    Raises: SettingsError, AuthenticationError; UsageError: nobody could be asked; ReportError.
    """
    session.require_sender()
    entrusting.refuse_limit(session.settings, limit)
    entrusting.say_who_asks(session)
    say_notices(notify_notices(session.settings))
    asking.must_be_able_to_ask(yes, file)
    if not session.settings.is_loopback:
        proxy_of(session.settings.studio_url)  # said now, not after the file was read and the question answered
    if report is not None:
        check_chosen(report, file, overwrite=overwrite)

    async def options(campaign: Campaign) -> LaunchOptions:
        path = await campaign.report_target(report, source=file, overwrite=overwrite)
        whole = file is None or session.settings.is_cluster
        return LaunchOptions(report=path, overwrite=overwrite, limit=limit, whole_campaign=whole, again=again)

    return options


async def destination_of(
    session: Session, file: str, campaign: str | None, *, again: bool, yes: bool
) -> tuple[Destination, bool]:
    """Into which campaign the file goes, asked where that is not certain; and whether all are to be reached again.

    Raises: UsageError, InputError, SettingsError, AuthenticationError, LedgerError.
    """
    session.require_sender()
    asking.must_be_able_to_ask(yes, file)
    into = await destination(file, campaign, session.settings, session.credentials)
    if into.other_folder is not None:
        if yes:
            into.refuse_other_folder()
        ways = {into.name: "goes on with it", into.free_name: "begins a campaign of its own"}
        question = f"there is a campaign {into.name!r}, last fed from {into.other_folder}"
        return into.renamed(asking.choose(question, ways)), again
    if into.same_file is not None and not yes and not again:
        ways = {into.same_file: "goes on with it", "again": "sends to all of them again"}
        answer = asking.choose(f"campaign {into.same_file!r} was fed exactly this file before", ways)
        return (into, True) if answer == "again" else (into.renamed(answer), again)
    return into, again


async def plan(
    campaign: Campaign,
    file: str,
    planning: PlanOptions,
    options: LaunchOptions,
    *,
    yes: bool,
    check: bool,
) -> int:
    """Read the file, show what it holds, and check that it may be sent. Returns how many rows reach a contact again.

    Raises: what planning and checking do.
    """
    async with reading(campaign.bus, file):
        counts = await campaign.plan(file, planning)
    err().print(shown.planned(file, counts, None if yes else await examples(campaign, counts)))
    if not counts.rows[RowState.planned]:
        return counts.repeats

    def warn(found: Sequence[Finding]) -> None:
        say()
        say_findings(found)

    try:
        # Whoever sends a file again, a scheduled job above all, does not lift what a person has stopped.
        await campaign.check_not_paused()
        if check:
            await stop_unless_flow_fits(campaign, warn)
            if not yes:
                found = await campaign.preview(limit=options.limit)
                say()
                err().print(pairs(preview_lines(found)))
    except DispatcherError:
        # Nothing is sent: there is a report all the same.
        error = await write_report(campaign, options.report, overwrite=options.overwrite)
        if error is None:
            answers.know(report=str(options.report))
        raise
    return counts.repeats


async def send(
    campaign: Campaign,
    options: LaunchOptions,
    *,
    yes: bool,
    as_json: bool,
    earlier: RunCounts | None = None,
    extra: int = 0,
    repeats: int = 0,
    suppressed: int = 0,
    risked: int = 0,
    removal_agreed: bool = False,
    clock_told: bool = False,
    waits: bool = False,
    before: Callable[[], Awaitable[object]] | None = None,
) -> Launched:
    """Launch a campaign. `before` is called once the user has agreed; it plans `extra` rows again.

    `repeats`: how many of all that wait then were reached a short time ago, `suppressed`: are on a list; `risked`: how
    many of the extra rows are unknown now. `removal_agreed`: however many rows are taken out, it was asked for.
    `earlier`: what this process has done before; `clock_told`: that this clock is wrong. On a cluster its workers send,
    and this process looks on, with `waits` also while rows wait for their hours.
    """
    await entrusting.take_rate(campaign)
    entrusting.tell_notices(campaign.settings)
    waiting, prospect = await campaign.ahead(whole_campaign=options.whole_campaign, limit=options.limit)

    def confirm(ahead: Outlook) -> None:
        say()
        err().print(shown.outlook(campaign, ahead, waiting, prospect))
        say()
        if ahead.most:
            asking.ask(ahead.most, "send", yes, again=ahead.again)
        if yes and not removal_agreed and ahead.removed > REMOVE_SHARE_MAX * (ahead.removed + ahead.planned):
            # Whoever was asked about that file did not agree.
            ways = (Option("remove"), Option("add"))
            are = counted(ahead.removed, "row that waits is", "rows that wait are")
            raise UsageError(
                f"{are} not in the latest file, and would be taken out",
                fix=AnyOf(*[Command("run", ("FILE",), (way,)) for way in ways]),
            )

    launched = await launch(
        campaign,
        options,
        confirm=confirm,
        extra=extra,
        repeats=repeats,
        suppressed=suppressed,
        risked=risked,
        before=before,
        may_look_short=None if yes or not campaign.may_ask else _ask_short,
        entrusting=entrusting.entrusting_of(campaign.settings, until_done=waits),
        shown=lambda: live.view(campaign.bus),
    )
    report = str(launched.report) if launched.report else None
    _keep_answer(campaign, launched, earlier)
    if not as_json:
        out().print()
        print_pairs(shown.result_lines(launched.result, campaign.bus.snapshot(), report))
        shown.say_next_steps(campaign.name, launched.result.status, by_workers=campaign.settings.is_cluster)
        shown.say_undo(campaign.name, launched.result.status)
    shown.say_contacted(launched)
    if not clock_told:
        shown.say_clock(launched.result.clock_ahead_ms)
    shown.say_posted(launched.posted)
    for error in launched.errors:
        print_error(error)
    return launched


def waits_for_hours(wait_until_done: bool, as_json: bool) -> bool:
    """Whether this process waits where only rows are left that wait for their hours: asked to, or at a terminal."""
    return wait_until_done or (not as_json and err().is_terminal and out().is_terminal)


@contextlib.asynccontextmanager
async def answered(campaign: Campaign) -> AsyncIterator[None]:
    """Whatever ends this block, the answer for `--json` has the campaign as it stands then."""
    answers.know(campaign=campaign.name)
    try:
        yield
    except BaseException as ending:
        # After a bug, too, or a ledger that is gone: as far as it can still be read.
        with contextlib.suppress(Exception):
            if not isinstance(ending, GeneratorExit):
                status, reasons = await campaign.status(), await campaign.reasons()
                found = status_answer(status, status.report_path, reasons, None, campaign.settings)
                answers.know(**{name: value for name, value in found.items() if name != "report"})
        raise


def _keep_answer(campaign: Campaign, launched: Launched, earlier: RunCounts | None) -> None:
    """The answer is what the last run came to, and this process's own counts."""
    if not answers.is_asked():
        return
    error = error_answer(launched.errors[0]) if launched.errors else None
    found = launched_answer(launched, campaign.settings, _together(launched, earlier))
    print_json({**found, "error": error})


def _together(launched: Launched, earlier: RunCounts | None) -> RunCounts | None:
    run = launched.result.run
    return earlier if run is None else run.after(earlier)


async def until_done(
    session: Session, name: str, launched: Launched, options: LaunchOptions, *, waits: bool, as_json: bool
) -> ExitCode:
    """Where rows wait for their hours, go on at each opening until none does; the account is not held meanwhile.

    Only if `waits`; what was asked for at the beginning holds: so many rows, and of no file that came later.
    Raises: Interrupted; what sending does.
    """
    earlier: RunCounts | None = None
    clock_told = False
    while waits and launched.exit_code in (ExitCode.WAITING, ExitCode.SOME_UNKNOWN) and launched.result.waiting:
        result, earlier = launched.result, _together(launched, earlier)
        options = replace(options, limit=None if options.limit is None else max(0, options.limit - result.begun))
        if options.limit == 0:
            break
        try:
            is_told = not as_json and out().is_terminal and err().is_terminal
            await live.countdown(result.waiting, clock_ahead_ms=result.clock_ahead_ms, is_told=is_told)
        except asyncio.CancelledError:
            raise Interrupted("stopped while rows wait for their hours", fix=Command("resume", (name,))) from None
        async with session.working(name, wait=True) as opened:
            if (await opened.status()).campaign.input_id != result.status.campaign.input_id:
                # Nobody who was asked here has agreed to its rows.
                say("a file was fed into the campaign meanwhile: this command sends no more of its rows")
                say_fix(Command("resume", (name,), does="sends what waits of all its files"))
                break
            clock_told = clock_told or bool(result.clock_ahead_ms)
            launched = await send(
                opened,
                options,
                yes=True,
                as_json=as_json,
                earlier=earlier,
                removal_agreed=True,
                clock_told=clock_told,
            )
    return launched.exit_code


def _ask_short(cut_short: LookCutShort) -> None:
    """Raises: UsageError where a look that was cut short is not enough."""
    say(f"{cut_short.message}: {cut_short.found}", "yellow")
    asking.choose("Whoever was reached before that may be reached again.", {"on": "go on all the same"})
