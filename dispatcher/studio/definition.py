"""A flow's definition, read from outside: its widgets, where it starts, and which Parameters it uses where. Pure.

The definition is Studio's own JSON (`GET /v2/Flows/{Sid}/Revisions/…`, or Show JSON in the editor): `states`, each with
`name`, `type`, `properties` and `transitions`, and `initial_state`. What cannot be read of it is named and left out.
Liquid as in github.com/Shopify/liquid: `{{ output | filter }}` and `{% tag %}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

#: A flow may have 2,000 widgets (support.twilio.com, Twilio Studio Limitation); what is beyond is named, not read.
WIDGETS_MAX = 2_000
PROBLEMS_MAX = 5

#: The transition that a REST call takes out of the trigger.
REST_EVENT = "incomingRequest"


@dataclass(frozen=True, slots=True)
class Transition:
    """An exit of a widget. `next`: the widget it leads to; None: the flow ends there."""

    event: str
    next: str | None
    #: When a split takes it; all of them must hold. Empty: no condition is asked.
    conditions: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Widget:
    """One state of a definition."""

    name: str
    type: str
    properties: Mapping[str, Any]
    transitions: tuple[Transition, ...]
    #: All its texts, in properties and in the conditions of its transitions.
    texts: tuple[str, ...] = field(repr=False)
    #: What the conditions of its transitions compare with.
    compared: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Definition:
    """What could be read of a definition. `problems`: sentences about what could not."""

    trigger: Widget | None
    widgets: Mapping[str, Widget]
    problems: tuple[str, ...]

    @property
    def first(self) -> Widget | None:
        """The widget that an execution started over REST enters first; None: there is none, it ends at once."""
        if self.trigger is None:
            return None
        exits = (exit_.next for exit_ in self.trigger.transitions if exit_.event == REST_EVENT)
        return self.widgets.get(next(exits, None) or "")


@dataclass(slots=True)
class ParameterUse:
    """Where a flow uses a Parameter."""

    #: Widgets by name, in the definition's order.
    widgets: list[str] = field(default_factory=list)
    #: Widgets where nothing stands in for a missing value (no `default` filter).
    without_default: list[str] = field(default_factory=list)
    #: Widgets that look for a part of it (`flow.data.address.city`): Parameters are texts and have no parts.
    parts: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ParameterUses:
    """The Parameters that a definition uses, by name, in the order of their first use."""

    named: Mapping[str, ParameterUse]
    #: Widgets that use names known only when they run (`flow.data[x]`), or all Parameters at once (`flow.data | json`).
    dynamic: tuple[str, ...]


def read_definition(raw: object) -> Definition:
    """What can be read of a definition, whatever it is."""
    problems: list[str] = []
    widgets: dict[str, Widget] = {}
    if not isinstance(raw, Mapping):
        return Definition(None, widgets, (f"it is {_kind(raw)}, not an object",))
    states = raw.get("states")
    if not isinstance(states, list):
        return Definition(None, widgets, (f"its `states` are {_kind(states)}, not a list",))
    if len(states) > WIDGETS_MAX:
        problems.append(f"it has {len(states):,} widgets; only the first {WIDGETS_MAX:,} were looked at")
    for number, state in enumerate(states[:WIDGETS_MAX], start=1):
        if not isinstance(state, Mapping) or not isinstance(state.get("name"), str):
            problems.append(f"its state {number} has no name")
        elif state["name"] in widgets:
            problems.append(f"two of its widgets are named {_short(state['name'])}")
        else:
            widgets[state["name"]] = _widget(state)
    initial = raw.get("initial_state")
    trigger = widgets.get(initial) if isinstance(initial, str) else None
    if trigger is None:
        trigger = next((widget for widget in widgets.values() if widget.type == "trigger"), None)
    return Definition(trigger, widgets, tuple(problems[:PROBLEMS_MAX]))


def parameter_uses(definition: Definition) -> ParameterUses:
    """Every `flow.data.X`, `flow.data["X"]` and `trigger.request.parameters.X` in the texts of the widgets."""
    named: dict[str, ParameterUse] = {}
    dynamic: list[str] = []
    for widget in definition.widgets.values():
        for text in widget.texts:
            for found in _uses_in(text):
                if found.name is None:
                    _add(dynamic, widget.name)
                    continue
                use = named.setdefault(found.name, ParameterUse())
                _add(use.widgets, widget.name)
                if not found.has_default:
                    _add(use.without_default, widget.name)
                if found.has_part:
                    _add(use.parts, widget.name)
    return ParameterUses(named, tuple(dynamic))


def _add(names: list[str], name: str) -> None:
    if not names or names[-1] != name:  # widgets are gone through one after the other
        names.append(name)


def _widget(state: Mapping[str, Any]) -> Widget:
    properties = state.get("properties")
    exits = state.get("transitions")
    exits = [exit_ for exit_ in exits if isinstance(exit_, Mapping)] if isinstance(exits, list) else []
    return Widget(
        name=state["name"],
        type=str(state.get("type") or ""),
        properties=properties if isinstance(properties, Mapping) else {},
        transitions=tuple(
            Transition(str(exit_.get("event") or ""), _text_or_none(exit_.get("next")), tuple(_conditions(exit_)))
            for exit_ in exits
        ),
        texts=tuple(_texts([properties, [exit_.get("conditions") for exit_ in exits]])),
        compared=tuple(_compared(exits)),
    )


def _compared(exits: list[Mapping[str, Any]]) -> Iterator[str]:
    for exit_ in exits:
        for condition in _conditions(exit_):
            if isinstance(condition.get("value"), str):
                yield condition["value"]


def _conditions(exit_: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    conditions = exit_.get("conditions")
    for condition in conditions if isinstance(conditions, list) else ():
        if isinstance(condition, Mapping):
            yield condition


def _texts(value: object) -> Iterator[str]:
    """Every text in nested lists and objects that could hold an expression. Not by recursion: the depth is not ours."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if "{{" in item or "{%" in item:
                yield item
        elif isinstance(item, Mapping):
            waiting.extend(reversed(list(item.values())))
        elif isinstance(item, list):
            waiting.extend(reversed(item))


# --- Liquid ---


class _Use(NamedTuple):
    #: None: not known before the flow runs.
    name: str | None
    has_default: bool
    has_part: bool


class _Token(NamedTuple):
    kind: str
    text: str


#: The parts of a path: a name, or None for one that is computed.
_Path: TypeAlias = list[str | None]

_TOKEN = re.compile(
    r"""(?P<text>"[^"]*"|'[^']*') | (?P<name>[^\W\d][\w-]*\??) | (?P<number>\d+) | (?P<sign>\.\.|[.\[\]|:,=()<>!])""",
    re.VERBOSE,
)
_OPENING = re.compile(r"\{\{|\{%")
#: What a text is asked for beyond its characters; not a part of it.
_TEXT_PROPERTIES = frozenset({"size", "first", "last", "length"})
_ROOTS: tuple[tuple[str, ...], ...] = (("flow", "data"), ("trigger", "request", "parameters"))


def _uses_in(text: str) -> Iterator[_Use]:
    # `{% assign d = flow.data %}` gives a root another name, for the rest of the text.
    aliases: dict[str, tuple[str, ...]] = {}
    for is_tag, content in expressions(text):
        tokens = [_Token(found.lastgroup or "", found[0]) for found in _TOKEN.finditer(content)]
        # A default stands in for what is before it in the chain of filters.
        last_default = max((at for at, pair in enumerate(pairwise(tokens)) if _is_default(*pair)), default=-1)
        alias = tokens[1].text if is_tag and len(tokens) > 2 and tokens[0].text == "assign" else None
        for path, at in _paths(tokens, 2 if alias else 0):
            full = [*aliases.get(path[0] or "", path[:1]), *path[1:]]
            root = next((root for root in _ROOTS if tuple(full[: len(root)]) == root), None)
            if root is None:
                if alias and any(tuple(full) == known[: len(full)] for known in _ROOTS):
                    aliases[alias] = tuple(part for part in full if part is not None)
                continue
            rest = full[len(root) :]
            if not rest and alias:
                aliases[alias] = root
            elif not rest or rest[0] is None:
                yield _Use(None, False, False)
            else:
                has_part = len(rest) > 1 and rest[1] not in _TEXT_PROPERTIES
                yield _Use(rest[0], at < last_default, has_part)


def _is_default(before: _Token, token: _Token) -> bool:
    return before.text == "|" and token.text == "default"


def expressions(text: str) -> Iterator[tuple[bool, str]]:
    """The insides of `{{ … }}` (False) and `{% … %}` (True), without comments and raw text. In one pass."""
    position, skipped_until = 0, ""
    # An opening without an end is plain text, and then no later one of its kind has an end either.
    endless: set[str] = set()
    while opening := _OPENING.search(text, position):
        is_tag = opening[0] == "{%"
        position = opening.end()
        end = -1 if opening[0] in endless else text.find("%}" if is_tag else "}}", position)
        if end < 0:
            endless.add(opening[0])
            continue
        content = text[position:end].strip("- \t\r\n")
        position = end + 2
        tag = content.split(maxsplit=1)[0] if is_tag and content else ""
        if skipped_until:
            skipped_until = "" if tag == skipped_until else skipped_until
        elif tag in ("comment", "raw"):
            skipped_until = f"end{tag}"
        elif content:
            yield is_tag, content


def _paths(tokens: list[_Token], start: int) -> Iterator[tuple[_Path, int]]:
    """The variables of an expression and where they stand: `a.b["c"][d].e` is [a, b, c, None], and [d]."""
    position = start
    while position < len(tokens):
        begin = position
        position += 1
        if tokens[begin].kind != "name" or (begin and tokens[begin - 1].text == "."):
            continue
        path: _Path = [tokens[begin].text]
        while True:
            signs = [token.text for token in tokens[position : position + 3]]
            kind = tokens[position + 1].kind if len(signs) > 1 else ""
            if signs[:1] == ["."] and kind == "name":
                path.append(signs[1])
                position += 2
            elif signs[:1] == ["["] and signs[2:] == ["]"] and kind in ("text", "number"):
                path.append(signs[1].strip("\"'"))
                position += 3
            else:
                break
        if signs[:1] == ["["]:
            path.append(None)
        yield path, begin


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _kind(value: object) -> str:
    return "missing" if value is None else f"a {type(value).__name__}"


def _short(name: str) -> str:
    return name if len(name) <= 40 else f"{name[:40]}…"
