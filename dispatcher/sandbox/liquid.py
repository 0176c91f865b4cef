"""The part of Liquid that flows live on: `{{path.to.value}}`, in brackets too, and the `default` filter.

As in Studio, a value that is missing becomes an empty text, without an error. Other filters leave the value as it is,
and `{% … %}` tags stay in the text: a rehearsal shows which data land where, it does not replace Studio's own preview.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

_EXPRESSION = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)
_PART = re.compile(r"""\s*(?:^|\.)\s*([\w-]+)|\[\s*(?:"([^"]*)"|'([^']*)'|(\d+))\s*\]""")
_DEFAULT = re.compile(r"""\s*default\s*:\s*(?:"([^"]*)"|'([^']*)')""")


def render(template: Any, context: Mapping[str, Any]) -> str:
    """A property of a widget with its expressions filled in; what is not a text is written as one."""
    if not isinstance(template, str):
        return _text(template)
    if "{{" not in template:
        return template
    return _EXPRESSION.sub(lambda found: _evaluate(found[1], context), template)


def look_up(path: str, context: Mapping[str, Any]) -> Any:
    """The value at a path such as `widgets.ask.inbound.Body` or `flow.data["first name"]`; None if there is none."""
    value: Any = context
    for part in _PART.finditer(path.strip()):
        if isinstance(value, Mapping):
            value = value.get(next(group for group in part.groups() if group is not None))
        elif isinstance(value, list) and part[4] is not None and int(part[4]) < len(value):
            value = value[int(part[4])]
        else:
            return None
    return value


def _evaluate(expression: str, context: Mapping[str, Any]) -> str:
    path, *filters = expression.split("|")
    text = _text(look_up(path, context))
    for name in filters:
        if not text and (default := _DEFAULT.match(name)):
            text = default[1] if default[1] is not None else default[2]
    return text


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case bool() | dict() | list():
            return orjson.dumps(value).decode()
        case _:
            return str(value)
