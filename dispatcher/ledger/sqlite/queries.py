"""The named queries of queries.sql, so that no SQL stands in Python."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)
_PACKED = "-- packed\n"
_PARAMETER = re.compile(r":([a-z]\w*)")
_COMMENT = re.compile(r"\A(--[^\n]*\n)+")

#: The most rows in one statement's VALUES: more are no faster. SQLite takes 32,766 parameters (sqlite.org/limits.html).
ROWS_PER_STATEMENT = 256
#: An UPDATE's VALUES are filled up to a multiple of this, so that batches of any size share a few prepared statements.
PADDED_TO = 8


@cache
def queries() -> dict[str, str]:
    """Query name -> SQL."""
    return {name: _COMMENT.sub("", body).rstrip(";") for name, body in _bodies().items()}


@cache
def packed() -> frozenset[str]:
    """The queries whose result is one JSON text, an array of rows."""
    return frozenset(name for name, body in _bodies().items() if body.startswith(_PACKED))


@cache
def _bodies() -> dict[str, str]:
    parts = _NAME.split(_text("queries.sql"))
    return {name: body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}


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


@dataclass(frozen=True, slots=True)
class Many:
    """A statement for many rows, with the names of the values that stand before and after theirs."""

    sql: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@lru_cache(maxsize=256)
def many(name: str, rows: int, width: int) -> Many:
    """The query whose {values} stand for so many rows of `width` parameters; all its parameters are by position."""
    before, after = queries()[name].split("{values}")
    group = "(" + ",".join("?" * width) + ")"
    sql = _PARAMETER.sub("?", before) + ",".join([group] * rows) + _PARAMETER.sub("?", after)
    return Many(sql, tuple(_PARAMETER.findall(before)), tuple(_PARAMETER.findall(after)))
