"""Which way a split-based-on widget goes, as far as that is known before the flow runs. Pure.

Conditions are compared without regard to case and to blanks around them, except by `regex`, as Studio's editor says of
them (twilio.com/docs/studio/widget-library/split-based-on).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dispatcher.studio.definition import Transition, Widget
from dispatcher.studio.liquid import Rendered

#: A pattern is a stranger's program: it is run only on short texts, and only where it cannot take long.
_REGEX_TEXT_MAX = 200
_REPEATS_MAX = 3
_OPTIONS_MAX = 6
_REPEAT = re.compile(r"[*+{]")
_OPTION = re.compile(r"(?<!\()\?")
_REPEATED_GROUP = re.compile(r"\)\s*[*+{]")


@dataclass(frozen=True, slots=True)
class Undecided:
    """Why it is not known which way a split goes."""

    reason: str


def decide(widget: Widget, render: Callable[[object], Rendered | None]) -> Transition | Undecided:
    """The exit that a split takes. `render`: a property with the row's values; None: it is known only later."""
    for transition in widget.transitions:
        if not transition.conditions:
            continue
        verdicts = [_holds(condition, widget, render) for condition in transition.conditions]
        if all(verdict is True for verdict in verdicts):
            return transition
        unsure = next((verdict for verdict in verdicts if isinstance(verdict, Undecided)), None)
        if unsure is not None and not any(verdict is False for verdict in verdicts):
            return unsure
    return next((exit_ for exit_ in widget.transitions if exit_.event == "noMatch"), Transition("noMatch", None))


def arguments(widget: Widget, exit_: Transition) -> list[object]:
    """What a split's exit compares."""
    return [_argument(widget, condition) for condition in exit_.conditions]


def _argument(widget: Widget, condition: Mapping[str, Any]) -> object:
    given = condition.get("arguments")
    return given[0] if isinstance(given, list) and given else widget.properties.get("input")


def _holds(
    condition: Mapping[str, Any], widget: Widget, render: Callable[[object], Rendered | None]
) -> bool | Undecided:
    sides: list[str] = []
    for side in (_argument(widget, condition), condition.get("value")):
        rendered = render(side)
        if rendered is None:
            return Undecided("")
        if rendered.reason:
            return Undecided(rendered.reason)
        sides.append(rendered.text)
    return _compare(str(condition.get("type")), *sides)


def _compare(kind: str, given: str, wanted: str) -> bool | Undecided:
    text, value = given.strip().casefold(), wanted.strip().casefold()
    match kind:
        case "equal_to" | "not_equal_to":
            holds = text == value
        case "matches_any_of" | "does_not_match_any_of":
            holds = text in [one.strip() for one in value.split(",")]
        case "contains" | "does_not_contain":
            holds = value in text
        case "starts_with" | "does_not_start_with":
            holds = text.startswith(value)
        case "is_blank" | "is_not_blank":
            return (not text) == (kind == "is_blank")
        case "less_than" | "greater_than":
            try:
                return float(text) < float(value) if kind == "less_than" else float(text) > float(value)
            except ValueError:
                return False
        case "regex":
            return _matches(wanted, given)
        case _:
            return Undecided(f"what a condition {kind!r} makes of a row is not known here")
    return holds != ("not" in kind)


def _matches(pattern: str, text: str) -> bool | Undecided:
    repeats, options = len(_REPEAT.findall(pattern)), len(_OPTION.findall(pattern))
    is_slow = repeats > _REPEATS_MAX or options > _OPTIONS_MAX or _REPEATED_GROUP.search(pattern) is not None
    if is_slow or len(text) > _REGEX_TEXT_MAX:
        return Undecided("its pattern could take long")
    try:
        return re.search(pattern, text) is not None
    except (re.error, OverflowError, RecursionError):
        return Undecided("its pattern cannot be read")
