"""The texts that a contact gets of a flow, rendered from its definition with a row's values. Pure.

A flow is followed from its trigger through all that is decided without the contact: messages count as sent, splits on
known values are decided, functions and requests are assumed to succeed. Where the contact decides, what may follow is
given apart. Values that only the running flow knows stand in the texts as `{{widgets.x.y}}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from dispatcher.studio.definition import Definition, Transition, Widget
from dispatcher.studio.liquid import Liquid, Rendered, Steps, Text
from dispatcher.studio.segments import Size, size_of
from dispatcher.studio.splits import Undecided, arguments, decide

#: Of one execution, else Studio ends it with 81000; of one widget, else 81001 (studio/user-guide/studio-faq).
STEPS_MAX = 1_000
VISITS_MAX = 10
#: So many compiled texts are kept.
_COMPILED_MAX = 10_000

_WAITS = "send-and-wait-for-reply"
_MESSAGES = ("send-message", _WAITS)
_SPLIT = "split-based-on"
_VARIABLES = "set-variables"
_SUBFLOW = "run-subflow"
#: What goes on without the contact, if it succeeds.
_SERVERS = ("run-function", "make-http-request", _SUBFLOW)
_SUCCESS = ("success", "completed")
#: What a contact is to hear instead.
_CALLS = ("make-outgoing-call", "say-play", "gather-input-on-call")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowValues:
    """What the flow knows of a row."""

    #: The Parameters.
    data: Mapping[str, str]
    to: str
    sender: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewedText:
    """One text, as it would be sent."""

    widget: str
    text: str
    #: It is sent whatever the contact answers; otherwise it may be.
    is_expected: bool
    #: Variables without a value that leave a gap in it.
    blanks: tuple[str, ...] = ()
    #: What stands in it as it is, since only the running flow knows it.
    later: tuple[str, ...] = ()
    #: Why it could not be rendered, and is shown as it stands in the flow; empty: it was.
    reason: str = ""
    #: Without what is known later: it may be longer then. None: it is no SMS, or could not be rendered.
    size: Size | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowTexts:
    """What a contact gets."""

    #: In the order in which they are sent, as far as there is one.
    texts: tuple[PreviewedText, ...]
    #: The widget at which the contact, or what is not known, decides how it goes on; empty: none does.
    decided_at: str = ""
    #: Functions, requests and subflows that are assumed to succeed.
    assumed: tuple[str, ...] = ()
    #: What is not shown, and why: sentences.
    notes: tuple[str, ...] = ()
    #: Its address is a telephone number: texts are counted in segments.
    is_sms: bool = True

    @property
    def expected(self) -> Iterator[PreviewedText]:
        """The texts that are sent whatever the contact answers."""
        return (text for text in self.texts if text.is_expected)


class FlowTexts:
    """The texts of a definition, ready to be rendered for any number of rows, by one thread at a time."""

    def __init__(self, definition: Definition, *, flow_sid: str = "", id_parameter: str = "") -> None:
        """`id_parameter`: the Parameter that holds a row's id, which is made when the row is sent."""
        self._definition = definition
        self._flow_sid = flow_sid
        self._id_parameter = id_parameter
        self._liquid = Liquid()
        self._compiled: dict[tuple[str, frozenset[str]], Text] = {}
        self._set_after: dict[str, frozenset[str]] = {}
        #: What can be reached from a widget, where that is the same for all rows.
        self._following: dict[tuple[str, frozenset[str] | None], tuple[Widget, ...]] = {}

    @property
    def has_messages(self) -> bool:
        """Whether any of its widgets sends a text."""
        return any(widget.type in _MESSAGES for widget in self._definition.widgets.values())

    @property
    def calls(self) -> bool:
        """Whether it speaks to the contact on a call."""
        return any(widget.type.startswith(_CALLS) for widget in self._definition.widgets.values())

    def of(self, row: RowValues) -> RowTexts:
        """What the row's contact gets."""
        return _Walk(self, row).walk()

    def compiled(self, source: object, later_variables: frozenset[str]) -> Text:
        """A property of a widget, ready to be rendered; what is no text is written as one."""
        text = source if isinstance(source, str) else "" if source is None else orjson.dumps(source).decode()
        found = self._compiled.get((text, later_variables))
        if found is None:
            found = self._liquid.compile(text, lambda steps: self._is_later(steps, later_variables))
            if len(self._compiled) >= _COMPILED_MAX:
                self._compiled.clear()
            self._compiled[(text, later_variables)] = found
        return found

    def following(
        self,
        start: Widget,
        split: Callable[[Widget], Transition | None] | None = None,
        later_variables: frozenset[str] | None = None,
    ) -> tuple[Widget, ...]:
        """What can be reached from a widget, the nearest first, by all exits or by those that `split` takes."""
        key = (start.name, later_variables)
        if (known := self._following.get(key)) is not None:
            return known
        widgets, found, waiting = self._definition.widgets, dict[str, Widget](), [start]
        is_same_for_all = True
        while waiting:
            widget = waiting.pop(0)
            exits = widget.transitions
            if split is not None and later_variables is not None and widget.type == _SPLIT and widget is not start:
                is_same_for_all &= self._is_open(widget, later_variables)
                decision = split(widget)
                exits = (decision,) if decision is not None else exits
            for following in (widgets.get(exit_.next or "") for exit_ in exits):
                if following is not None and following.name not in found:
                    found[following.name] = following
                    waiting.append(following)
        result = tuple(found.values())
        if is_same_for_all:
            self._following[key] = result
        return result

    def set_after(self, start: Widget) -> frozenset[str]:
        """The variables that are set anywhere behind a widget."""
        if start.name not in self._set_after:
            keys = (key for widget in self.following(start) for key, _ in _variables(widget))
            self._set_after[start.name] = frozenset(keys)
        return self._set_after[start.name]

    def _is_open(self, widget: Widget, later_variables: frozenset[str]) -> bool:
        """Whether all that a split asks is known only later, and so whatever a row's values are."""
        asked = [argument for exit_ in widget.transitions for argument in arguments(widget, exit_)]
        return all(self.compiled(argument, later_variables).later for argument in asked)

    def _is_later(self, steps: Steps, later_variables: frozenset[str]) -> bool:
        """Whether a variable is known only when the flow runs, or is an object as a whole."""
        match steps:
            case ("flow", "data", name, *_) | ("trigger", "request", "parameters", name, *_):
                return bool(self._id_parameter) and name == self._id_parameter
            case ("flow", "variables", name, *_):
                return name is None or name in later_variables
            case ("flow" | "contact", "channel", "address", *_) | ("flow", "flow_sid", *_):
                return False
            case ("trigger", "request", "to" | "from", *_):
                return False
            case ("trigger", "message" | "call" | "conversation" | "parent", *_):
                return False  # an execution that is started over the API has none
            case (head, *_):
                return head in ("widgets", "flow", "contact", "trigger")
        return False

    def context(self, row: RowValues, variables: Mapping[str, str]) -> dict[str, object]:
        """The execution's context as its first widget finds it."""
        return {
            "trigger": {"request": {"to": row.to, "from": row.sender, "parameters": row.data}},
            "contact": {"channel": {"address": row.to}},
            "flow": {
                "flow_sid": self._flow_sid,
                "channel": {"address": row.sender},
                "data": row.data,
                "variables": variables,
            },
        }

    @property
    def definition(self) -> Definition:
        """What it is of."""
        return self._definition


