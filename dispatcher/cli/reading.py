"""`status` and `report`: what the ledger knows, without credentials and without a lock."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli import options
from dispatcher.errors import ExitCode

STATUS_EPILOG = options.examples(
    ("dispatcher status", "all campaigns"),
    ("dispatcher status spring", "one, while it runs or later"),
    ("dispatcher status spring --json", "for scripts"),
)
REPORT_EPILOG = options.examples(
    ("dispatcher report spring", "spring-report.csv"),
    ("dispatcher report spring --report spring.xlsx", "a workbook, for people"),
    ("dispatcher report spring --format html", "a page of the numbers, for mail and print"),
    ("dispatcher report spring --only failed", "rejected, busy and invalid rows"),
    ("dispatcher report spring --only unknown", "with the evidence why"),
)


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command(epilog=STATUS_EPILOG, rich_help_panel=options.AFTERWARDS)(status)
    app.command(epilog=REPORT_EPILOG, rich_help_panel=options.AFTERWARDS)(report)


def status(
    campaign: options.OptionalCampaignName = None,
    json: options.Json = False,
    config: options.Config = None,
    state_dir: options.StateDir = None,
    debug: options.Debug = False,
) -> int:
    """Show how campaigns stand.

    Rows by state, requests, the worst window; also while a campaign runs. Needs no credentials.
    """
    import asyncio

    settings = options.load_settings(config, {"state.dir": state_dir}).settings
    from dispatcher.cli.overview import show_all, show_one

    return asyncio.run(show_one(settings, campaign, as_json=json) if campaign else show_all(settings, as_json=json))


def report(
    campaign: options.CampaignName,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            "-o",
            help="Where to: .csv, .csv.gz, .xlsx, .parquet or .html.",
            show_default="CAMPAIGN-report.csv",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="STATES",
            help="Only these rows: a state, or failed (rejected, busy, invalid).",
            show_default=False,
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", help="csv, csv.gz, xlsx, parquet or html, for the default name.", show_default=False),
    ] = None,
    config: options.Config = None,
    state_dir: options.StateDir = None,
    debug: options.Debug = False,
) -> int:
    """Write a campaign's report, at any time.

    Every row of its latest file with its answer, in the file's order, the file's columns untouched; as .html the
    numbers instead: states, rate, reasons, outcomes. The path is printed on stdout.
    """
    import asyncio

    from dispatcher.campaign import open_campaign
    from dispatcher.cli import sending
    from dispatcher.cli.terminal import out, say
    from dispatcher.errors import UsageError
    from dispatcher.reporting.report import is_page
    from dispatcher.reporting.selection import Selection

    selection = Selection.parse(only) if only else None
    settings = options.load_settings(config, {"state.dir": state_dir}).settings
    if report is not None and format is not None:
        raise UsageError("--report names the format by its suffix", fix="give --report or --format")
    path = report
    if path is None and (format or only):
        what = "-".join(word.strip() for text in only or () for word in text.split(","))
        stem = f"{campaign}-{what}-report" if what else f"{campaign}-report"
        path = Path(f"{stem}.{(format or 'csv').lstrip('.')}")
    path = sending.report_path(campaign, path, page=True)
    page = is_page(path)
    if page and only:
        raise UsageError("the page shows the whole campaign", fix="leave --only out, or --format csv")

    async def main() -> ExitCode:
        async with open_campaign(campaign, settings, create=False, lock=False) as opened:
            rows = await (opened.page(path) if page else opened.report(path, only=selection))
        say(f"{rows:,} rows", "bright_black")
        out().print(str(path), soft_wrap=True, markup=False)
        return ExitCode.OK

    return asyncio.run(main())
