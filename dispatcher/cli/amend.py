"""`retry`, `reconcile` and `cancel`: the user's word on rows that a run has left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dispatcher.cli import options
from dispatcher.cli.run import Limit, Report
from dispatcher.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from dispatcher.campaign import Campaign

RETRY_EPILOG = options.examples(
    ("dispatcher retry spring --code 21211 --code 21614", "rows that Studio refused with these codes"),
    ("dispatcher retry spring --all-rejected", "once the cause is removed"),
    ("dispatcher retry spring --busy", "contacts in another execution"),
    ("dispatcher retry spring --cancelled", "rows that `cancel` took out"),
)
RECONCILE_EPILOG = options.examples(
    ("dispatcher reconcile spring", "who of the rows in doubt exists?"),
    ("dispatcher report spring --only unknown", "the evidence on those that stay"),
)
CANCEL_EPILOG = options.examples(
    'dispatcher cancel spring --reason "wrong price in the text"',
    ("dispatcher retry spring --cancelled", "puts them back"),
)


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command(epilog=RETRY_EPILOG, rich_help_panel=options.AFTERWARDS)(retry)
    app.command(epilog=RECONCILE_EPILOG, rich_help_panel=options.AFTERWARDS)(reconcile)
    app.command(epilog=CANCEL_EPILOG, rich_help_panel=options.AFTERWARDS)(cancel)


def retry(
    campaign: options.CampaignName,
    code: Annotated[
        list[int] | None,
        typer.Option("--code", help="Rows refused with this error code; again for more.", show_default=False),
    ] = None,
    all_rejected: Annotated[bool, typer.Option("--all-rejected", help="Every refused row.")] = False,
    busy: Annotated[bool, typer.Option("--busy", help="Rows whose contact was in another execution.")] = False,
    cancelled: Annotated[bool, typer.Option("--cancelled", help="Rows that were cancelled.")] = False,
    report: Report = None,
    yes: options.Yes = False,
    limit: Limit = None,
    wait: options.Wait = False,
    json: options.Json = False,
    config: options.Config = None,
    rate: options.Rate = None,
    on_busy: options.OnBusy = None,
    api_version: options.ApiVersion = None,
    base_url: options.BaseUrl = None,
    state_dir: options.StateDir = None,
    debug: options.Debug = False,
) -> int:
    """Send again what Studio refused, as you ask for it.

    A new attempt on the same row; its history is kept. Nothing changes before the number of rows is
    confirmed. Where no row matches, nothing is sent; the exit code is 0.
    """
    if not (code or all_rejected or busy or cancelled):
        raise UsageError("retry needs to know which rows", fix="--code CODE, --all-rejected, --busy or --cancelled")
    flags = {
        "campaign.on_busy": on_busy,
        "rate.per_second": rate,
        "account.api_version": api_version,
        "account.base_url": base_url,
        "state.dir": state_dir,
    }
    from dispatcher.campaign import open_campaign
    from dispatcher.cli import planning, sending
    from dispatcher.cli.interrupts import Interrupts, run_async
    from dispatcher.cli.outlook import SendOptions
    from dispatcher.cli.terminal import say
    from dispatcher.settings import load_credentials

    settings = options.load_settings(config, flags).settings
    credentials = load_credentials()
    sending.must_be_able_to_ask(yes)
    path = sending.report_path(campaign, report)
    send_options = SendOptions(report=path, yes=yes, limit=limit, json=json, whole_campaign=True)

    async def main(interrupts: Interrupts) -> ExitCode:
        bus = planning.event_bus()
        async with open_campaign(campaign, settings, credentials, bus=bus, create=False, wait=wait) as opened:
            interrupts.watch(opened)
            codes = tuple(code or ())
            count = await opened.retry(
                codes=codes, all_rejected=all_rejected, busy=busy, cancelled=cancelled, count_only=True
            )
            if not count:
                say("no row matches: nothing is sent", "yellow")
                await _say_what_there_is(opened)
                if json:
                    return await sending.print_status(opened)
                return ExitCode.OK
            say(f"{count:,} rows are sent again")

            async def plan_again() -> None:
                await opened.retry(codes=codes, all_rejected=all_rejected, busy=busy, cancelled=cancelled)

            return await sending.send(opened, send_options, await opened.status(), extra=count, before=plan_again)

    return run_async(main)


async def _say_what_there_is(campaign: Campaign) -> None:
    from collections import Counter

    from dispatcher.cli.terminal import say
    from dispatcher.model import RowState
    from dispatcher.reporting.selection import Selection

    found: Counter[str] = Counter()
    async for batch in campaign.rows(only=Selection(frozenset({RowState.rejected, RowState.busy}))):
        for row in batch:
            found["--busy" if row.state is RowState.busy else f"--code {row.error_code}"] += 1
    if found:
        say("there are: " + ", ".join(f"{n:,} for {what}" for what, n in found.most_common(10)), "bright_black")


def reconcile(
    campaign: options.CampaignName,
    wait: options.Wait = False,
    json: options.Json = False,
    config: options.Config = None,
    api_version: options.ApiVersion = None,
    base_url: options.BaseUrl = None,
    state_dir: options.StateDir = None,
    debug: options.Debug = False,
) -> int:
    """Look up the rows in doubt; nothing is sent.

    In Studio's list of executions. Found: created. Not there after
    the list had its time ([reconcile] settle_s): planned, and `resume` sends it.
    Exit code 6 where rows stay unknown; `dispatcher report CAMPAIGN --only unknown` says why.
    """
    flags = {"account.api_version": api_version, "account.base_url": base_url, "state.dir": state_dir}
    import asyncio

    from dispatcher.campaign import open_campaign
    from dispatcher.cli import live, planning, summary
    from dispatcher.cli.interrupts import Interrupts, run_async
    from dispatcher.cli.terminal import out, print_json, say
    from dispatcher.model import RowState
    from dispatcher.settings import load_credentials

    settings = options.load_settings(config, flags).settings
    credentials = load_credentials()

    async def main(interrupts: Interrupts) -> ExitCode:
        bus = planning.event_bus()
        async with open_campaign(campaign, settings, credentials, bus=bus, create=False, wait=wait) as opened:
            interrupts.watch(opened)
            before = await opened.status()
            progress = bus.progress
            progress.campaign, progress.rows = campaign, dict(before.rows)
            progress.phase, progress.started_at_s = "reconciling", asyncio.get_running_loop().time()
            async with live.view(bus):
                settled, status = await opened.reconcile()
        if json:
            from dispatcher.reporting.summary import status_object

            print_json(status_object(status, status.report_path))
        else:
            found = (
                f"{settled.created:,} exist, {settled.planned:,} do not and wait, {settled.unresolved:,} stay unknown"
            )
            out().print(summary.pairs([("looked up", found), *summary.status_lines(status, None)]))
        for hint in summary.hints(campaign, status):
            say(hint, "bright_black")
        unknown = status.rows[RowState.unknown] + status.earlier_rows.get(RowState.unknown, 0)
        return ExitCode.SOME_UNKNOWN if unknown else ExitCode.OK

    return run_async(main)


def cancel(
    campaign: options.CampaignName,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the report.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wait: options.Wait = False,
    json: options.Json = False,
    config: options.Config = None,
    state_dir: options.StateDir = None,
    debug: options.Debug = False,
) -> int:
    """Take the rows that are not sent yet out of a campaign.

    Executions that exist are left alone. `dispatcher retry CAMPAIGN --cancelled` puts the rows back.
    """
    from dispatcher.campaign import open_campaign
    from dispatcher.cli import planning, sending
    from dispatcher.cli.interrupts import Interrupts, run_async
    from dispatcher.cli.terminal import out, say
    from dispatcher.model import RowState

    if not reason.strip():
        raise UsageError("cancel needs a reason: it stands in the report", fix='--reason "…"')
    settings = options.load_settings(config, {"state.dir": state_dir}).settings
    sending.must_be_able_to_ask(yes)

    async def main(interrupts: Interrupts) -> ExitCode:
        bus = planning.event_bus()
        async with open_campaign(campaign, settings, bus=bus, create=False, wait=wait) as opened:
            interrupts.watch(opened)
            status = await opened.status()
            planned = status.rows[RowState.planned] + status.earlier_rows.get(RowState.planned, 0)
            if not planned:
                say("no row waits: there is nothing to cancel", "yellow")
            else:
                if not yes:
                    sending.ask(planned, "take these rows out")
                planned = await opened.cancel(reason.strip())
            if json:
                return await sending.print_status(opened)
            out().print(f"{planned:,} rows cancelled")
            return ExitCode.OK

    return run_async(main)
