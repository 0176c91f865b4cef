"""Before anything is sent: can this flow do what the campaign wants of it? `findings` is pure, `look` asks Studio.

An error stops the run (PreflightFailed), a warning is shown, a note is told for completeness.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from dispatcher.errors import FlowNotFound, PermissionRefused, PreflightFailed, ResourceNotFound
from dispatcher.remedies import Advice, AnyOf, InTurn, Option, Remedy, Setting
from dispatcher.studio.definition import REST_EVENT, Definition, ParameterUses, parameter_uses, read_definition
from dispatcher.studio.outcomes import NO_SUCH_FLOW
from dispatcher.studio.resources import Flow

if TYPE_CHECKING:
    from dispatcher.studio.client import Studio

SHOWN_MAX = 8

#: Widgets that speak on a call (twilio.com/docs/studio/widget-library); new versions keep the beginning of the name.
_VOICE = (
    "make-outgoing-call",
    "say-play",
    "gather-input-on-call",
    "connect-call-to",
    "record-voicemail",
    "record-call",
    "enqueue-call",
    "capture-payments",
    "fork-stream",
    "connect-virtual-agent",
)
_WAITS_FOR_REPLY = "send-and-wait-for-reply"
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}", re.ASCII)
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{3,8}", re.ASCII)
_OTHER_ADDRESS = re.compile(r"(whatsapp|client|sip|messenger|rcs):.+|[^@\s]+@[^@\s]+", re.IGNORECASE)


class Severity(StrEnum):
    """What a finding does to a run."""

    error = "error"
    warning = "warning"
    note = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found. `code` is for scripts, `message` and `fix` are for people."""

    severity: Severity
    code: str
    message: str
    fix: Remedy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFlow:
    """What Studio says about a flow. `published` is the revision that executions run; v1 does not show it."""

    flow: Flow
    api_version: str
    published: Flow | None


async def look(studio: Studio, flow_sid: str) -> SeenFlow:
    """Ask for the flow and its published revision: two reads on v2, one on v1. Nothing is sent.

    Raises: AuthenticationError, FlowNotFound, StudioError.
    """
    try:
        flow = await studio.flow(flow_sid)
    except ResourceNotFound as error:
        raise FlowNotFound(found=error.found, fix=NO_SUCH_FLOW) from None
    except PermissionRefused as error:
        raise PermissionRefused(
            "the credentials may not read the flow, so it cannot be checked",
            found=error.found,
            fix=AnyOf(Advice("use a key that may read Studio flows"), Option("no-preflight")),
        ) from None
    published: Flow | None = None
    if studio.api_version != "v1":
        try:
            published = await studio.flow_revision(flow_sid, "LatestPublished")
        except ResourceNotFound:
            published = None
    return SeenFlow(flow=flow, api_version=studio.api_version, published=published)


def findings(
    seen: SeenFlow, *, parameters: Collection[str], sender: str | None, id_parameter: str = ""
) -> list[Finding]:
    """Everything that is wrong, questionable or worth knowing; errors first.

    `parameters`: the names that rows send, `id_parameter` not among them. `sender`: the campaign's From; None where
    each row brings its own.
    """
    found: list[Finding] = list(_published(seen))
    definition: Definition | None = None
    if seen.published is not None:
        definition = read_definition(seen.published.definition)
        found += _readable(definition)
        if definition.widgets:
            found += _started(definition)
            found += _used(parameter_uses(definition), [name for name in parameters if name != id_parameter])
            found += _subflows(definition)
    elif seen.api_version == "v1":
        found.append(
            _note("v1", "v1 of the API does not show a flow's definition, so Parameters and widgets were not checked")
        )
    if sender is not None:
        found += _sent_from(sender, definition)
    order = list(Severity)
    return sorted(found, key=lambda one: order.index(one.severity))


def refuse(found: Sequence[Finding]) -> None:
    """Raise PreflightFailed where one of the findings is an error."""
    errors = [one for one in found if one.severity is Severity.error]
    if errors:
        raise PreflightFailed(
            "the flow cannot do what this campaign wants of it",
            found="; ".join(one.message for one in errors),
            fix=AnyOf(errors[0].fix or Advice("correct the flow"), Option("no-preflight")),
        )


def _published(seen: SeenFlow) -> Iterator[Finding]:
    flow = seen.flow
    name = f"flow {flow.friendly_name!r}" if flow.friendly_name else "the flow"
    never = Finding(
        severity=Severity.error,
        code="unpublished",
        message=f"{name} has never been published: Studio has nothing to run",
        fix=Advice("open the flow in Studio and press Publish"),
    )
    if seen.api_version == "v1":
        if flow.status == "draft" and (flow.version or 0) <= 1:
            yield never
        elif flow.status == "draft":
            yield Finding(
                severity=Severity.warning,
                code="draft",
                message=f"{name}'s latest version is a draft; v1 does not tell whether an earlier one is published",
                fix=AnyOf(Advice("publish the flow"), Setting("account.api_version", "v2")),
            )
    elif seen.published is None:
        yield never
    elif flow.status == "draft":
        yield Finding(
            severity=Severity.warning,
            code="draft",
            message=f"{name} has a draft, revision {flow.revision}, that is not published;"
            f" executions run revision {seen.published.revision}",
            fix=Advice("publish the draft if its changes are meant for this campaign"),
        )


