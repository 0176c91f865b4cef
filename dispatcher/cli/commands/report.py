"""`report`: a campaign's report, at any time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli import options

PANEL = options.AFTERWARDS
EPILOG = options.examples(
    ("dispatcher report spring", "spring-report.csv"),
    ("dispatcher report spring --report spring.xlsx", "a workbook, for people"),
    ("dispatcher report spring --format html", "a page of the numbers, for mail and print"),
    ("dispatcher report spring --only failed", "rejected, busy and invalid rows"),
    ("dispatcher report spring --only unknown", "with the evidence why"),
)


@options.reads_settings("state.dir")
def report(
    asked: options.Asked,
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
) -> int:
    """Write a campaign's report, at any time.

    Every row of its latest file with its answer, in the file's order, the file's columns untouched; as .html the
    numbers instead: states, rate, reasons, outcomes. The path is printed on stdout.
    """
    from dispatcher.cli.actions.report import report as act

    return act(asked, campaign, path=report, only=only or [], suffix=format)
