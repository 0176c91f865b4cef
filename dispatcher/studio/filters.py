"""Filters of Liquid: Twilio's own, those that python-liquid has otherwise, and bounds for all of them. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

#: The most that a filter may have to do, in characters.
WORK_MAX = 4 * 1024 * 1024
#: What depends on the moment of sending.
NOW = ("now", "today")

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?)?", re.ASCII)


class NotRendered(Exception):
    """Why a text is not rendered."""


def bounded(name: str, function: Callable[..., Any], text_max: int) -> Callable[..., Any]:
    """The filter, unless it would have too much to do or its value depends on when and where it is asked."""

    @functools.wraps(function)  # with the marks by which the library passes more to it
    def run(*given: Any, **options: Any) -> Any:
        first, second = (*sorted((_length(one) for one in given), reverse=True), 1, 1)[:2]
        if first * max(1, second) > WORK_MAX:
            raise NotRendered(f"the filter {name!r} has too much to do")
        if name == "date" and given:
            _check_date(_text(given[0]).strip())
        found = function(*given, **options)
        if _length(found) > text_max:
            raise NotRendered(f"the filter {name!r} makes more than {text_max:,} characters")
        return found

    return run


def _check_date(text: str) -> None:
    """Only what can be read in one way: 02/03 is two days, and a time without a date is one of today's."""
    if text.lower() in NOW:
        raise NotRendered("it says the day on which it is sent")
    if text and not _DATE.fullmatch(text):
        raise NotRendered(
            "it shows a date that Studio may read in another way: 2026-03-02, or 2026-03-02 09:15, is plain"
        )


def _to_json(value: object) -> str:
    """Twilio's own (twilio.com/docs/studio/widget-library/send-flex)."""
    return orjson.dumps(value, default=lambda _: None).decode()


def _truncate(value: object, length: Any = 50, end: object = "...") -> str:
    """A text of just that length stays whole (Shopify/liquid, standardfilters.rb); python-liquid cuts it."""
    text, most, dots = _text(value), int(length), str(end)
    return text if len(text) <= most else text[: max(0, most - len(dots))] + dots


def _truncate_words(value: object, number: Any = 15, end: object = "...") -> str:
    """The same of words."""
    text, most = _text(value), max(1, int(number))
    words = text.split()
    return text if len(words) <= most else " ".join(words[:most]) + str(end)


#: In the place of the library's.
OWN: Mapping[str, Callable[..., str]] = {
    "to_json": _to_json,
    "truncate": _truncate,
    "truncatewords": _truncate_words,
}


def _length(value: object) -> int:
    return len(value) if isinstance(value, (str, list, tuple, range)) else 1


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
