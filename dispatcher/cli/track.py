"""`track`: what became of the executions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dispatcher.cli import options
from dispatcher.errors import ExitCode

if TYPE_CHECKING:
    from dispatcher.tracking.results import TrackResult

EPILOG = options.examples(
    ("dispatcher track spring", "what became of the executions so far"),
    ("dispatcher track spring --follow", "again and again until all have ended"),
    ("dispatcher track spring --status-only", "a read per thousand"),
    ("dispatcher track spring --report spring.xlsx", "and the report with it"),
    more="[bold]Exit codes[/bold]  0 all that could be known is known · 5 some could not be read now: track again"
    " · 4 credentials · 130 interrupted, goes on where it was",
)


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command(epilog=EPILOG, rich_help_panel=options.AFTERWARDS)(track)


def track(
    campaign: options.CampaignName,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Look again until no execution is active; Ctrl-C ends it.")
    ] = False,
    status_only: Annotated[
        bool, typer.Option("--status-only", help="Only who is active and who has ended: much fewer reads.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option("--report", "-o", help="Write the report afterwards.", show_default=False)
    ] = None,
    json: options.Json = False,
    config: options.Config = None,
    api_version: options.ApiVersion = None,
    base_url: options.BaseUrl = None,
    state_dir: options.StateDir = None,
    debug: options.Debug = False,
) -> int:
    """Read what became of a campaign's executions.

    Status, the way through the widgets, delivery errors, and what \\[tracking] variables names; `report` shows them.
    Only what is not known yet is read. Nothing is sent; it may run beside a run.
    """
    flags = {"account.api_version": api_version, "account.base_url": base_url, "state.dir": state_dir}
    from dispatcher.campaign import open_campaign
    from dispatcher.cli import outcomes, planning, sending
    from dispatcher.cli.interrupts import Interrupts, run_async
    from dispatcher.cli.terminal import out, print_error, print_json, say
    from dispatcher.reporting.report import is_page
    from dispatcher.settings import load_credentials

    settings = options.load_settings(config, flags).settings
    credentials = load_credentials()
    path = sending.report_path(campaign, report, page=True) if report is not None else None

    async def main(interrupts: Interrupts) -> TrackResult:
        bus = planning.event_bus()
        async with open_campaign(campaign, settings, credentials, bus=bus, create=False, lock=False) as opened:
            interrupts.watch(opened)
            async with outcomes.view(bus, "tracking"):
                result = await opened.track(details=not status_only, follow=follow)
            if path is not None:
                await (opened.page(path) if is_page(path) else opened.report(path))
        return result

    result = run_async(main)
    if json:
        print_json(
            {
                "campaign": campaign,
                **outcomes.counts_object(result.counts),
                "read_now": result.read,
                "incomplete": result.incomplete,
                "failed": result.failed,
                "report": str(path) if path else None,
            }
        )
    else:
        outcomes.print_counts(out(), result.counts)
        if path is not None:
            out().print(str(path), soft_wrap=True, markup=False)
    if result.incomplete:
        say(
            f"the path or the error of {result.incomplete:,} executions was left open, as each would have cost another"
            ' read: [tracking] steps = "always" reads them',
            "yellow",
        )
    if result.failed and result.failure is not None:
        say(f"{result.failed:,} executions could not be read now, the last: {result.failure}", "yellow")
    if result.error is not None:
        print_error(result.error)
    elif path is None and not json and result.counts.created:
        say(f"dispatcher report {campaign}   has it row by row", "bright_black")
    return ExitCode(result.exit_code)
