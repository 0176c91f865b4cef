"""What must be true of any ledger at any moment, looked at row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from dispatcher.ledger.named_sql import named_sql
from dispatcher.plurals import counted

#: Runs a text of ours on a ledger's database; the rows of its answer, all of one moment.
Query: TypeAlias = Callable[[str], Sequence[Sequence[Any]]]

#: The queries of soundness.sql, and what it is where they have rows.
_NEVER = {
    "twice": "two live attempts of one row: it may have been sent twice",
    "in_flight": "an attempt whose row does not know it",
    "states": "a state without its attempt",
    "others": "an attempt of another row",
    "contacts": "an attempt whose contact is not known: the same person may be reached again",
    "identities": "two rows with one identity",
    "keys": "a key whose row is gone or has another",
    "keyless": "a row whose key is not its own",
    "tallies": "counts that are not those of the rows",
    "cells": "rows of a file without their cells",
    "pointers": "a campaign whose file is gone",
}


def unsound(query: Query, looking: Callable[[int, int], None] = lambda done, of: None) -> Iterator[str]:
    """What is wrong, as sentences; nothing of a sound ledger. `looking`: at how many things of how many."""
    texts = named_sql("dispatcher.ledger", "soundness.sql")
    for done, (name, claim) in enumerate(_NEVER.items()):
        looking(done, len(_NEVER))
        if found := query(texts[name]):
            first = ", ".join(str(row[0]) for row in found[:3])
            yield f"{claim} ({counted(len(found), 'time')}: {name} {first}{' …' if len(found) > 3 else ''})"
