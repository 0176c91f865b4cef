"""What a browser sends with a form: read within bounds, and only if the form was this server's."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

from aiohttp import web

#: A form without a file has a few fields.
FORM_MAX_BYTES = 64 * 1024
_FIELDS_MAX = 600
TOKEN = "_token"


def whole(text: str) -> int | None:
    """A whole number as a page writes it, of a size that a store can have; None: it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None


class Form(Mapping[str, str]):
    """A form's fields; of several with one name the last, `every` has all of them. Texts without blanks around them."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._typed = dict(fields)
        self._fields = [(name, value.strip()) for name, value in fields]
        self._last = dict(self._fields)

    def __getitem__(self, name: str) -> str:
        return self._last[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._last)

    def __len__(self) -> int:
        return len(self._last)

    def text(self, name: str) -> str:
        """What was typed; empty: nothing."""
        return self._last.get(name, "")

    def typed(self, name: str) -> str:
        """What was typed with the blanks around it: a password's are a part of it."""
        return self._typed.get(name, "")

    def whole(self, name: str) -> int | None:
        """A whole number that a page has put there; None: there is none."""
        return whole(self.text(name))

    def ticked(self, name: str) -> bool:
        """Whether a box was ticked."""
        return name in self._last

    def every(self, name: str) -> list[str]:
        """All values of one name."""
        return [value for known, value in self._fields if known == name]


async def read_form(request: web.Request) -> Form:
    """The fields of a form. Raises: HTTPRequestEntityTooLarge, HTTPBadRequest, HTTPUnsupportedMediaType."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise web.HTTPUnsupportedMediaType
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > FORM_MAX_BYTES:
            raise web.HTTPRequestEntityTooLarge(max_size=FORM_MAX_BYTES, actual_size=len(body))
    try:
        return Form(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_MAX))
    except ValueError:
        raise web.HTTPBadRequest from None


def form_token(secret: bytes) -> str:
    """What every form of a session carries; `secret`: the session's."""
    return hmac.new(secret, b"form", hashlib.sha256).hexdigest()


def is_token(secret: bytes, sent: str) -> bool:
    """Whether a form was given to this session by this server."""
    return hmac.compare_digest(form_token(secret).encode(), sent.encode())
