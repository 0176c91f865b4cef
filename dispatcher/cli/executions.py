"""`executions`: what Studio says about single executions, their steps and their contexts."""

from __future__ import annotations

import json as json_module
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from dispatcher.cli import options
from dispatcher.errors import ExitCode, SettingsError, UsageError

if TYPE_CHECKING:
    from dispatcher.studio.client import Studio
    from dispatcher.studio.resources import Execution, Step

T = TypeVar("T")
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


def register(parent: typer.Typer) -> None:
    """Add this file's commands."""
    parent.add_typer(app, name="executions", rich_help_panel=options.AFTERWARDS)


@app.command("list", epilog=LIST_EPILOG)
def list_(
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
    config: options.Config = None,
    flow: options.Flow = None,
    api_version: options.ApiVersion = None,
    base_url: options.BaseUrl = None,
    debug: options.Debug = False,
) -> int:
    """List a flow's executions, newest first."""

    async def ask(studio: Studio, flow_sid: str) -> tuple[list[Execution], bool]:
        found: list[Execution] = []
        executions = studio.executions(
            flow_sid,
            created_from=_utc(since),
            created_to=_utc(until),
            status=status,
            page_size=1000 if all_ else min(limit + 1, 1000),
        )
        async for execution in executions:
            if status is not None and execution.status != status:
                continue  # v1 does not know the filter
            if not all_ and len(found) == limit:
                return found, True
            found.append(execution)
        return found, False

    found, more = _ask(ask, config, flow, api_version, base_url)
    from dispatcher.cli.terminal import print_json, say

    if json:
        print_json([execution.to_json() for execution in found])
    else:
        _print_table(
            ["execution", "contact", "status", "created", "updated"],
            [
                [one.sid, one.contact_channel_address, one.status, _time(one.date_created), _time(one.date_updated)]
                for one in found
            ],
            "no executions",
        )
    if more:
        say("there are more: --limit or --all shows them", "bright_black")
    return ExitCode.OK


@app.command(epilog=SHOW_EPILOG)
def show(
    execution: ExecutionSid,
    json: options.Json = False,
    config: options.Config = None,
    flow: options.Flow = None,
    api_version: options.ApiVersion = None,
    base_url: options.BaseUrl = None,
    debug: options.Debug = False,
) -> int:
    """Show one execution: contact, status, times."""
    sid = _checked(execution, "FN", "an execution")
    found = _ask(lambda studio, flow_sid: studio.execution(flow_sid, sid), config, flow, api_version, base_url)
    from dispatcher.cli.summary import pairs
    from dispatcher.cli.terminal import out, print_json

    if json:
        print_json(found.to_json())
    else:
        values = {name: value for name, value in found.to_json().items() if value not in ({}, [])}
        links = values.pop("links", {})
        out().print(pairs([(name, _plain(str(value))) for name, value in {**values, **links}.items()]))
    return ExitCode.OK


@app.command(epilog=STEPS_EPILOG)
def steps(
    execution: ExecutionSid,
    json: options.Json = False,
    config: options.Config = None,
    flow: options.Flow = None,
    api_version: options.ApiVersion = None,
    base_url: options.BaseUrl = None,
    debug: options.Debug = False,
) -> int:
    """Show an execution's way through the widgets, in the order it went."""
    sid = _checked(execution, "FN", "an execution")

    async def ask(studio: Studio, flow_sid: str) -> list[Step]:
        return [step async for step in studio.steps(flow_sid, sid)][::-1]

    found = _ask(ask, config, flow, api_version, base_url)
    if json:
        from dispatcher.cli.terminal import print_json

        print_json([step.to_json() for step in found])
    else:
        _print_table(
            ["when", "from", "event", "to", "step"],
            [
                [_time(step.date_created), step.transitioned_from, step.name, step.transitioned_to, step.sid]
                for step in found
            ],
            "no steps",
        )
    return ExitCode.OK


