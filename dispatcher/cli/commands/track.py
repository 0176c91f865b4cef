"""`track`: what became of the executions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dispatcher.cli import options

PANEL = options.AFTERWARDS
EPILOG = options.examples(
    ("dispatcher track spring", "what became of the executions so far"),
    ("dispatcher track spring --follow", "again and again until all have ended"),
    ("dispatcher track spring --status-only", "a read per thousand"),
    ("dispatcher track spring --report spring.xlsx", "and the report with it"),
    more="[bold]Exit codes[/bold]  0 all that could be known is known · 5 some could not be read now: track again"
    " · 4 credentials · 130 interrupted, goes on where it was",
)


@options.reads_settings("account.api_version", "account.base_url", "state.dir")
def track(
    asked: options.Asked,
    campaign: options.CampaignName,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Look again until no execution is active; Ctrl-C ends it.")
    ] = False,
    status_only: Annotated[
        bool, typer.Option("--status-only", help="Only who is active and who has ended: much fewer reads.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option("--report", "-o", help="Write the report afterwards.", show_default=False)
    ] = None,
    json: options.Json = False,
) -> int:
    """Read what became of a campaign's executions.

    Status, the way through the widgets, delivery errors, and what \\[tracking] variables names; `report` shows them.
    Only what is not known yet is read. Nothing is sent; it may run beside a run.
    """
    from dispatcher.cli.actions.track import track as act

    return act(asked, campaign, details=not status_only, follow=follow, report=report, as_json=json)
