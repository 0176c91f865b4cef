"""`reconcile`: what became of the rows left unknown."""

from __future__ import annotations

from dispatcher.cli import options
from dispatcher.cli.render.campaign import print_status_object, say_next_steps, status_lines
from dispatcher.cli.render.terminal import print_pairs
from dispatcher.errors import ExitCode
from dispatcher.model import RowState

EPILOG = options.examples(
    ("dispatcher reconcile spring", "which of the unknown rows exist?"),
    ("dispatcher report spring --only unknown", "the evidence on those that stay"),
)


@options.reads_settings("account.api_version", "account.base_url", "state.dir")
async def reconcile(
    session: options.Session, campaign: options.CampaignName, wait: options.Wait = False, json: options.Json = False
) -> int:
    """Find out what became of the rows left unknown; nothing is sent.

    They are looked up in Studio's list of executions. Found: created. Not there after
    the list had its time (\\[reconcile] settle_s): planned, and `resume` sends it.
    Exit code 6 where rows stay unknown; `dispatcher report CAMPAIGN --only unknown` says why.
    """
    from dispatcher.campaign.next_steps import rows_of_all_files
    from dispatcher.cli.render import live

    session.require_credentials()
    session.leave_flow()
    async with session.working(campaign, wait=wait) as opened:
        async with live.view(session.bus):
            found, status = await opened.reconcile()
        reasons = await opened.reasons()
    if json:
        print_status_object(status, reasons, session.settings)
    else:
        text = f"{found.created:,} exist, {found.planned:,} do not and wait, {found.unresolved:,} stay unknown"
        print_pairs([("looked up", text), *status_lines(status, None)])
    say_next_steps(campaign, status)
    return ExitCode.SOME_UNKNOWN if rows_of_all_files(status)[RowState.unknown] else ExitCode.OK