def _readable(definition: Definition) -> Iterator[Finding]:
    for problem in definition.problems:
        yield Finding(
            severity=Severity.warning,
            code="definition",
            message=f"the flow's definition could not be read whole, so not all of it was checked: {problem}",
        )


def _started(definition: Definition) -> Iterator[Finding]:
    if definition.first is None:
        yield Finding(
            severity=Severity.error,
            code="no_rest_trigger",
            message="the flow's trigger leads nowhere for executions that are started over the REST API"
            f" ({REST_EVENT}): each would end at once",
            fix=Advice("connect the trigger's REST API exit to the first widget, and publish"),
        )


def _used(uses: ParameterUses, sent: Sequence[str]) -> Iterator[Finding]:
    unused = [name for name in sent if name not in uses.named]
    for name, use in uses.named.items():
        if name in sent:
            if use.parts:
                yield Finding(
                    severity=Severity.warning,
                    code="part_of_text",
                    message=f"the flow looks for a part of flow.data.{name} in {_list(use.parts)}; Parameters are texts"
                    " and have no parts, so it is blank",
                    fix=Advice(f"use {{{{flow.data.{name}}}}}, or a column for each part"),
                )
            continue
        blank = use.without_default or use.widgets
        yield Finding(
            severity=Severity.error if use.without_default else Severity.warning,
            code="missing_parameter",
            message=f"the flow uses flow.data.{name} in {_list(blank)}, and nothing sends it: "
            + ("it would be blank" if use.without_default else "its default would stand there"),
            fix=_supply(name, unused, [other for other in sent if other in uses.named]),
        )
    if uses.dynamic:
        yield _note(
            "dynamic",
            f"which Parameters {_list(uses.dynamic)} uses shows only when it runs, so none can be called unused",
        )
    elif unused:
        them = "them" if len(unused) > 1 else "it"
        yield _note("unused_parameter", f"the flow never uses {_list(unused)}, and the rows send {them}")


def _subflows(definition: Definition) -> Iterator[Finding]:
    widgets = [widget.name for widget in definition.widgets.values() if widget.type == "run-subflow"]
    if widgets:
        yield _note("subflow", f"the flows that {_list(widgets)} runs were not checked")


def _supply(name: str, unused: Sequence[str], used: Sequence[str]) -> Remedy:
    """`unused`: what is sent and the flow does not ask for; `used`: what it does, and gets."""
    near = [other for other in unused if _plain(other) == _plain(name)]
    near = near or [other for other in unused if _words(other) and _words(other) <= _words(name)]
    near = near or difflib.get_close_matches(name, unused, n=1, cutoff=0.75)
    if near:
        mapped = ((name, near[0]), *((other, other) for other in used))
        return AnyOf(Setting("columns.parameters", mapped), Advice(f"rename the column {near[0]!r} to {name!r}"))
    return AnyOf(Advice(f"add a column {name!r}"), Setting(f"columns.constants.{name}", "…"))


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()


def _words(text: str) -> set[str]:
    """The words of a name: FirstName, first_name and "first name" have the same."""
    return {word.casefold() for word in re.findall(r"[^\W\d_]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", text))}


def _sent_from(sender: str, definition: Definition | None) -> Iterator[Finding]:
    widgets = definition.widgets.values() if definition else ()
    waits = any(widget.type == _WAITS_FOR_REPLY for widget in widgets)
    # Without a reply to lose it is only worth knowing.
    severity = Severity.warning if waits or definition is None else Severity.note
    if _SERVICE.fullmatch(sender):
        voice = [widget.name for widget in widgets if widget.type.startswith(_VOICE)]
        if voice:
            yield Finding(
                severity=Severity.warning,
                code="service_calls",
                message=f"From is a Messaging Service, which cannot call, and the flow has voice widgets:"
                f" {_list(voice)}",
                fix=Setting("campaign.from", "+1…"),
            )
        yield Finding(
            severity=severity,
            code="replies",
            message="replies reach these executions only where the Messaging Service hands incoming messages to this"
            " flow",
            fix=Advice("in the Messaging Service's Integration, or for each of its numbers, name this flow"),
        )
    elif _NUMBER.fullmatch(sender):
        yield Finding(
            severity=severity,
            code="replies",
            message=f"replies reach these executions only where {sender} is configured for this flow; and if the number"
            " is in a Messaging Service, they start executions of their own",
            fix=AnyOf(
                Advice("in the number's configuration let incoming messages go to this flow"),
                InTurn(Advice("for a number in a Messaging Service"), Setting("campaign.from", "MG…")),
            ),
        )
    elif not _OTHER_ADDRESS.fullmatch(sender):
        yield Finding(
            severity=Severity.warning,
            code="sender",
            message=f"From is neither a number nor a Messaging Service: {sender[:20]}",
            fix=Setting("campaign.from", "+1…"),
        )


def _note(code: str, message: str) -> Finding:
    return Finding(severity=Severity.note, code=code, message=message)


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(name if len(name) <= 60 else f"{name[:60]}…" for name in names[:SHOWN_MAX])
    return f"{shown} and {len(names) - SHOWN_MAX} more" if len(names) > SHOWN_MAX else shown
