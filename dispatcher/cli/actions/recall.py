"""`recall`: count, ask, end."""

from __future__ import annotations

from dispatcher.campaign.next_steps import rows_of_all_files
from dispatcher.campaign.objects import recall_object
from dispatcher.cli.asking import ask, must_be_able_to_ask
from dispatcher.cli.options import Asked
from dispatcher.cli.render.failures import print_error
from dispatcher.cli.render.progress import tracking
from dispatcher.cli.render.remedies import step_text
from dispatcher.cli.render.terminal import out, pairs, print_json, say
from dispatcher.cli.session import Session
from dispatcher.errors import ExitCode
from dispatcher.model import ExecutionStatus, RowState
from dispatcher.remedies import Command, Option
from dispatcher.tracking.results import RecallResult


def recall(asked: Asked, campaign: str, *, yes: bool, wait: bool, as_json: bool) -> ExitCode:
    """Raises: UsageError, AuthenticationError, AccountLocked, CampaignNotFound, StudioError, LedgerError."""
    session = Session(asked, "required")
    must_be_able_to_ask(yes)

    async def main() -> ExitCode:
        async with session.working(campaign, wait=wait) as opened:
            async with tracking(session.bus, "looking"):
                seen = await opened.track(details=False)
            if seen.error is not None:
                raise seen.error
            counts, rows = seen.counts, rows_of_all_files(await opened.status())
            active = counts.by_status[ExecutionStatus.active] + counts.unseen
            result: RecallResult | None = None
            if active:
                say(f"{active:,} of {counts.created:,} executions are active")
                if rows[RowState.unknown]:
                    does = f"{rows[RowState.unknown]:,} rows are left unknown and may have one, too"
                    say(step_text(Command("reconcile", (campaign,), does=does)), "yellow")
                if not yes:
                    ask(active, "end them")
                async with tracking(session.bus, "ending"):
                    result = await opened.recall()
        if as_json:
            print_json(recall_object(campaign, active, result))
        else:
            _print(result)
        if rows[RowState.planned]:
            does = f"takes out the {rows[RowState.planned]:,} rows that wait"
            say(step_text(Command("cancel", (campaign,), (Option("reason", "…"),), does=does)), "bright_black")
        if result is None:
            return ExitCode.OK
        if result.failed and result.failure is not None:
            say(f"{result.failed:,} executions could not be ended now, the last: {result.failure}", "yellow")
        if result.error is not None:
            print_error(result.error)
        return ExitCode(result.exit_code)

    return session.run(main)


def _print(result: RecallResult | None) -> None:
    if result is None:
        out().print("no execution is active: there is nothing to end")
        return
    lines = [("ended", f"{result.ended:,} executions")]
    if result.already_ended:
        lines.append(("had ended", f"{result.already_ended:,} by themselves meanwhile"))
    if result.gone:
        lines.append(("gone", f"{result.gone:,} that Studio does not know any more"))
    out().print(pairs([*lines]))
