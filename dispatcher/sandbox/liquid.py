"""The part of Liquid that flows live on: `{{path.to.value}}`, in brackets too, and the filters for texts.

As in Studio, a value that is missing becomes an empty text, without an error. Filters that are not among FILTERS leave
the value as it is, and `{% … %}` tags stay in the text: a rehearsal shows which data land where, it does not replace
Studio's own preview. Written from Twilio's documentation, by nobody's library: what `dispatcher preview` shows is held
against it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

_EXPRESSION = re.compile(r"\{\{(-?)(.*?)(-?)\}\}", re.DOTALL)
_PART = re.compile(r"""\s*(?:^|\.)\s*([\w-]+)|\[\s*(?:"([^"]*)"|'([^']*)'|(\d+))\s*\]""")
_PIPE = re.compile(r"""((?:"[^"]*"|'[^']*'|[^|"'])+)(?:\||$)""")
_FILTER = re.compile(r"\s*(\w+)\s*(?::(.*))?", re.DOTALL)
_ARGUMENT = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([^,"']+))\s*(?:,|$)""")


def render(template: Any, context: Mapping[str, Any]) -> str:
    """A property of a widget with its expressions filled in; what is not a text is written as one."""
    if not isinstance(template, str):
        return _text(template)
    if "{{" not in template:
        return template
    parts: list[str] = []
    position, trims = 0, False
    for found in _EXPRESSION.finditer(template):
        before = template[position : found.start()]
        # A dash takes the blanks beside the expression with it.
        before = before.lstrip() if trims else before
        parts += [before.rstrip() if found[1] else before, _evaluate(found[2], context)]
        position, trims = found.end(), bool(found[3])
    rest = template[position:]
    return "".join([*parts, rest.lstrip() if trims else rest])


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


def _default(text: str, other: str = "") -> str:
    return text or other


def _replace(text: str, old: str, new: str = "") -> str:
    return text.replace(old, new)


def _truncate(text: str, length: str = "50", end: str = "...") -> str:
    return text if len(text) <= int(length) else text[: max(0, int(length) - len(end))] + end


#: What each makes of a text and its arguments.
FILTERS: Mapping[str, Callable[..., str]] = {
    "append": lambda text, end: text + end,
    "default": _default,
    "downcase": str.lower,
    "lstrip": str.lstrip,
    "prepend": lambda text, start: start + text,
    "remove": _replace,
    "replace": _replace,
    "rstrip": str.rstrip,
    "size": lambda text: str(len(text)),
    "strip": str.strip,
    "truncate": _truncate,
    "upcase": str.upper,
}


def _evaluate(expression: str, context: Mapping[str, Any]) -> str:
    path, *filters = [found[1] for found in _PIPE.finditer(expression)] or [""]
    text = _operand(path, context)
    for one in filters:
        found = _FILTER.match(one)
        function = FILTERS.get(found[1]) if found else None
        if found is not None and function is not None:
            arguments = [_operand(part[0].rstrip(", "), context) for part in _ARGUMENT.finditer(found[2] or "")]
            try:
                text = function(text, *arguments)
            except (TypeError, ValueError):
                continue  # too few of them, or others than it takes
    return text


def _operand(written: str, context: Mapping[str, Any]) -> str:
    written = written.strip()
    if len(written) > 1 and written[0] in "\"'" and written[-1] == written[0]:
        return written[1:-1]
    return written if written.isdigit() else _text(look_up(written, context))


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
