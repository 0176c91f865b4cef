"""`retry`: refused rows are sent again, as asked for."""

from __future__ import annotations

from typing import Annotated

import typer

from dispatcher.cli import options
from dispatcher.cli.render.campaign import print_status_object
from dispatcher.cli.render.remedies import remedy_text
from dispatcher.cli.render.terminal import say
from dispatcher.errors import ExitCode, UsageError
from dispatcher.remedies import AnyOf, Option

EPILOG = options.examples(
    ("dispatcher retry spring --code 21211 --code 21614", "rows that Studio refused with these codes"),
    ("dispatcher retry spring --all-rejected", "once the cause is removed"),
    ("dispatcher retry spring --busy", "contacts in another execution"),
    ("dispatcher retry spring --cancelled", "rows that `cancel` took out"),
)
FACETS_SHOWN = 10


@options.reads_settings("rate.per_second", "campaign.on_busy", "account.api_version", "account.base_url", "state.dir")
async def retry(
    session: options.Session,
    campaign: options.CampaignName,
    code: Annotated[
        list[int] | None, typer.Option("--code", help="Rows refused with this error code; again for more.")
    ] = None,
    all_rejected: Annotated[bool, typer.Option("--all-rejected", help="Every refused row.")] = False,
    busy: Annotated[bool, typer.Option("--busy", help="Rows whose contact was in another execution.")] = False,
    cancelled: Annotated[bool, typer.Option("--cancelled", help="Rows that were cancelled.")] = False,
    report: options.Report = None,
    overwrite: options.Overwrite = False,
    yes: options.Yes = False,
    limit: options.Limit = None,
    wait: options.Wait = False,
    json: options.Json = False,
) -> int:
    """Send again what Studio refused, as you ask for it.

    A new attempt on the same row; its history is kept. Nothing changes before the number of rows is
    confirmed. Where no row matches, nothing is sent; the exit code is 0.
    """
    from dispatcher.campaign.retry_choices import RetryChoice, count_rows, facets, plan_again
    from dispatcher.cli import launching

    choice = RetryChoice(codes=tuple(code or ()), all_rejected=all_rejected, busy=busy, cancelled=cancelled)
    if not choice:
        ways = (Option("code", "CODE"), Option("all-rejected"), Option("busy"), Option("cancelled"))
        raise UsageError("retry needs to know which rows", fix=AnyOf(*ways))
    prepared = launching.prepare(session, report=report, overwrite=overwrite, limit=limit, yes=yes)
    async with session.working(campaign, wait=wait) as opened:
        count = await count_rows(opened, choice)
        if count:
            say(f"{count:,} rows are sent again")
            launch = await prepared(opened)
            return await launching.send(
                opened, launch, yes=yes, as_json=json, extra=count, before=lambda: plan_again(opened, choice)
            )
        say("no row matches: nothing is sent", "yellow")
        there_are = [f"{one.rows:,} for {remedy_text(one.option)}" for one in await facets(opened)]
        if there_are:
            say(f"there are: {', '.join(there_are[:FACETS_SHOWN])}", "bright_black")
        if json:
            print_status_object(await opened.status())
    return ExitCode.OK
