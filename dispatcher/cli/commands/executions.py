"""`executions`: what Studio says about single executions, their steps and their contexts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import typer

from dispatcher.cli import options

PANEL = options.AFTERWARDS
LIST_EPILOG = options.examples(
    ("dispatcher executions list", "the newest 50"),
    ("dispatcher executions list --status active --all", "all that are under way"),
    ("dispatcher executions list --since 2026-03-01 --json", "for scripts"),
)
SHOW_EPILOG = options.examples("dispatcher executions show FN0123…", "dispatcher executions show FN0123… --json")
STEPS_EPILOG = options.examples(("dispatcher executions steps FN0123…", "the way through the widgets"))
CONTEXT_EPILOG = options.examples(
    ("dispatcher executions context FN0123…", "all that the execution knows"),
    ("dispatcher executions context FN0123… --step FT0123…", "what it knew at a step"),
    ("dispatcher executions context FN0123… --path widgets.ask", "a part of it"),
)

app = typer.Typer(no_args_is_help=True, help="Look at a flow's executions: list, show, steps, context.")

ExecutionSid = Annotated[str, typer.Argument(metavar="EXECUTION", help="The execution's SID, FN….")]


@app.command("list", epilog=LIST_EPILOG)
@options.reads_settings("campaign.flow", "account.api_version", "account.base_url")
def list_(
    asked: options.Asked,
    since: Annotated[
        datetime | None, typer.Option("--since", help="Created at or after this (UTC).", show_default=False)
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", help="Created before this (UTC).", show_default=False)
    ] = None,
    status: Annotated[
        Literal["active", "ended"] | None, typer.Option("--status", help="Only these.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most so many.")] = 50,
    all_: Annotated[bool, typer.Option("--all", help="Show all, page after page.")] = False,
    json: options.Json = False,
) -> int:
    """List a flow's executions, newest first."""
    from dispatcher.cli.actions.executions import list_ as act

    most = None if all_ else limit
    return act(asked, since=since, until=until, status=status, most=most, as_json=json)


@app.command(epilog=SHOW_EPILOG)
@options.reads_settings("campaign.flow", "account.api_version", "account.base_url")
def show(asked: options.Asked, execution: ExecutionSid, json: options.Json = False) -> int:
    """Show one execution: contact, status, times."""
    from dispatcher.cli.actions.executions import show as act

    return act(asked, execution, as_json=json)


@app.command(epilog=STEPS_EPILOG)
@options.reads_settings("campaign.flow", "account.api_version", "account.base_url")
def steps(asked: options.Asked, execution: ExecutionSid, json: options.Json = False) -> int:
    """Show an execution's way through the widgets, in the order it went."""
    from dispatcher.cli.actions.executions import steps as act

    return act(asked, execution, as_json=json)


@app.command(epilog=CONTEXT_EPILOG)
@options.reads_settings("campaign.flow", "account.api_version", "account.base_url")
def context(
    asked: options.Asked,
    execution: ExecutionSid,
    step: Annotated[
        str | None, typer.Option("--step", metavar="STEP", help="As it was at this step, FT….", show_default=False)
    ] = None,
    path: Annotated[
        str | None, typer.Option("--path", help="Only this part: widgets.ask.inbound.Body", show_default=False)
    ] = None,
) -> int:
    """Print what an execution knows, as JSON: trigger, contact, flow.data, the widgets' results."""
    from dispatcher.cli.actions.executions import context as act

    return act(asked, execution, step=step, path=path)
