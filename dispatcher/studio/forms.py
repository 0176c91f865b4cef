"""A create request's body, built by hand: a third of the cost of a general form encoder."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote_from_bytes, quote_plus

import orjson

_SAFE = "-._~"


def create_form(to: str, sender: str, parameters: Mapping[str, str]) -> bytes:
    """`To`, `From` and `Parameters` (a JSON string) as application/x-www-form-urlencoded."""
    body = f"To={quote_plus(to, safe=_SAFE)}&From={quote_plus(sender, safe=_SAFE)}"
    if parameters:
        body += f"&Parameters={quote_from_bytes(orjson.dumps(parameters), safe=_SAFE)}"
    return body.encode("ascii")
