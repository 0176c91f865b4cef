"""Templates to pages: the one environment, whose output is escaped, and which refuses a name that nobody has given."""

from __future__ import annotations

import functools
import hashlib
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from dispatcher.plurals import counted

if TYPE_CHECKING:
    from dispatcher.web.visitor import Visitor

_HERE = Path(__file__).parent
STATIC = _HERE / "static"


def render(request: web.Request, template: str, *, status: int = 200, **values: Any) -> web.Response:
    """A page. Templates know `visitor`, where somebody is signed in, and what is given here."""
    visitor: Visitor | None = request.get("visitor")
    text = environment().get_template(template).render(visitor=visitor, path=request.path, **values)
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")


@functools.cache
def environment() -> Environment:
    """Made once, at the first page."""
    found = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.filters.update(n=number, counted=lambda n, one, many=None: counted(n, one, many), seen=seen)
    found.globals.update(static=static)
    return found


def number(value: int) -> str:
    """With a comma between thousands."""
    return f"{value:,}"


#: Letters that leave a blank or nothing, though Unicode has them among the others: fillers, and a joiner.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})


def seen(text: str) -> Markup:
    """A text from outside, what cannot be seen in it made visible: control characters, and those that turn it round."""
    shown = Markup()
    plain: list[str] = []
    for letter in text:
        if letter not in "\n\t" and (letter in _BLANK or unicodedata.category(letter) in _UNSEEN):
            shown += escape("".join(plain)) + Markup("<span class=odd>U+{:04X}</span>").format(ord(letter))
            plain.clear()
        else:
            plain.append(letter)
    return shown + escape("".join(plain))


def static(name: str) -> str:
    """The address of a file that belongs to the page; it changes with what is in it, so that nobody has an old one."""
    return f"/static/{name}?v={_digest(name)}"


@functools.cache
def _digest(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
