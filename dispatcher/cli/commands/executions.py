"""`executions`: what Studio says about single executions, their steps and their contexts. Nothing is kept."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from json import dumps
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dispatcher.cli import options
from dispatcher.cli.render.terminal import print_json, print_line, print_pairs, print_rows, say
from dispatcher.errors import ExitCode, SettingsError, UsageError
from dispatcher.remedies import Advice, Command, Option, Setting

if TYPE_CHECKING:
    from dispatcher.studio.resources import Execution

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
PAGE_MAX = 1000

app = typer.Typer(no_args_is_help=True, help="Look at a flow's executions: list, show, steps, context.")
reads_settings = options.reads_settings("campaign.flow", "account.api_version", "account.base_url")

ExecutionSid = Annotated[str, typer.Argument(metavar="EXECUTION", help="The execution's SID, FN….")]


@app.command("list", epilog=LIST_EPILOG)
@reads_settings
async def list_(
    session: options.Session,
    since: Annotated[datetime | None, typer.Option("--since", help="Created at or after this (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option("--until", help="Created before this (UTC).")] = None,
    status: Annotated[Literal["active", "ended"] | None, typer.Option("--status", help="Only these.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most so many.")] = 50,
    all_: Annotated[bool, typer.Option("--all", help="Show all, page after page.")] = False,
    json: options.Json = False,
) -> int:
    """List a flow's executions, newest first."""
    flow_sid = await _flow_of(session)
    found: list[Execution] = []
    more = False
    async with session.studio() as studio:
        executions = studio.executions(
            flow_sid,
            created_from=since and since.replace(tzinfo=UTC),
            created_to=until and until.replace(tzinfo=UTC),
            status=status,
            page_size=PAGE_MAX if all_ else min(limit + 1, PAGE_MAX),
        )
        async for execution in executions:
            more = not all_ and len(found) == limit
            if more:
                break
            found.append(execution)
    if json:
        print_json([execution.to_json() for execution in found])
    else:
        rows = [
            [one.sid, one.contact_channel_address, one.status, _time(one.date_created), _time(one.date_updated)]
            for one in found
        ]
        _print(("execution", "contact", "status", "created", "updated"), rows, "no executions")
    if more:
        say("there are more: --limit or --all shows them", "bright_black")
    return ExitCode.OK


@app.command(epilog=SHOW_EPILOG)
@reads_settings
async def show(session: options.Session, execution: ExecutionSid, json: options.Json = False) -> int:
    """Show one execution: contact, status, times."""
    sid = _checked(execution, "FN", "an execution")
    flow_sid = await _flow_of(session)
    async with session.studio() as studio:
        found = (await studio.execution(flow_sid, sid)).to_json()
    if json:
        print_json(found)
        return ExitCode.OK
    values = {name: value for name, value in found.items() if value not in ({}, [])}
    links = values.pop("links", {})
    print_pairs([(name, _plain(str(value))) for name, value in {**values, **links}.items()])
    return ExitCode.OK


@app.command(epilog=STEPS_EPILOG)
@reads_settings
async def steps(session: options.Session, execution: ExecutionSid, json: options.Json = False) -> int:
    """Show an execution's way through the widgets, in the order it went."""
    sid = _checked(execution, "FN", "an execution")
    flow_sid = await _flow_of(session)
    async with session.studio() as studio:
        found = [step async for step in studio.steps(flow_sid, sid)][::-1]
    if json:
        print_json([step.to_json() for step in found])
        return ExitCode.OK
    rows = [[_time(one.date_created), one.transitioned_from, one.name, one.transitioned_to, one.sid] for one in found]
    _print(("when", "from", "event", "to", "step"), rows, "no steps")
    return ExitCode.OK


@app.command(epilog=CONTEXT_EPILOG)
@reads_settings
async def context(
    session: options.Session,
    execution: ExecutionSid,
    step: Annotated[str | None, typer.Option("--step", metavar="STEP", help="As it was at this step, FT….")] = None,
    path: Annotated[str | None, typer.Option("--path", help="Only this part: widgets.ask.inbound.Body")] = None,
) -> int:
    """Print what an execution knows, as JSON: trigger, contact, flow.data, the widgets' results."""
    from dispatcher.settings import variable_path
    from dispatcher.tracking.context_values import look_up

    sid = _checked(execution, "FN", "an execution")
    step_sid = _checked(step, "FT", "a step") if step else None
    try:
        parts = variable_path(path) if path and "." in path else (path,) if path else ()
    except ValueError as error:
        fix = Option("path", "widgets.ask.inbound.Body")
        raise UsageError(f"--path {error}", found=path, fix=fix) from None
    flow_sid = await _flow_of(session)
    async with session.studio() as studio:
        if step_sid:
            found = (await studio.step_context(flow_sid, sid, step_sid)).context
        else:
            found = (await studio.execution_context(flow_sid, sid)).context
    try:
        value = look_up(found, parts)
    except LookupError:
        whole = Command("executions context", (sid,), does="shows all of it")
        raise UsageError("the context has nothing there", found=path, fix=whole) from None
    print_line(_plain(dumps(value, ensure_ascii=False, indent=2)))
    return ExitCode.OK


async def _flow_of(session: options.Session) -> str:
    """Raises: SettingsError where no flow is set, or none has the name that is; what asking for it raises."""
    await session.find_flow()
    flow_sid = session.settings.campaign.flow
    if flow_sid is None:
        raise SettingsError("the flow is not set", fix=Setting("campaign.flow"))
    return flow_sid


def _checked(sid: str, prefix: str, what: str) -> str:
    """The SID, if it can be one: it becomes a part of an address. Raises: UsageError."""
    if not re.fullmatch(f"{prefix}[0-9a-fA-F]{{32}}", sid, re.ASCII):
        fix = Advice(f"{prefix} and 32 hex digits")
        raise UsageError(f"this is not the SID of {what}", found=sid[:40], fix=fix)
    return sid


def _time(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def _plain(text: str) -> str:
    """Without what could steer a terminal: these texts come from contacts."""
    return "".join(letter if letter.isprintable() or letter == "\n" else f"\\u{ord(letter):04x}" for letter in text)


def _print(header: tuple[str, ...], rows: list[list[str | None]], none: str) -> None:
    if not rows:
        say(none, "yellow")
        return
    print_rows(header, [[_plain(value or "") for value in row] for row in rows])
