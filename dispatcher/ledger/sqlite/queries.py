"""The named queries of queries.sql, so that no SQL stands in Python, and how many rows are given to one statement."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib import resources
from typing import Any

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)
_COMMENT = re.compile(r"\A(--[^\n]*\n)+")

#: The most rows in one statement's VALUES: more are no faster. SQLite takes 32,766 parameters (sqlite.org/limits.html).
ROWS_PER_STATEMENT = 256
#: An UPDATE's VALUES are filled up to a multiple of this, so that lots of any size share a few prepared statements.
PADDED_TO = 8


@cache
def queries() -> dict[str, str]:
    """Query name -> SQL."""
    parts = _NAME.split(_text("queries.sql"))
    return {
        name: _COMMENT.sub("", body.strip()).rstrip(";") for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }


def statements(resource: str) -> Iterator[str]:
    """The statements of one of our SQL files (schema.sql, migrations/…), one by one."""
    statement = ""
    for line in _text(resource).splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _text(resource: str) -> str:
    return resources.files(__package__).joinpath(resource).read_text(encoding="utf-8")


@lru_cache(maxsize=256)
def _with_values(name: str, rows: int, width: int) -> str:
    group = "(" + ",".join("?" * width) + ")"
    return queries()[name].format(values=",".join([group] * rows))


# One statement for many rows, not one per row: a statement costs as much as its row, and each is a moment at which this
# thread gives the interpreter lock away and may wait 5 ms to get it back from a busy event loop.
# Rows' parameters are plain int and str, 0 and '' for what is missing: for anything else, None included, sqlite3 looks
# for an adapter, which takes a microsecond.


def insert_values(db: sqlite3.Connection, name: str, width: int, flat: Sequence[Any]) -> None:
    """Run an INSERT whose {values} stand for rows of `width` parameters, given as one flat sequence."""
    step = ROWS_PER_STATEMENT * width
    for start in range(0, len(flat), step):
        piece = flat[start : start + step]
        db.execute(_with_values(name, len(piece) // width, width), piece)


def update_values(
    db: sqlite3.Connection,
    name: str,
    width: int,
    flat: Sequence[int | str],
    before: Sequence[Any],
    after: Sequence[Any],
) -> int:
    """Run an UPDATE whose {values} stand for rows of `width` parameters; no row may match one that starts with 0.

    `before` and `after`: the parameters around {values}. Returns how many rows changed.
    """
    changed = 0
    step = ROWS_PER_STATEMENT * width
    for start in range(0, len(flat), step):
        piece = flat[start : start + step]
        missing = -(len(piece) // width) % PADDED_TO
        padded = [*before, *piece, *[0] * (missing * width), *after]
        changed += db.execute(_with_values(name, len(piece) // width + missing, width), padded).rowcount
    return changed
