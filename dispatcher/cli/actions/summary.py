"""`summary`: from the ledger alone."""

from __future__ import annotations

from rich.text import Text

from dispatcher.campaign.objects import summary_object
from dispatcher.cli.options import Asked
from dispatcher.cli.render.campaign import status_lines
from dispatcher.cli.render.executions import print_counts
from dispatcher.cli.render.remedies import step_text
from dispatcher.cli.render.terminal import STATE_STYLES, out, pairs, print_json, say, table
from dispatcher.cli.session import Session
from dispatcher.errors import ExitCode
from dispatcher.remedies import Command
from dispatcher.reporting.summary import Problem


def summary(asked: Asked, campaign: str, *, as_json: bool) -> ExitCode:
    """Raises: CampaignNotFound, LedgerError."""
    session = Session(asked)

    async def main() -> ExitCode:
        async with session.viewing(campaign) as opened:
            found, counts = await opened.summary(), await opened.executions()
        if as_json:
            print_json(summary_object(found, counts))
            return ExitCode.OK
        out().print(pairs([("campaign", found.status.campaign.name), ("state", found.state.value)]))
        out().print(pairs(status_lines(found.status, found.status.report_path)))
        if found.problems:
            _print_problems(found.problems)
        if counts.seen_at_ms is not None:
            print_counts(counts)
        elif counts.created:
            step = Command("track", (campaign,), does="finds out what became of the executions")
            say(step_text(step), "bright_black")
        return ExitCode.OK

    return session.run(main)


def _print_problems(problems: tuple[Problem, ...]) -> None:
    shown = table("rows", "state", "reason", "what to do", right=("rows",), whole=("state",), dim=("what to do",))
    for problem in problems:
        reason = " ".join(part for part in (problem.code, problem.meaning) if part)
        state = Text(problem.state.value, style=STATE_STYLES[problem.state])
        shown.add_row(f"{problem.rows:,}", state, Text(reason), Text(problem.advice))
    out().print(shown)
