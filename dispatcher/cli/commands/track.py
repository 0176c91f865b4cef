"""`track`: what became of the executions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli import options
from dispatcher.cli.render.executions import print_counts, print_failed
from dispatcher.cli.render.remedies import remedy_text, say_step
from dispatcher.cli.render.terminal import print_json, print_line, say
from dispatcher.plurals import counted
from dispatcher.remedies import Command, Setting

EPILOG = options.examples(
    ("dispatcher track spring", "what became of the executions so far"),
    ("dispatcher track spring --follow", "again and again until all have ended"),
    ("dispatcher track spring --status-only", "a read per thousand"),
    ("dispatcher track spring --report spring.xlsx", "and the report with it"),
    more="[bold]Exit codes[/bold]  0 all that could be known is known · 5 some could not be read now: track again"
    " · 4 credentials · 130 interrupted, goes on where it was",
)


@options.reads_settings("account.api_version", "account.base_url", "state.dir")
async def track(
    session: options.Session,
    campaign: options.CampaignName,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Look again until no execution is active; Ctrl-C ends it.")
    ] = False,
    status_only: Annotated[
        bool, typer.Option("--status-only", help="Only who is active and who has ended: much fewer reads.")
    ] = False,
    report: Annotated[Path | None, typer.Option("--report", "-o", help="Write the report afterwards.")] = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> int:
    """Read what became of a campaign's executions.

    Status, the way through the widgets, delivery errors, and what \\[tracking] variables names; `report` shows them.
    Only what is not known yet is read. Nothing is sent; it may run beside a run.
    """
    from dispatcher.campaign.objects import track_object
    from dispatcher.cli.render.progress import tracking
    from dispatcher.reporting.report import is_page

    session.require_credentials()
    async with session.viewing(campaign) as opened:
        path = await opened.report_target(report, page=True, overwrite=overwrite) if report is not None else None
        async with tracking(session.bus, "tracking"):
            result = await opened.track(details=not status_only, follow=follow)
        if path is not None:
            write = opened.page if is_page(path) else opened.report
            await write(path, overwrite=overwrite)
    if json:
        print_json(track_object(campaign, result, path))
    else:
        print_counts(result.counts)
        if path is not None:
            print_line(str(path))
    if result.opted_out:
        are = counted(result.opted_out, "contact has opted out and is", "contacts have opted out and are")
        say(f"{are} not reached by any campaign of this account from now on", "yellow")
    if result.incomplete:
        say(
            f"the path or the error of {counted(result.incomplete, 'execution')} was not read, as each would have cost"
            f" another request: {remedy_text(Setting('tracking.steps', 'always'))} reads them",
            "yellow",
        )
    print_failed(result, "read")
    if result.error is None and path is None and not json and result.counts.created:
        say_step(Command("report", (campaign,), does="has it row by row"))
    return result.exit_code
