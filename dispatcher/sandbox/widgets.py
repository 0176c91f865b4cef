"""What each kind of widget does to an execution's context, and by which event the execution leaves it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dispatcher.sandbox.contacts import DELIVERY_ERRORS, Contact
from dispatcher.sandbox.liquid import render
from dispatcher.sandbox.sids import derived_sid

_TIMEOUT_S = 3600.0  #: of a wait without one that can be read; what Studio's editor sets


@dataclass(frozen=True, slots=True)
class Transition:
    event: str
    next: str | None
    conditions: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Widget:
    """One state of a definition."""

    name: str
    type: str
    properties: Mapping[str, Any]
    transitions: Sequence[Transition]

    def follow(self, event: str) -> str | None:
        """The widget that an event leads to; None: the flow ends there."""
        return next((one.next for one in self.transitions if one.event == event), None)


@dataclass(frozen=True, slots=True)
class Visit:
    """One stay in a widget, `seconds` of flow time long. `next`: where its event leads; None: the flow ends there.

    `entered` and `left`: the execution's context just after the entry, and when the widget is left.
    """

    entered: Mapping[str, Any]
    left: Mapping[str, Any]
    event: str
    next: str | None
    seconds: float


def widgets_of(definition: Mapping[str, Any]) -> dict[str, Widget]:
    """The states of a checked definition by name."""
    return {
        state["name"]: Widget(
            state["name"],
            state["type"],
            state.get("properties", {}),
            [
                Transition(one["event"], one.get("next"), one.get("conditions") or ())
                for one in state.get("transitions", [])
            ],
        )
        for state in definition["states"]
    }


def visit(
    widget: Widget, context: Mapping[str, Any], contact: Contact, *, number: int, widget_s: float, execution_sid: str
) -> Visit:
    """What happens in a widget that is entered with that context, for the `number`-th time (from 1)."""
    match widget.type:
        case "send-message" | "send-and-wait-for-reply":
            return _message(widget, context, contact, number, widget_s, execution_sid)
        case "split-based-on":
            after = _with_widget(context, widget.name, {})
            event, following = _split(widget, context)
            return Visit(after, after, event, following, widget_s)
        case "set-variables":
            variables = dict(context["flow"]["variables"])
            for one in widget.properties.get("variables") or ():
                variables[str(one.get("key"))] = render(one.get("value"), context)
            after = {**context, "flow": {**context["flow"], "variables": variables}}
            return Visit(context, after, "next", widget.follow("next"), widget_s)
        case _:
            # Studio's editor writes the way on first (success, completed, answered, …).
            after = _with_widget(context, widget.name, {})
            first = widget.transitions[0] if widget.transitions else Transition("next", None, ())
            return Visit(after, after, first.event, first.next, widget_s)


def _message(
    widget: Widget, context: Mapping[str, Any], contact: Contact, number: int, widget_s: float, execution_sid: str
) -> Visit:
    to, sender = context["contact"]["channel"]["address"], context["flow"]["channel"]["address"]
    sid = derived_sid("SM", execution_sid, widget.name, number)
    outbound = {
        "Sid": sid,
        "To": to,
        ("MessagingServiceSid" if sender.startswith("MG") else "From"): sender,
        "Body": render(widget.properties.get("body"), context),
        "Status": "accepted",
        "Direction": "outbound-api",
        "ApiVersion": "2010-04-01",
    }
    waits = widget.type == "send-and-wait-for-reply"
    result: dict[str, Any] = {"outbound": outbound, "MessageSid": sid, "SmsSid": sid}
    entered = _with_widget(context, widget.name, result)
    error = contact.delivery_error()
    if error is not None:
        status, text = DELIVERY_ERRORS[error]
        result = result | {
            "SmsStatus": status,
            "MessageStatus": status,
            "ErrorCode": str(error),
            "ErrorMessage": text,
        }
        event = "deliveryFailure" if waits else "failed"
        return Visit(entered, _with_widget(context, widget.name, result), event, widget.follow(event), widget_s)
    result = result | {"SmsStatus": "delivered", "MessageStatus": "delivered"}
    if not waits:
        return Visit(entered, _with_widget(context, widget.name, result), "sent", widget.follow("sent"), widget_s)
    timeout_s = _timeout_s(widget.properties.get("timeout"), context)
    reply = contact.reply(widget.name, number)
    if reply is None or reply[1] >= timeout_s:
        left = _with_widget(context, widget.name, result)
        return Visit(entered, left, "timeout", widget.follow("timeout"), timeout_s)
    inbound_sid = derived_sid("SM", execution_sid, widget.name, number, "reply")
    inbound = {
        "MessageSid": inbound_sid,
        "SmsSid": inbound_sid,
        "SmsStatus": "received",
        "Body": reply[0],
        "From": to,
        "To": sender,
        "NumMedia": "0",
        "NumSegments": "1",
        "ApiVersion": "2010-04-01",
    }
    left = _with_widget(context, widget.name, result | {"inbound": inbound})
    return Visit(entered, left, "incomingMessage", widget.follow("incomingMessage"), reply[1])


def _timeout_s(text: Any, context: Mapping[str, Any]) -> float:
    try:
        seconds = float(render(text, context))
    except ValueError:
        return _TIMEOUT_S
    return seconds if 0 <= seconds < float("inf") else _TIMEOUT_S


def _split(widget: Widget, context: Mapping[str, Any]) -> tuple[str, str | None]:
    for transition in widget.transitions:
        if transition.conditions and all(_holds(one, widget, context) for one in transition.conditions):
            return transition.event, transition.next
    return "noMatch", widget.follow("noMatch")


def _holds(condition: Mapping[str, Any], widget: Widget, context: Mapping[str, Any]) -> bool:
    """One condition of a split, compared without regard to case and to blanks around it, except by `regex`."""
    arguments = condition.get("arguments") or [widget.properties.get("input")]
    given, wanted = render(arguments[0], context), render(condition.get("value"), context)
    text, value = given.strip().casefold(), wanted.strip().casefold()
    several = {one.strip() for one in value.split(",")}
    kind = str(condition.get("type"))
    match kind:
        case "equal_to" | "not_equal_to":
            holds = text == value
        case "matches_any_of" | "does_not_match_any_of":
            holds = text in several
        case "contains" | "does_not_contain":
            holds = value in text
        case "starts_with" | "does_not_start_with":
            holds = text.startswith(value)
        case "is_blank" | "is_not_blank":
            return (text == "") == (kind == "is_blank")
        case "less_than" | "greater_than":
            try:
                return float(text) < float(value) if kind == "less_than" else float(text) > float(value)
            except ValueError:
                return False
        case "regex":
            try:
                return re.search(wanted, given) is not None
            except re.error:
                return False
        case _:
            return False
    return holds != ("not" in kind)


def _with_widget(context: Mapping[str, Any], name: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """The context with one widget's result in it. Contexts are shared between steps, so none is ever changed."""
    return {**context, "widgets": {**context["widgets"], name: result}}
