"""`summary`: a campaign in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from dispatcher.cli import options
from dispatcher.errors import ExitCode

if TYPE_CHECKING:
    from rich.table import Table

    from dispatcher.reporting.summary import Summary

EPILOG = options.examples(
    ("dispatcher summary spring", "rows, reasons, outcomes"),
    ("dispatcher summary spring --json", "for scripts"),
    ("dispatcher report spring --format html", "the same as a page, with plots"),
)


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command(epilog=EPILOG, rich_help_panel=options.AFTERWARDS)(summary)


def summary(
    campaign: options.CampaignName,
    json: options.Json = False,
    config: options.Config = None,
    state_dir: options.StateDir = None,
    debug: options.Debug = False,
) -> int:
    """Show a campaign's numbers.

    Rows by state, why rows were refused, and what became of the executions. From the ledger alone:
    `dispatcher track CAMPAIGN` brings what became of them up to date.
    """
    import asyncio

    from dispatcher.campaign import open_campaign
    from dispatcher.cli import outcomes
    from dispatcher.cli.summary import pairs, status_lines
    from dispatcher.cli.terminal import out, print_json, say

    settings = options.load_settings(config, {"state.dir": state_dir}).settings

    async def main() -> ExitCode:
        async with open_campaign(campaign, settings, create=False, lock=False) as opened:
            found = await opened.summary()
            counts = await opened.executions()
        is_tracked = counts.seen_at_ms is not None
        if json:
            print_json({**_object(found), "executions": outcomes.counts_object(counts) if is_tracked else None})
            return ExitCode.OK
        console = out()
        console.print(pairs([("campaign", found.status.campaign.name), ("state", found.state.value)]))
        console.print(pairs(status_lines(found.status, found.status.report_path)))
        if found.problems:
            console.print(_problems(found))
        if is_tracked:
            outcomes.print_counts(console, counts)
        elif counts.created:
            say(f"dispatcher track {campaign}   finds out what became of the executions", "bright_black")
        return ExitCode.OK

    return asyncio.run(main())


def _object(found: Summary) -> dict[str, object]:
    from dispatcher.reporting.summary import status_object

    return {
        **status_object(found.status, found.status.report_path),
        "problems": [
            {
                "state": problem.state.value,
                "code": problem.code,
                "meaning": problem.meaning,
                "advice": problem.advice,
                "rows": problem.rows,
            }
            for problem in found.problems
        ],
    }


def _problems(found: Summary) -> Table:
    from rich.table import Table
    from rich.text import Text

    from dispatcher.cli.terminal import STATE_STYLES, TABLE_BOX

    table = Table(box=TABLE_BOX, pad_edge=False, header_style="bright_black")
    table.add_column("rows", justify="right")
    table.add_column("state", no_wrap=True)
    table.add_column("reason", overflow="fold")
    table.add_column("what to do", overflow="fold", style="bright_black")
    for problem in found.problems:
        reason = " ".join(part for part in (problem.code, problem.meaning) if part)
        state = Text(problem.state.value, style=STATE_STYLES[problem.state])
        table.add_row(f"{problem.rows:,}", state, Text(reason), Text(problem.advice))
    return table
