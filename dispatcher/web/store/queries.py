"""The named queries of queries.sql, and the file's statements, so that no SQL stands in Python.

The ledger has its own reader (ledger/sqlite/queries.py), which can do what ten thousand rows a second ask for: a
database that holds people and drafts needs none of that.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from functools import cache
from importlib import resources

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)
_COMMENT = re.compile(r"\A(--[^\n]*\n)+")


@cache
def queries() -> dict[str, str]:
    """Query name -> SQL."""
    parts = _NAME.split(_text("queries.sql"))
    return {
        name: _COMMENT.sub("", body.strip()).rstrip(";") for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }


def schema() -> Iterator[str]:
    """The statements that make the tables, one by one."""
    statement = ""
    for line in _text("schema.sql").splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _text(resource: str) -> str:
    return resources.files(__package__).joinpath(resource).read_text(encoding="utf-8")
