"""queries.sql: the names and parameters of SQLite's, in psycopg's words, and no statement that meets a row twice."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dispatcher.ledger.postgres.db import PostgresDb, _rounds
from dispatcher.ledger.postgres.queries import SERVERS_OWN, _query, queries
from dispatcher.ledger.sqlite.queries import queries as sqlite_queries
from tests.support.postgres import connected

#: What only a file needs: its version, and the throw-away file that a rehearsal is.
FILES_OWN = re.compile(r"file_version|rehearsal_\w+")


class TestBoth:
    """The rules are written once, over both databases: each asks for the same."""

    def test_the_names(self) -> None:
        of_file = {name for name in sqlite_queries() if not FILES_OWN.fullmatch(name)}
        assert queries().keys() - SERVERS_OWN == of_file
        assert queries().keys() >= SERVERS_OWN
        assert not of_file & SERVERS_OWN

    @pytest.mark.parametrize("name", sorted(sqlite_queries().keys() & queries().keys()))
    def test_the_parameters(self, name: str) -> None:
        of_file = sqlite_queries()[name]
        assert queries()[name].parameters == set(re.findall(r":([a-z]\w*)", of_file))
        columns = set(map(int, re.findall(r"\bcolumn(\d+)", of_file))) if "{values}" in of_file else set()
        assert (queries()[name].width > 0) == ("{values}" in of_file)
        assert not columns or columns == set(range(1, queries()[name].width + 1))


class TestTranslated:
    def test_parameters_and_casts(self) -> None:
        """A cast is none, nor is what stands in a comment; a literal % is not psycopg's."""
        query = _query("-- of :nobody, 100 %\nSELECT :a::bigint, b::text FROM t WHERE c % 2 = :a_b AND d LIKE 'x%';")
        assert query.sql == "SELECT %(a)s::bigint, b::text FROM t WHERE c %% 2 = %(a_b)s AND d LIKE 'x%%'"
        assert query.parameters == {"a", "a_b"}
        assert (query.width, query.unique, query.json, query.is_definition) == (0, None, frozenset(), False)

    def test_many_rows(self) -> None:
        """One array a column; what all rows have is a parameter as any."""
        query = _query(
            "-- columns: bigint, text\n-- unique: column2\n"
            "UPDATE t SET a = column1, b = :b FROM {values} AS v(column1, column2) WHERE k = column2"
        )
        assert "FROM unnest(%(column1)s::bigint[], %(column2)s::text[]) AS v(column1, column2)" in query.sql
        assert (query.width, query.unique, query.parameters) == (2, 1, frozenset({"b"}))

    def test_lists_of_lists_are_json(self) -> None:
        assert _query("SELECT * FROM f(:moves::jsonb, :ids::bigint[])").json == {"moves"}

    @pytest.mark.parametrize("text", ["CREATE TEMP TABLE t AS SELECT :a", "DROP TABLE IF EXISTS t"])
    def test_what_makes_a_table(self, text: str) -> None:
        """The server takes no values for it."""
        assert _query(f"-- why\n{text}").is_definition

    def test_all_of_them(self) -> None:
        """Nothing of SQLite's way to write a parameter is left, nor a place for rows."""
        for name, query in queries().items():
            assert not re.search(r"(?<![:\w]):[a-z]", query.sql), name
            assert "{values}" not in query.sql, name
            assert query.unique is None or query.unique < query.width, name


@pytest.mark.parametrize(
    ("flat", "unique", "rounds"),
    [
        ([], 0, []),
        ([], None, []),
        ([1, "a", 1, "b"], None, [[1, "a", 1, "b"]]),
        ([1, "a", 2, "b"], 0, [[1, "a", 2, "b"]]),
        ([1, "a", 2, "b", 1, "c", 1, "d", 2, "e"], 0, [[1, "a", 2, "b"], [1, "c", 2, "e"], [1, "d"]]),
        ([1, "a", 2, "a"], 1, [[1, "a"], [2, "a"]]),
    ],
)
def test_no_statement_meets_a_row_twice(flat: list[Any], unique: int | None, rounds: list[list[Any]]) -> None:
    """`ON CONFLICT DO UPDATE` may not; the n-th of a key goes in the n-th statement, so the last one stays."""
    assert _rounds(2, flat, unique) == rounds


def test_rows_of_another_width(url: str) -> None:
    """Else values would land in their neighbours' columns."""
    name, query = next((name, query) for name, query in queries().items() if query.width)
    with connected(url) as connection, pytest.raises(ValueError, match=name):
        PostgresDb(connection).insert(name, query.width + 1, [0] * (query.width + 1))


def test_empty_lists_and_wide_numbers(url: str) -> None:
    """An empty list has no type of its own, and a number is the same statement whatever its size."""
    with connected(url) as connection:
        db = PostgresDb(connection)
        assert db.rows("lease_renew_all", holders=[], lease_s=6.0) == []
        for account_id in (1, 1 << 20, 1 << 40):
            assert db.first("account_lock", account_id=account_id, few=False) is None
