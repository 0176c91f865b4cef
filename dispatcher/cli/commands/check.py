"""`check`: what is wrong with which row, before anything is sent."""

from __future__ import annotations

from typing import Annotated

import typer

from dispatcher.cli import options

PANEL = options.SEND
EPILOG = options.examples(
    ("dispatcher check contacts.csv", "the first 20 problems"),
    ("dispatcher check contacts.csv --all", "all of them"),
    ("dispatcher check contacts.csv --json | jq .problems", "for scripts"),
    more="[bold]Exit codes[/bold]  0 every row can be sent · 3 some rows are invalid, the others can be sent"
    " · 2 the file, a setting or the flow is wrong",
)


@options.reads_settings(
    "campaign.flow", "campaign.from", "columns.to", "columns.region", "input.sheet", "account.base_url", "state.dir"
)
def check(
    asked: options.Asked,
    file: options.File,
    campaign: Annotated[
        str | None,
        typer.Option("--campaign", help="Check as the next file of this campaign.", show_default="the file's name"),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Show every problem, not the first 20.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask Studio whether the flow fits.")] = False,
    json: options.Json = False,
) -> int:
    """Read and check a file as `run` does, and send nothing.

    Shows each row that would not be sent: its number, column, value, the reason and what to do. With credentials,
    Studio is asked, too, whether the flow is published and uses nothing that the rows do not bring.
    """
    from dispatcher.cli.actions.rehearsal import check as act

    return act(asked, file, campaign, show_all=all_, offline=offline, as_json=json)
