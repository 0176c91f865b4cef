"""`executions`: Studio is asked, nothing is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from rich.text import Text

from dispatcher.campaign import studio_client
from dispatcher.cli.options import Asked
from dispatcher.cli.render.terminal import out, pairs, print_json, say, table
from dispatcher.cli.session import Session
from dispatcher.errors import ExitCode, SettingsError, UsageError
from dispatcher.remedies import Advice, Command, Option, Setting
from dispatcher.settings import variable_path
from dispatcher.studio.client import Studio
from dispatcher.studio.resources import Execution, Step
from dispatcher.tracking.context_values import look_up

T = TypeVar("T")

PAGE_MAX = 1000
_WHOLE = ("execution", "step", "when", "created", "updated")


def list_(
    asked: Asked,
    *,
    since: datetime | None,
    until: datetime | None,
    status: Literal["active", "ended"] | None,
    most: int | None,
    as_json: bool,
) -> ExitCode:
    """The newest, at most so many; None: all. Raises: AuthenticationError, SettingsError, StudioError."""

    async def ask(studio: Studio, flow_sid: str) -> tuple[list[Execution], bool]:
        found: list[Execution] = []
        executions = studio.executions(
            flow_sid,
            created_from=_utc(since),
            created_to=_utc(until),
            status=status,
            page_size=PAGE_MAX if most is None else min(most + 1, PAGE_MAX),
        )
        async for execution in executions:
            if status is not None and execution.status != status:
                continue  # v1 does not know the filter
            if len(found) == most:
                return found, True
            found.append(execution)
        return found, False

    found, more = _ask(asked, ask)
    if as_json:
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


def show(asked: Asked, execution: str, *, as_json: bool) -> ExitCode:
    """Raises: UsageError, AuthenticationError, SettingsError, StudioError."""
    sid = _checked(execution, "FN", "an execution")
    found = _ask(asked, lambda studio, flow_sid: studio.execution(flow_sid, sid))
    if as_json:
        print_json(found.to_json())
        return ExitCode.OK
    values = {name: value for name, value in found.to_json().items() if value not in ({}, [])}
    links = values.pop("links", {})
    out().print(pairs([(name, _plain(str(value))) for name, value in {**values, **links}.items()]))
    return ExitCode.OK


def steps(asked: Asked, execution: str, *, as_json: bool) -> ExitCode:
    """Raises: UsageError, AuthenticationError, SettingsError, StudioError."""
    sid = _checked(execution, "FN", "an execution")

    async def ask(studio: Studio, flow_sid: str) -> list[Step]:
        return [step async for step in studio.steps(flow_sid, sid)][::-1]

    found = _ask(asked, ask)
    if as_json:
        print_json([step.to_json() for step in found])
        return ExitCode.OK
    rows = [
        [_time(step.date_created), step.transitioned_from, step.name, step.transitioned_to, step.sid] for step in found
    ]
    _print(("when", "from", "event", "to", "step"), rows, "no steps")
    return ExitCode.OK


def context(asked: Asked, execution: str, *, step: str | None, path: str | None) -> ExitCode:
    """Raises: UsageError, AuthenticationError, SettingsError, StudioError."""
    sid = _checked(execution, "FN", "an execution")
    step_sid = _checked(step, "FT", "a step") if step else None
    try:
        parts = variable_path(path) if path and "." in path else (path,) if path else ()
    except ValueError as error:
        fix = Option("path", "widgets.ask.inbound.Body")
        raise UsageError(f"--path {error}", found=path, fix=fix) from None

    async def ask(studio: Studio, flow_sid: str) -> Any:
        if step_sid:
            return (await studio.step_context(flow_sid, sid, step_sid)).context
        return (await studio.execution_context(flow_sid, sid)).context

    found = _ask(asked, ask)
    try:
        value = look_up(found, parts)
    except LookupError:
        whole = Command("executions context", (sid,), does="shows all of it")
        raise UsageError("the context has nothing there", found=path, fix=whole) from None
    out().print(_plain(json.dumps(value, ensure_ascii=False, indent=2)), markup=False, soft_wrap=True)
    return ExitCode.OK


def _ask(asked: Asked, ask: Callable[[Studio, str], Coroutine[Any, Any, T]]) -> T:
    session = Session(asked)
    flow_sid = session.settings.campaign.flow
    if flow_sid is None:
        raise SettingsError("the flow is not set", fix=Setting("campaign.flow"))
    session.require_credentials()

    async def main() -> T:
        async with studio_client(session.settings, session.require_credentials()) as studio:
            return await ask(studio, flow_sid)

    return session.run(main)


def _checked(sid: str, prefix: str, what: str) -> str:
    """The SID, if it can be one: it becomes a part of an address. Raises: UsageError."""
    if not re.fullmatch(f"{prefix}[0-9a-fA-F]{{32}}", sid, re.ASCII):
        fix = Advice(f"{prefix} and 32 hex digits")
        raise UsageError(f"this is not the SID of {what}", found=sid[:40], fix=fix)
    return sid


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None else None


def _time(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def _plain(text: str) -> str:
    """Without what could steer a terminal: these texts come from contacts."""
    return "".join(letter if letter.isprintable() or letter == "\n" else f"\\u{ord(letter):04x}" for letter in text)


def _print(header: tuple[str, ...], rows: list[list[str | None]], none: str) -> None:
    if not rows:
        say(none, "yellow")
        return
    shown = table(*header, whole=_WHOLE)
    for row in rows:
        shown.add_row(*[Text(_plain(value or "")) for value in row])
    out().print(shown)
