"""`cancel`: count, ask, take out."""

from __future__ import annotations

from dispatcher.campaign.next_steps import rows_of_all_files
from dispatcher.cli.asking import ask, must_be_able_to_ask
from dispatcher.cli.launching import print_status
from dispatcher.cli.options import Asked
from dispatcher.cli.render.terminal import out, say
from dispatcher.cli.session import Session
from dispatcher.errors import ExitCode, UsageError
from dispatcher.model import RowState
from dispatcher.remedies import Option


def cancel(asked: Asked, campaign: str, *, reason: str, yes: bool, wait: bool, as_json: bool) -> ExitCode:
    """Raises: UsageError, AccountLocked, CampaignNotFound, LedgerError."""
    if not reason:
        raise UsageError("cancel needs a reason: it stands in the report", fix=Option("reason", "…"))
    session = Session(asked)
    must_be_able_to_ask(yes)

    async def main() -> ExitCode:
        async with session.working(campaign, wait=wait) as opened:
            planned = rows_of_all_files(await opened.status())[RowState.planned]
            if not planned:
                say("no row waits: there is nothing to cancel", "yellow")
            else:
                if not yes:
                    ask(planned, "take these rows out")
                planned = await opened.cancel(reason)
            if as_json:
                return await print_status(opened)
            out().print(f"{planned:,} rows cancelled")
            return ExitCode.OK

    return session.run(main)
