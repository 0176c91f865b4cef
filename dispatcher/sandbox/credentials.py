"""Who may ask: HTTP Basic with an API key or the account's own SID and token."""

from __future__ import annotations

import binascii
from collections.abc import Mapping


def authorized(authorization: str | None, credentials: Mapping[str, str] | None) -> bool:
    """Whether a Basic Authorization header is accepted: one of the credentials, or without any, a well-formed pair."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        username, colon, password = binascii.a2b_base64(encoded.strip(), strict_mode=True).decode().partition(":")
    except ValueError:  # not ASCII, not base64, or not UTF-8 inside
        return False
    if not colon or not password:
        return False
    if credentials is not None:
        return credentials.get(username) == password
    return (
        len(username) == 34
        and username[:2] in ("AC", "SK")
        and all(character in "0123456789abcdefABCDEF" for character in username[2:])
    )
