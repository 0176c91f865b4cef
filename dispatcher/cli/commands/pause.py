"""`pause`: nothing more of a campaign is sent, until it is resumed."""

from __future__ import annotations

from typing import Annotated

import typer

from dispatcher.cli import options
from dispatcher.cli.render.campaign import pause_text, print_status_object
from dispatcher.cli.render.remedies import say_step
from dispatcher.cli.render.terminal import print_line, say
from dispatcher.errors import ExitCode

EPILOG = options.examples(
    ("dispatcher pause spring", "also while another process sends it"),
    'dispatcher pause spring --reason "wrong price in the text"',
    ("dispatcher resume spring", "lifts it, and sends what waits"),
)


@options.reads_settings("account.base_url", "state.dir")
async def pause(
    session: options.Session,
    campaign: options.CampaignName,
    reason: Annotated[str, typer.Option("--reason", help="Why; whoever would go on is told.")] = "",
    json: options.Json = False,
) -> int:
    """Send nothing more of a campaign until it is resumed, whoever sends it now.

    A run that is under way stops at its next rows (5): what has left is waited for, recorded and reported. Nothing but
    `dispatcher resume` lifts a pause; a scheduled `run` of the campaign's file does not. Needs no credentials.
    """
    from dispatcher.campaign.next_steps import next_steps
    from dispatcher.campaign.view import waiting_rows

    async with session.viewing(campaign) as opened:
        held, is_new = await opened.pause(reason.strip())
        status, reasons = await opened.status(), await opened.reasons()
    if not is_new:
        say(f"it was {pause_text(held)}", "yellow")
    if status.running:
        say("a run is under way: it stops at its next rows", "yellow")
    if not waiting_rows(status) and not status.running:
        say("no row waits: whatever a file adds will wait for resume", "yellow")
    if json:
        print_status_object(status, reasons, session.settings)
    else:
        print_line(f"{campaign} is paused" + ("" if status.running else "; no run is under way"))
        if waiting_rows(status):
            say_step(next_steps(campaign, status)[0])
    return ExitCode.OK
