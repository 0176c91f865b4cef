"""`recall`: end what a campaign has started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatcher.cli import options
from dispatcher.cli.render.executions import print_failed
from dispatcher.cli.render.remedies import say_step
from dispatcher.cli.render.terminal import print_json, print_line, print_pairs, say
from dispatcher.errors import ExitCode
from dispatcher.model import ExecutionStatus, RowState
from dispatcher.plurals import counted
from dispatcher.remedies import Command, Option

if TYPE_CHECKING:
    from dispatcher.tracking.results import RecallResult

EPILOG = options.examples(
    ("dispatcher recall spring", "counts them, asks, and ends them"),
    ("dispatcher recall spring --yes --json", "for scripts"),
    ('dispatcher cancel spring --reason "wrong price"', "rows that are not sent yet"),
    more="[bold]Exit codes[/bold]  0 none is active any more · 5 some may still be: recall again · 4 credentials"
    " · 130 interrupted, goes on where it was",
)


@options.reads_settings("account.api_version", "account.base_url", "state.dir")
async def recall(
    session: options.Session,
    campaign: options.CampaignName,
    yes: options.DoNotAsk = False,
    wait: options.Wait = False,
    json: options.Json = False,
) -> int:
    """End the executions of a campaign that are still active.

    Only those that this ledger has created. What they have sent stays sent; contacts get nothing more of them, and an
    answer starts nothing. This cannot be undone.
    """
    from dispatcher.campaign.next_steps import rows_of_all_files
    from dispatcher.campaign.objects import recall_object
    from dispatcher.cli.asking import ask, must_be_able_to_ask
    from dispatcher.cli.render.progress import tracking

    session.require_credentials()
    session.leave_flow()
    must_be_able_to_ask(yes)
    result: RecallResult | None = None
    async with session.working(campaign, wait=wait) as opened:
        async with tracking(session.bus, "looking"):
            seen = await opened.track(details=False)
        if seen.error is not None:
            raise seen.error
        counts, rows = seen.counts, rows_of_all_files(await opened.status())
        active = counts.by_status[ExecutionStatus.active] + counts.unseen
        if active:
            are = counted(counts.created, "execution is", "executions are")
            say(f"{active:,} of {are} active")
            if rows[RowState.unknown]:
                are = counted(rows[RowState.unknown], "row is", "rows are")
                does = f"{are} left unknown and may have one, too"
                say_step(Command("reconcile", (campaign,), does=does), "yellow")
            ask(active, "end them", yes)
            async with tracking(session.bus, "ending"):
                result = await opened.recall()
    if json:
        print_json(recall_object(campaign, active, result))
    elif result is None:
        print_line("no execution is active: there is nothing to end")
    else:
        _print(result)
    if rows[RowState.planned]:
        does = f"takes out the {counted(rows[RowState.planned], 'row that waits', 'rows that wait')}"
        say_step(Command("cancel", (campaign,), (Option("reason", "…"),), does=does))
    if result is None:
        return ExitCode.OK
    print_failed(result, "ended")
    return result.exit_code


def _print(result: RecallResult) -> None:
    lines = [("ended", counted(result.ended, "execution"))]
    if result.already_ended:
        lines.append(("had ended", f"{result.already_ended:,} by themselves meanwhile"))
    if result.gone:
        lines.append(("gone", f"{result.gone:,} that Studio does not know any more"))
    print_pairs([*lines])
