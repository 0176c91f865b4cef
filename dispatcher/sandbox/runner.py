"""How executions go through their flows: computed from the record and the time when someone asks, never run.

A walk is a pure function of the execution, its definition and the seed, so a million executions cost no timer and no
memory beyond their records, and two who ask get the same answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from dispatcher.sandbox.contacts import Contact
from dispatcher.sandbox.dates import NEVER_US, to_us
from dispatcher.sandbox.executions import Execution
from dispatcher.sandbox.settings import SandboxSettings
from dispatcher.sandbox.widgets import Widget, visit, widgets_of

STEPS_MAX = 1000  #: of one execution, else Studio ends it with 81000 (twilio.com/docs/studio/user-guide/studio-faq)
VISITS_MAX = 10  #: of one widget in one execution, else 81001 (the same page)
ENDED = "Ended"
_START = "incomingRequest"  #: the event of an execution that was created over the API
_CIRCLE_US = 1  #: a flow that goes in circles without waiting takes time all the same


@dataclass(frozen=True, slots=True)
class Step:
    """One transition: out of `transitioned_from`, by the event `name`, into `transitioned_to`.

    `context` is the one it was made with; `entered` has what the next widget did on its entry, and so is the
    execution's own context until the next step.
    """

    index: int
    name: str
    transitioned_from: str
    transitioned_to: str
    type: str
    at_us: int
    context: Mapping[str, Any]
    entered: Mapping[str, Any]


class FlowRunner:
    """Says for any execution which steps it has taken by some time, and when it ends."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self._programs = {
            (flow.sid, revision.revision): (revision.definition["initial_state"], widgets_of(revision.definition))
            for flow in settings.flows
            for revision in flow.revisions
        }

    def end_us(self, execution: Execution, sid: str) -> int:
        """When the execution ends by itself; NEVER_US if it does not."""
        initial, widgets = self._program(execution)
        if execution.is_of_a_draft or widgets[initial].follow(_START) is None:
            return execution.created_us
        if execution.flow.walks:
            return max(step.at_us for step in self._walk(execution, sid))
        after_s = self.settings.ends_after_s
        return NEVER_US if after_s is None else execution.created_us + to_us(after_s)

    def steps(self, execution: Execution, sid: str, now_us: int) -> list[Step]:
        """The steps taken by now, oldest first: at least the one out of the trigger."""
        until_us = min(now_us, execution.ends_us)
        walk = self._walk if execution.flow.walks and not execution.planted else self._stand
        taken: list[Step] = []
        for step in walk(execution, sid):
            if taken and step.at_us > until_us:
                break
            taken.append(step)
        return taken

    def _program(self, execution: Execution) -> tuple[str, Mapping[str, Widget]]:
        return self._programs[(execution.flow.sid, execution.revision.revision)]

    def _stand(self, execution: Execution, sid: str) -> Iterator[Step]:
        """Without a walk: into the first widget, and out of it when the execution ends."""
        context = first_context(execution, sid)
        initial, widgets = self._program(execution)
        trigger = widgets[initial]
        first = None if execution.is_of_a_draft else trigger.follow(_START)
        yield Step(0, _START, initial, first or ENDED, trigger.type, execution.created_us, context, context)
        if first is not None and execution.ends_us < NEVER_US:
            transitions = widgets[first].transitions
            event = transitions[0].event if transitions else "next"
            yield Step(1, event, first, ENDED, widgets[first].type, execution.ends_us, context, context)

    def _walk(self, execution: Execution, sid: str) -> Iterator[Step]:
        """Every step that the execution takes if nobody ends it; the last leads to `Ended`."""
        script = self.settings.contacts
        contact = Contact(script, self.settings.seed, execution.to)
        initial, widgets = self._program(execution)
        widget, event, at_us = widgets[initial], _START, execution.created_us
        next_name = None if execution.is_of_a_draft else widget.follow(event)
        context: Mapping[str, Any] = first_context(execution, sid)
        visits: dict[str, int] = {}
        for index in range(STEPS_MAX):
            following = widgets[next_name] if next_name is not None and index < STEPS_MAX - 1 else None
            if following is not None:
                visits[following.name] = visits.get(following.name, 0) + 1
            if following is None or visits[following.name] > VISITS_MAX:
                yield Step(index, event, widget.name, ENDED, widget.type, at_us, context, context)
                return
            stay = visit(
                following,
                context,
                contact,
                number=visits[following.name],
                widget_s=script.widget_s,
                execution_sid=sid,
            )
            yield Step(index, event, widget.name, following.name, widget.type, at_us, context, stay.entered)
            widget, event, next_name, context = following, stay.event, stay.next, stay.left
            at_us += max(_CIRCLE_US, to_us(stay.seconds / script.speed))


def parameters_of(execution: Execution) -> Any:
    """Parameters as the flow sees them; whatever was let through that is not JSON stays the text it was."""
    if not execution.parameters:
        return {}
    try:
        return orjson.loads(execution.parameters)
    except orjson.JSONDecodeError:
        return execution.parameters


def first_context(execution: Execution, sid: str) -> dict[str, Any]:
    """The context at the start: the shape of recorded answers, with Parameters in both of their places."""
    parameters = parameters_of(execution)
    trigger: dict[str, Any] = {"request": {"to": execution.to, "from": execution.sender, "parameters": parameters}}
    if execution.began_by is not None:
        # The contact wrote or called: From is the contact's.
        kind, name = ("call", "CallSid") if execution.began_by.startswith("CA") else ("message", "MessageSid")
        trigger = {kind: {name: execution.began_by, "From": execution.to, "To": execution.sender}}
    return {
        "trigger": trigger,
        "contact": {"channel": {"address": execution.to}},
        "flow": {
            "sid": sid,
            "flow_sid": execution.flow.sid,
            "channel": {"address": execution.sender},
            "data": parameters,
            "variables": {},
        },
        "widgets": {},
    }