@app.command(epilog=CONTEXT_EPILOG)
def context(
    execution: ExecutionSid,
    step: Annotated[
        str | None, typer.Option("--step", metavar="STEP", help="As it was at this step, FT….", show_default=False)
    ] = None,
    path: Annotated[
        str | None,
        typer.Option("--path", help="Only this part: widgets.ask.inbound.Body", show_default=False),
    ] = None,
    config: options.Config = None,
    flow: options.Flow = None,
    api_version: options.ApiVersion = None,
    base_url: options.BaseUrl = None,
    debug: options.Debug = False,
) -> int:
    """Print what an execution knows, as JSON: trigger, contact, flow.data, the widgets' results."""
    from dispatcher.settings import variable_path

    sid = _checked(execution, "FN", "an execution")
    step_sid = _checked(step, "FT", "a step") if step else None
    try:
        parts = variable_path(path) if path and "." in path else (path,) if path else ()
    except ValueError as error:
        raise UsageError(f"--path {error}", found=path, fix="--path widgets.ask.inbound.Body") from None

    async def ask(studio: Studio, flow_sid: str) -> Any:
        if step_sid:
            return (await studio.step_context(flow_sid, sid, step_sid)).context
        return (await studio.execution_context(flow_sid, sid)).context

    found = _ask(ask, config, flow, api_version, base_url)
    for part in parts:
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            raise UsageError(
                "the context has nothing there",
                found=path,
                fix=f"dispatcher executions context {sid} shows all of it",
            )
    from dispatcher.cli.terminal import out

    out().print(_plain(json_module.dumps(found, ensure_ascii=False, indent=2)), markup=False, soft_wrap=True)
    return ExitCode.OK


def _ask(
    ask: Callable[[Studio, str], Coroutine[Any, Any, T]],
    config: Path | None,
    flow: str | None,
    api_version: str | None,
    base_url: str | None,
) -> T:
    from dispatcher.campaign import studio_client
    from dispatcher.cli.interrupts import Interrupts, run_async
    from dispatcher.settings import load_credentials

    flags = {"campaign.flow": flow, "account.api_version": api_version, "account.base_url": base_url}
    settings = options.load_settings(config, flags).settings
    flow_sid = settings.campaign.flow
    if flow_sid is None:
        raise SettingsError("the flow is not set", fix="--flow FW…, or [campaign] flow in config.toml")
    credentials = load_credentials()

    async def main(_: Interrupts) -> T:
        async with studio_client(settings, credentials) as studio:
            return await ask(studio, flow_sid)

    return run_async(main)


def _checked(sid: str, prefix: str, what: str) -> str:
    """The SID, if it can be one: it becomes a part of an address. Raises: UsageError."""
    digits = sid.removeprefix(prefix)
    if len(sid) != 34 or not sid.startswith(prefix) or not all(digit in "0123456789abcdefABCDEF" for digit in digits):
        raise UsageError(f"this is not the SID of {what}", found=sid[:40], fix=f"{prefix} and 32 hex digits")
    return sid


def _utc(moment: datetime | None) -> datetime | None:
    from datetime import UTC

    return moment.replace(tzinfo=UTC) if moment is not None else None


def _time(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def _plain(text: str) -> str:
    """Without what could steer a terminal: these texts come from contacts."""
    return "".join(letter if letter.isprintable() or letter == "\n" else f"\\u{ord(letter):04x}" for letter in text)


def _print_table(header: list[str], rows: list[list[str | None]], none: str) -> None:
    from rich.table import Table
    from rich.text import Text

    from dispatcher.cli.terminal import TABLE_BOX, out, say

    if not rows:
        say(none, "yellow")
        return
    table = Table(box=TABLE_BOX, pad_edge=False, header_style="bright_black")
    for name in header:
        table.add_column(name, overflow="fold", no_wrap=name in ("execution", "step", "when", "created", "updated"))
    for row in rows:
        table.add_row(*[Text(_plain(value or "")) for value in row])
    out().print(table)
