"""A person as a row of the store has it, and as the name is compared."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import orjson

from dispatcher.web.store.records import Role, User


def user_of(row: Sequence[Any]) -> User:
    """The columns that every query of people has, in their order."""
    user_id, name, role, own_numbers, created_at_ms = row
    return User(
        user_id=user_id,
        name=name,
        role=Role(role),
        own_numbers=tuple(orjson.loads(own_numbers)),
        created_at_ms=created_at_ms,
    )


def name_key(name: str) -> str:
    """What tells two people apart: `Anna` and `anna` are one, however they are typed."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).strip().casefold())
