"""`summary`: a campaign in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from dispatcher.cli import options
from dispatcher.cli.render.campaign import say_undo, status_lines, waiting_pairs
from dispatcher.cli.render.executions import print_counts
from dispatcher.cli.render.terminal import STATE_STYLES, out, print_json, print_pairs, table
from dispatcher.errors import ExitCode

if TYPE_CHECKING:
    from dispatcher.reporting.summary import Problem

EPILOG = options.examples(
    ("dispatcher summary spring", "rows, reasons, outcomes"),
    ("dispatcher summary spring --json", "for scripts"),
    ("dispatcher report spring --format html", "the same as a page, with plots"),
)


@options.reads_settings("account.base_url", "state.dir")
async def summary(session: options.Session, campaign: options.CampaignName, json: options.Json = False) -> int:
    """Show a campaign's numbers.

    Rows by state, why rows were refused, and what became of the executions. From the ledger alone:
    `dispatcher track CAMPAIGN` brings what became of them up to date.
    """
    from dispatcher.campaign.objects import summary_object

    async with session.viewing(campaign) as opened:
        found, counts = await opened.summary(), await opened.executions()
        waiting = [] if found.status.running else await opened.waiting()
    if json:
        print_json(summary_object(found, counts, waiting))
        return ExitCode.OK
    print_pairs([("campaign", found.status.campaign.name), ("state", found.state.value)])
    print_pairs([*status_lines(found.status, found.status.report_path), *waiting_pairs(waiting)])
    if found.problems:
        _print_problems(found.problems)
    if counts.seen_at_ms is not None:
        print_counts(counts)
    say_undo(campaign, found.status)
    return ExitCode.OK


def _print_problems(problems: tuple[Problem, ...]) -> None:
    shown = table("rows", "state", "reason", "what to do", right=("rows",), whole=("state",), dim=("what to do",))
    for problem in problems:
        reason = " ".join(part for part in (problem.code, problem.meaning) if part)
        state = Text(problem.state.value, style=STATE_STYLES[problem.state])
        shown.add_row(f"{problem.rows:,}", state, Text(reason), Text(problem.advice))
    out().print(shown)
