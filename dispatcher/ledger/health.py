"""Whether a ledger is whole, in whatever database it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from dispatcher.errors import LedgerKeyLost

#: Called with how many things were looked at, of how many.
Looking: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerHealth:
    """What was found of a ledger, looked at without changing it."""

    #: Where it lies, for people.
    location: str
    size_bytes: int
    #: The schema's version, and the one that this program writes.
    version: int
    version_known: int
    campaigns: int
    #: When the first of them was made; None: there is none.
    since_ms: int | None
    #: Empty where it is whole.
    problems: tuple[str, ...]
    #: By what database, and how it sees to it that nothing is lost.
    kept_by: str
    #: What is wrong where people were forgotten, and cannot be told again.
    key_lost: LedgerKeyLost | None = None