@dataclass(slots=True)
class _Walk:
    """One row's way through the flow."""

    flow: FlowTexts
    row: RowValues
    texts: list[PreviewedText] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    later: set[str] = field(default_factory=set)
    frozen: frozenset[str] = frozenset()
    context: dict[str, object] = field(default_factory=dict)

    def walk(self) -> RowTexts:
        self._changed()
        widgets = self.flow.definition.widgets
        widget, visits, decided_at = self.flow.definition.first, dict[str, int](), ""
        for _ in range(STEPS_MAX - 1):
            if widget is None:
                break
            visits[widget.name] = visits.get(widget.name, 0) + 1
            if visits[widget.name] > VISITS_MAX:
                self.notes.append(f"{widget.name} is visited more than {VISITS_MAX} times: Studio ends the flow there")
                break
            exit_ = self._through(widget)
            if exit_ is None:
                decided_at = widget.name
                self._possible(widget)
                break
            widget = widgets.get(exit_.next or "")
        return RowTexts(
            texts=tuple(self.texts),
            decided_at=decided_at,
            assumed=tuple(dict.fromkeys(self.assumed)),
            notes=tuple(dict.fromkeys(self.notes)),
            is_sms=self._is_sms,
        )

    @property
    def _is_sms(self) -> bool:
        return self.row.to.startswith("+")

    def _through(self, widget: Widget) -> Transition | None:
        """Do what a widget does; the exit that is taken, or None where that is not known."""
        if widget.type in _MESSAGES:
            self.texts.append(self._text(widget, is_expected=True))
            return None if widget.type == _WAITS else _exit(widget, "sent")
        if widget.type == _SPLIT:
            return self._split(widget)
        if widget.type == _VARIABLES:
            for key, value in _variables(widget):
                rendered = self._rendered(value)
                self.later.discard(key)
                if rendered is None or rendered.reason:
                    self.variables.pop(key, None)
                    self.later.add(key)
                else:
                    self.variables[key] = rendered.text
            self._changed()
            return _exit(widget, "next")
        if widget.type.startswith(_SERVERS):
            self.assumed.append(widget.name)
            if widget.type == _SUBFLOW:
                self.notes.append(f"the texts of the flow that {widget.name} runs are not shown")
            return next((exit_ for exit_ in widget.transitions if exit_.event in _SUCCESS), _exit(widget, ""))
        return None

    def _split(self, widget: Widget) -> Transition | None:
        decision = decide(widget, self._rendered)
        if isinstance(decision, Undecided):
            if decision.reason:
                self.notes.append(f"which way {widget.name} goes is not known: {decision.reason}")
            return None
        return decision

    def _possible(self, start: Widget) -> None:
        """The texts that may follow, whatever the contact answers."""
        # What is set on any of these ways may be set or not.
        if keys := self.flow.set_after(start):
            self.later.update(keys)
            self._changed()
        sent = {text.widget for text in self.texts}
        for widget in self.flow.following(start, self._split, self.frozen):
            if widget.type in _MESSAGES and widget.name not in sent:
                self.texts.append(self._text(widget, is_expected=False))
            if widget.type == _SUBFLOW:
                self.notes.append(f"the texts of the flow that {widget.name} runs are not shown")

    def _text(self, widget: Widget, *, is_expected: bool) -> PreviewedText:
        body = widget.properties.get("body")
        if body in (None, "") and (content := _content(widget)):
            return PreviewedText(
                widget=widget.name,
                text=content,
                is_expected=is_expected,
                reason="it is a content template, whose text is not in the flow",
            )
        compiled = self.flow.compiled(body, self.frozen)
        rendered = compiled.render(self.context)
        measured = rendered
        if compiled.later and not rendered.reason:
            measured = compiled.render(self.context, show_later=False)
        return PreviewedText(
            widget=widget.name,
            text=rendered.text,
            is_expected=is_expected,
            blanks=rendered.blanks,
            later=compiled.later,
            reason=rendered.reason,
            size=size_of(measured.text) if self._is_sms and not rendered.reason else None,
        )

    def _rendered(self, source: object) -> Rendered | None:
        """A property with the row's values; None: it is known only later."""
        compiled = self.flow.compiled(source, self.frozen)
        return None if compiled.later else compiled.render(self.context)

    def _changed(self) -> None:
        self.frozen = frozenset(self.later)
        self.context = self.flow.context(self.row, self.variables)


def _exit(widget: Widget, event: str) -> Transition:
    """The exit of that name, or without one the first; leading nowhere where there is none."""
    if not event:
        return next(iter(widget.transitions), Transition(event, None))
    return next((exit_ for exit_ in widget.transitions if exit_.event == event), Transition(event, None))


def _variables(widget: Widget) -> Iterator[tuple[str, Any]]:
    found = widget.properties.get("variables") if widget.type == _VARIABLES else None
    for one in found if isinstance(found, list) else ():
        if isinstance(one, Mapping):
            yield str(one.get("key")), one.get("value")


def _content(widget: Widget) -> str:
    names = ("content_sid", "content_template_sid", "contentSid")
    return next((str(widget.properties[name]) for name in names if widget.properties.get(name)), "")
