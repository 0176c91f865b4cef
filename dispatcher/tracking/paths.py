"""Which way an execution went through its flow: told by its steps, or proved by what it left in its context. Pure.

The list of steps is the truth and costs a read. The context is read anyway, and with the flow's definition it mostly
leaves one way only: every widget that has a result was visited, every message widget that has none was not, and
`flow.variables` holds exactly what the set-variables widgets on the way have set. Where more than one way is left, or a
loop might have been gone round, nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from dispatcher.studio.definition import Definition, Widget
from dispatcher.studio.resources import Step

#: Where a step leads when the execution is over (Studio's sample of a Step).
ENDED = "Ended"
#: Looking for the ways is given up after this many widgets: then the steps are asked.
LOOKED_AT_MAX = 500
#: Widgets that always have a result once they were entered. Of others it is not known.
_LEAVES_RESULT = frozenset({"send-message", "send-and-wait-for-reply"})
_SETS_VARIABLES = "set-variables"

#: The widgets that were entered, in order; empty: the flow ended at its trigger.
Path: TypeAlias = tuple[str, ...]


def path_of_steps(steps: Sequence[Step]) -> Path:
    """The path that an execution's steps tell; `steps` newest first, as Studio lists them."""
    return tuple(
        step.transitioned_to for step in reversed(steps) if step.transitioned_to and step.transitioned_to != ENDED
    )


def proved_path(definition: Definition, context: Mapping[str, Any]) -> Path | None:
    """The only path that can have left this context; None where there is none, or more than one."""
    results = context.get("widgets")
    flow = context.get("flow")
    variables = flow.get("variables") if isinstance(flow, Mapping) else None
    if not isinstance(results, Mapping) or not (variables is None or isinstance(variables, Mapping)):
        return None
    if definition.problems or not all(name in definition.widgets for name in results):
        return None
    first = definition.first
    if first is None:
        return () if not results else None
    return _only_path(definition, first, set(results), variables or {})


def _only_path(definition: Definition, first: Widget, visited: set[str], variables: Mapping[str, Any]) -> Path | None:
    def possible(widget: Widget) -> bool:
        return widget.name in visited or widget.type not in _LEAVES_RESULT

    found: Path | None = None
    looked_at = 0
    ways: list[tuple[str, ...]] = [(first.name,)] if possible(first) else []
    while ways:
        way = ways.pop()
        looked_at += 1
        if looked_at > LOOKED_AT_MAX:
            return None
        # Variables are set when the widget is left: the last one may not have come to it.
        if visited <= set(way) and (_sets(definition, way, variables) or _sets(definition, way[:-1], variables)):
            if found is not None:
                return None
            found = way
        for name in {exit_.next for exit_ in definition.widgets[way[-1]].transitions if exit_.next}:
            following = definition.widgets.get(name)
            if following is not None and possible(following):
                if name in way:
                    return None  # a loop that may have been gone round
                ways.append((*way, name))
    return found


def _sets(definition: Definition, way: Iterable[str], variables: Mapping[str, Any]) -> bool:
    """Whether a way sets these variables: each of them and no other; texts without expressions to the letter."""
    set_to: dict[str, str | None] = {}
    for name in way:
        widget = definition.widgets[name]
        if widget.type != _SETS_VARIABLES:
            continue
        entries = widget.properties.get("variables")
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, Mapping) and isinstance(entry.get("key"), str):
                value = entry.get("value")
                plain = isinstance(value, str) and "{" not in value
                set_to[entry["key"]] = value if plain else None
    return set(set_to) == set(variables) and all(
        value is None or str(variables[key]) == value for key, value in set_to.items()
    )
