"""Tokens that open the page: 256 random bits. Stored as a hash: nobody signs in with a copy of the store."""

from __future__ import annotations

import hashlib
import secrets

#: How long a one-time link can be used.
LIFE_MS = 10 * 60_000
_BYTES = 32


def new_token() -> str:
    """A token for a link or a cookie: 43 characters that need no quoting in either."""
    return secrets.token_urlsafe(_BYTES)


def hash_of(token: str) -> bytes:
    """What is stored of it. No salt and no cost: 256 random bits cannot be guessed from their hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
