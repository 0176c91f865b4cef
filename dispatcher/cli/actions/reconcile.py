"""`reconcile`: unknown rows are looked up."""

from __future__ import annotations

from dispatcher.campaign.next_steps import rows_of_all_files
from dispatcher.cli.options import Asked
from dispatcher.cli.render import live
from dispatcher.cli.render.campaign import say_next_steps, status_lines
from dispatcher.cli.render.terminal import out, pairs, print_json
from dispatcher.cli.session import Session
from dispatcher.errors import ExitCode
from dispatcher.model import RowState
from dispatcher.reporting.summary import status_object


def reconcile(asked: Asked, campaign: str, *, wait: bool, as_json: bool) -> ExitCode:
    """Raises: AuthenticationError, AccountLocked, CampaignNotFound, StudioError, LedgerError, Interrupted."""
    session = Session(asked, "required")

    async def main() -> ExitCode:
        async with session.working(campaign, wait=wait) as opened, live.view(session.bus):
            found, status = await opened.reconcile()
        if as_json:
            print_json(status_object(status, status.report_path))
        else:
            text = f"{found.created:,} exist, {found.planned:,} do not and wait, {found.unresolved:,} stay unknown"
            out().print(pairs([("looked up", text), *status_lines(status, None)]))
        say_next_steps(campaign, status)
        return ExitCode.SOME_UNKNOWN if rows_of_all_files(status)[RowState.unknown] else ExitCode.OK

    return session.run(main)
