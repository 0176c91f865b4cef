"""`report`: a campaign's report, at any time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli import options
from dispatcher.cli.render.terminal import print_line, say
from dispatcher.errors import ExitCode, UsageError
from dispatcher.plurals import counted
from dispatcher.remedies import Advice, AnyOf, Option

EPILOG = options.examples(
    ("dispatcher report spring", "spring-report.csv"),
    ("dispatcher report spring --report spring.xlsx", "a workbook, for people"),
    ("dispatcher report spring --format html", "a page of the numbers, for mail and print"),
    ("dispatcher report spring --format html --open", "and opens it"),
    ("dispatcher report spring --report - | less", "on stdout"),
    ("dispatcher report spring --only failed", "rejected, busy and invalid rows"),
    ("dispatcher report spring --only unknown", "with the evidence why"),
)
_WHERE_TO = "Where to: .csv, .csv.gz, .xlsx, .parquet or .html; - is stdout."
_ONLY = "Only these rows: a state, or failed (rejected, busy, invalid)."


@options.reads_settings("account.base_url", "state.dir")
async def report(
    session: options.Session,
    campaign: options.CampaignName,
    report: Annotated[
        Path | None,
        typer.Option("--report", "-o", help=_WHERE_TO, show_default=options.REPORT_DEFAULT),
    ] = None,
    overwrite: options.Overwrite = False,
    only: Annotated[list[str] | None, typer.Option("--only", metavar="STATES", help=_ONLY)] = None,
    format: Annotated[
        str | None, typer.Option("--format", help="csv, csv.gz, xlsx, parquet or html, for the default name or -.")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it afterwards, as a double click would.")] = False,
) -> int:
    """Write a campaign's report, at any time.

    Every row of its latest file with its answer, in the file's order, the file's columns untouched; as .html the
    numbers instead: states, rate, reasons, outcomes. The path is printed on stdout; with --report - the report itself.
    """
    from dispatcher.campaign.naming import part_report_path
    from dispatcher.cli.opening import STANDARD_OUTPUT, check_stdout, open_file, to_standard_output
    from dispatcher.reporting.report import has_format, is_page
    from dispatcher.reporting.selection import Selection

    selection = Selection.parse(only) if only else None
    to_stdout = report is not None and str(report) == STANDARD_OUTPUT
    if to_stdout:
        if open_:
            raise UsageError("what goes to stdout is no file to be opened", fix=Advice("leave one of both out"))
        check_stdout(format)
        report = None
    if report is not None and format is not None:
        ways = AnyOf(Option("report", "PATH"), Option("format", format))
        raise UsageError("--report names the format by its suffix", fix=ways)
    if report is None and (format or only or to_stdout):
        report = part_report_path(campaign, only or (), format)
        if not has_format(report):
            raise UsageError("there is no report of this format", found=format, fix=Option("format", "csv"))
    if report is not None and is_page(report) and only:
        ways = AnyOf(Advice("leave --only out"), Option("format", "csv"))
        raise UsageError("the page shows the whole campaign", fix=ways)
    if to_stdout:
        assert report is not None
        async with session.viewing(campaign) as opened:
            rows = await to_standard_output(opened, report.name, selection)
        say(counted(rows, "row"), "bright_black")
        return ExitCode.OK
    async with session.viewing(campaign) as opened:
        path = await opened.report_target(report, page=True, overwrite=overwrite)
        if is_page(path):
            rows = await opened.page(path, overwrite=overwrite)
        else:
            rows = await opened.report(path, only=selection, overwrite=overwrite)
    say(counted(rows, "row"), "bright_black")
    print_line(str(path))
    if open_:
        open_file(path)
    return ExitCode.OK
