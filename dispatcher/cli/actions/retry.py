"""`retry`: count, ask, plan again, send."""

from __future__ import annotations

from pathlib import Path

from dispatcher.campaign import Campaign
from dispatcher.campaign.launch import LaunchOptions
from dispatcher.campaign.naming import report_path
from dispatcher.campaign.retry_choices import RetryChoice, count_rows, facets, plan_again
from dispatcher.cli import launching
from dispatcher.cli.asking import must_be_able_to_ask
from dispatcher.cli.options import Asked
from dispatcher.cli.render import live
from dispatcher.cli.render.remedies import remedy_text
from dispatcher.cli.render.terminal import say
from dispatcher.cli.session import Session
from dispatcher.errors import ExitCode, UsageError
from dispatcher.model import RowState
from dispatcher.remedies import Advice, AnyOf, Option
from dispatcher.reporting.selection import Selection

__all__ = ["RetryChoice", "retry"]

FACETS_SHOWN = 10
#: Rows whose evidence is shown before they are risked.
EVIDENCE_SHOWN = 20


def retry(
    asked: Asked,
    campaign: str,
    choice: RetryChoice,
    *,
    report: Path | None,
    yes: bool,
    limit: int | None,
    again: bool,
    wait: bool,
    as_json: bool,
) -> ExitCode:
    """Raises: UsageError where nothing is chosen, and what sending may raise."""
    if not choice:
        ways = (
            Option("code", "CODE"),
            Option("all-rejected"),
            Option("busy"),
            Option("skipped", "REASON"),
            Option("unknown"),
        )
        raise UsageError("retry needs to know which rows", fix=AnyOf(*ways))
    if choice.unknown and yes:
        raise UsageError(
            "sending unknown rows again may reach people twice: a person has to confirm how many",
            fix=Advice("leave out the answer that was given beforehand, and type the number when it is asked for"),
        )
    session = Session(asked, "required")
    must_be_able_to_ask(yes)
    options = LaunchOptions(report=report_path(campaign, report), limit=limit, whole_campaign=True, again=again)

    async def main() -> ExitCode:
        async with session.working(campaign, wait=wait) as opened:
            if choice.unknown:
                # What can be found is found first.
                async with live.view(session.bus):
                    await opened.reconcile()
                await _say_evidence(opened)
            count = await count_rows(opened, choice)
            if not count:
                say("no row matches: nothing is sent", "yellow")
                await _say_facets(opened)
                return await launching.print_status(opened) if as_json else ExitCode.OK
            say(f"{count:,} rows are sent again")
            return await launching.send(
                opened,
                options,
                yes=yes,
                as_json=as_json,
                extra=count,
                repeats=await opened.count_repeats(choice),
                risked=await opened.count_unknown() if choice.unknown else 0,
                before=lambda: plan_again(opened, choice),
            )

    return session.run(main)


async def _say_evidence(campaign: Campaign) -> None:
    """Why rows are unknown: what would be risked."""
    shown = 0
    async for batch in campaign.rows(only=Selection(frozenset({RowState.unknown}))):
        for row in batch[: EVIDENCE_SHOWN - shown]:
            say(f"row {row.row_number}: {row.error_message or 'nothing is known'}", "yellow")
        shown = min(EVIDENCE_SHOWN, shown + len(batch))


async def _say_facets(campaign: Campaign) -> None:
    found = await facets(campaign)
    if found:
        shown = ", ".join(f"{one.rows:,} for {remedy_text(one.option)}" for one in found[:FACETS_SHOWN])
        say(f"there are: {shown}", "bright_black")
