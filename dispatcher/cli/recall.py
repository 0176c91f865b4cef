"""`recall`: end what a campaign has started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dispatcher.cli import options
from dispatcher.errors import ExitCode

if TYPE_CHECKING:
    from dispatcher.tracking.results import RecallResult

EPILOG = options.examples(
    ("dispatcher recall spring", "counts them, asks, and ends them"),
    ("dispatcher recall spring --yes --json", "for scripts"),
    ('dispatcher cancel spring --reason "wrong price"', "rows that are not sent yet"),
    more="[bold]Exit codes[/bold]  0 none is active any more · 5 some may still be: recall again · 4 credentials"
    " · 130 interrupted, goes on where it was",
)


def register(app: typer.Typer) -> None:
    """Add this file's commands."""
    app.command(epilog=EPILOG, rich_help_panel=options.AFTERWARDS)(recall)


def recall(
    campaign: options.CampaignName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wait: options.Wait = False,
    json: options.Json = False,
    config: options.Config = None,
    api_version: options.ApiVersion = None,
    base_url: options.BaseUrl = None,
    state_dir: options.StateDir = None,
    debug: options.Debug = False,
) -> int:
    """End the executions of a campaign that are still active.

    Only those that this ledger has created. What they have sent stays sent; contacts get nothing more of them, and an
    answer starts nothing. This cannot be undone.
    """
    flags = {"account.api_version": api_version, "account.base_url": base_url, "state.dir": state_dir}
    from dispatcher.campaign import open_campaign
    from dispatcher.cli import outcomes, planning, sending
    from dispatcher.cli.interrupts import Interrupts, run_async
    from dispatcher.cli.summary import pairs
    from dispatcher.cli.terminal import out, print_error, print_json, say
    from dispatcher.model import ExecutionStatus, RowState
    from dispatcher.settings import load_credentials

    settings = options.load_settings(config, flags).settings
    credentials = load_credentials()
    sending.must_be_able_to_ask(yes)

    async def main(interrupts: Interrupts) -> tuple[int, int, RecallResult | None]:
        bus = planning.event_bus()
        async with open_campaign(campaign, settings, credentials, bus=bus, create=False, wait=wait) as opened:
            interrupts.watch(opened)
            async with outcomes.view(bus, "looking"):
                seen = await opened.track(details=False)
            if seen.error is not None:
                raise seen.error
            counts, status = seen.counts, await opened.status()
            most = counts.by_status[ExecutionStatus.active] + counts.unseen
            waiting, in_doubt = (
                status.rows[state] + status.earlier_rows.get(state, 0) for state in (RowState.planned, RowState.unknown)
            )
            if not most:
                return 0, waiting, None
            say(f"{most:,} of {counts.created:,} executions are active")
            if in_doubt:
                say(f"{in_doubt:,} rows are in doubt and may have one, too: dispatcher reconcile {campaign}", "yellow")
            if not yes:
                sending.ask(most, "end them")
            async with outcomes.view(bus, "ending"):
                return most, waiting, await opened.recall()

    most, waiting, result = run_async(main)
    if json:
        print_json(
            {
                "campaign": campaign,
                "active": most,
                "ended": result.ended if result else 0,
                "already_ended": result.already_ended if result else 0,
                "gone": result.gone if result else 0,
                "failed": result.failed if result else 0,
            }
        )
    elif result is None:
        out().print("no execution is active: there is nothing to end")
    else:
        lines = [("ended", f"{result.ended:,} executions")]
        if result.already_ended:
            lines.append(("had ended", f"{result.already_ended:,} by themselves meanwhile"))
        if result.gone:
            lines.append(("gone", f"{result.gone:,} that Studio does not know any more"))
        out().print(pairs(list(lines)))
    if waiting:
        say(f'dispatcher cancel {campaign} --reason "…"   takes out the {waiting:,} rows that wait', "bright_black")
    if result is None:
        return ExitCode.OK
    if result.failed and result.failure is not None:
        say(f"{result.failed:,} executions could not be ended now, the last: {result.failure}", "yellow")
    if result.error is not None:
        print_error(result.error)
    return ExitCode(result.exit_code)
