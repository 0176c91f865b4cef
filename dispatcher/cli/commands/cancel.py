"""`cancel`: waiting rows are taken out."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Annotated

import typer

from dispatcher.cli import options
from dispatcher.cli.render.campaign import print_status_object
from dispatcher.cli.render.terminal import print_line, say
from dispatcher.errors import ExitCode, UsageError
from dispatcher.model import RowState
from dispatcher.plurals import counted
from dispatcher.remedies import Option

if TYPE_CHECKING:
    from dispatcher.campaign import CampaignView

EPILOG = options.examples(
    'dispatcher cancel spring --reason "wrong price in the text"',
    ("dispatcher retry spring --cancelled", "puts them back"),
)


@options.reads_settings("account.base_url", "state.dir")
async def cancel(
    session: options.Session,
    campaign: options.CampaignName,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the report.")],
    yes: options.DoNotAsk = False,
    wait: options.Wait = False,
    json: options.Json = False,
) -> int:
    """Take the rows that are not sent yet out of a campaign.

    Executions that exist are left alone. `dispatcher retry CAMPAIGN --cancelled` puts the rows back.
    """
    from dispatcher.campaign.next_steps import rows_of_all_files
    from dispatcher.cli.asking import ask, must_be_able_to_ask

    reason = reason.strip()
    if not reason:
        raise UsageError("cancel needs a reason: it stands in the report", fix=Option("reason", "…"))
    must_be_able_to_ask(yes)
    # On a cluster whoever sends is on another machine, and is not waited for: what it has claimed is sent.
    opening: AbstractAsyncContextManager[CampaignView] = (
        session.viewing(campaign) if session.settings.is_cluster else session.working(campaign, wait=wait)
    )
    async with opening as opened:
        rows = rows_of_all_files(await opened.status())
        planned, open_rows = rows[RowState.planned], rows[RowState.sending] + rows[RowState.unknown]
        if not planned and not open_rows:
            say("no row waits: there is nothing to cancel", "yellow")
        else:
            ask(planned or open_rows, "take these rows out", yes)
            planned = await opened.cancel(reason)
        if open_rows:
            are = counted(open_rows, "row is", "rows are")
            say(f"{are} unknown or on their way: taken out where it turns out that nothing was created", "yellow")
        if json:
            print_status_object(await opened.status(), await opened.reasons(), opened.settings)
        else:
            print_line(f"{counted(planned, 'row')} cancelled")
    return ExitCode.OK
