"""What became of an execution, read from its context: delivery errors in its widgets, and the values chosen. Pure."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from dispatcher.settings import variable_path
from dispatcher.studio.advice import meaning

#: A chosen value is cut to this many characters: a spreadsheet's cell takes 32,767.
VALUE_MAX = 2_000
MESSAGE_MAX = 300
#: Where a widget's result holds an error: the last status callback's fields, and the message's own.
_PLACES = ("", "outbound")
_CODE = re.compile(r"[1-9][0-9]{4,5}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class WidgetError:
    """A Twilio error code inside a widget's result."""

    code: int
    widget: str
    message: str


def widget_errors(context: Mapping[str, Any]) -> list[WidgetError]:
    """The errors in the widgets' results, in the context's order: 21610, 30007 … (docs/tracking.md)."""
    results = context.get("widgets")
    found: list[WidgetError] = []
    for name, result in results.items() if isinstance(results, Mapping) else ():
        for place in _PLACES:
            part = result.get(place) if place and isinstance(result, Mapping) else result
            if not isinstance(part, Mapping):
                continue
            text = str(part.get("ErrorCode") or "").strip()
            if _CODE.fullmatch(text):
                code = int(text)
                message = meaning(code) or str(part.get("ErrorMessage") or "").strip()
                found.append(WidgetError(code=code, widget=str(name), message=message[:MESSAGE_MAX]))
                break
    return found


def last_error(errors: Iterable[WidgetError], path: Iterable[str]) -> WidgetError | None:
    """The error of the widget that stands last on the path; without a path, the last of all."""
    place = {name: number for number, name in enumerate(path)}
    # max() keeps the first of equals, and what was met later counts more.
    return max(reversed(list(errors)), key=lambda error: place.get(error.widget, -1), default=None)


def chosen_values(context: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, str]:
    """Name → text of each variable that the context has; `variables`: name → path, as in `[tracking] variables`."""
    found: dict[str, str] = {}
    for name, path in variables.items():
        with contextlib.suppress(LookupError):
            value = look_up(context, variable_path(path))
            if value is not None:
                found[name] = _text(value)
    return found


def look_up(value: Any, steps: Iterable[str]) -> Any:
    """What stands in a context at a path's end. Raises: LookupError: nothing does."""
    for step in steps:
        if isinstance(value, list) and step.isdecimal():
            value = value[int(step[:9])]
        elif isinstance(value, Mapping):
            value = value[step]
        else:
            raise LookupError(step)
    return value


def _text(value: Any) -> str:
    if isinstance(value, str):
        text = value
    elif isinstance(value, bool | Mapping | list):
        try:
            text = orjson.dumps(value).decode()
        except orjson.JSONEncodeError:
            text = "(nested too deeply to be shown)"
    else:
        text = str(value)
    return text if len(text) <= VALUE_MAX else text[: VALUE_MAX - 1] + "…"
