"""The named queries of queries.sql in psycopg's words, so that no SQL stands in Python."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)
_COLUMNS = re.compile(r"^-- columns: (.+)$", re.MULTILINE)
_UNIQUE = re.compile(r"^-- unique: column(\d+)$", re.MULTILINE)
_COMMENTS = re.compile(r"^--.*\n?", re.MULTILINE)
# Not a cast, `::text`.
_PARAMETER = re.compile(r"(?<![:\w]):([a-z]\w*)")
_JSON = re.compile(r"(?<![:\w]):([a-z]\w*)::jsonb")

#: What only a server needs; SQLite's queries.sql has all the others.
SERVERS_OWN = frozenset(
    """
    account_lock lease_take lease_renew lease_renew_all lease_release lease_want lease_is_wanted lease_held lease_holder
    figures_anew key_get key_make clock_now_us server_facts migrate_lock migrate_schema ledger_meta_exists
    ledger_meta_get ledger_meta_set
    """.split()  # noqa: SIM905 - a list of words, one a line, would be a page
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A statement as psycopg takes it."""

    sql: str
    #: Names of its parameters, without those of many rows.
    parameters: frozenset[str]
    #: Those that are JSON texts: lists of lists.
    json: frozenset[str]
    #: Of a statement for many rows: how many values each has.
    width: int
    #: The place of the value that may come once in a statement; None: none of them has to.
    unique: int | None
    #: Its values are written into it here: the server takes none for statements that make a table.
    is_definition: bool


@cache
def queries() -> dict[str, Query]:
    """Query name -> statement."""
    parts = _NAME.split(text("queries.sql"))
    return {name: _query(body.strip()) for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def _query(body: str) -> Query:
    columns = found[1].split(", ") if (found := _COLUMNS.search(body)) else []
    unique = int(found[1]) - 1 if (found := _UNIQUE.search(body)) else None
    statement = _COMMENTS.sub("", body).strip().rstrip(";")
    parameters, json = frozenset(_PARAMETER.findall(statement)), frozenset(_JSON.findall(statement))
    arrays = ", ".join(f":column{place}::{type_}[]" for place, type_ in enumerate(columns, 1))
    sql = _PARAMETER.sub(r"%(\1)s", statement.replace("%", "%%").replace("{values}", f"unnest({arrays})"))
    return Query(
        sql=sql,
        parameters=parameters,
        json=json,
        width=len(columns),
        unique=unique,
        is_definition=statement.startswith(("CREATE", "DROP")),
    )


def text(resource: str) -> str:
    """One of our SQL files."""
    return resources.files(__package__).joinpath(resource).read_text(encoding="utf-8")
