"""The SQL: every query is used, and the hot ones never walk through a ledger of millions of rows."""

from __future__ import annotations

import ast
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dispatcher.ledger.chunks import id_range
from dispatcher.ledger.sqlite import connection
from dispatcher.ledger.sqlite.queries import many, queries, statements
from dispatcher.ledger.sqlite.rehearsal import TABLES

#: Asked while sending, or at every start: their cost must not grow with the ledger.
HOT = (
    "account_get",
    "account_epoch",
    "claim_check",
    "wish_of",
    "wish_change",
    "account_take_over",
    "campaign_get",
    "chunk_of_row",
    "inputs_planned",
    "planned_rows",
    "planned_rows_from",
    "input_senders",
    "planned_next",
    "attempts_begin",
    "rows_begin",
    "attempts_begun",
    "campaigns_recent",
    "contacted_again",
    "lists_of",
    "suppressed_of",
    "suppressed_delete",
    "suppression_log_of",
    "suppression_log_taught",
    "addresses_of_attempts",
    "own_execution",
    "rows_skip",
    "rows_end",
    "attempts_end",
    "row_of_attempt",
    "tallies_add",
    "tallies_of_campaign",
    "run_update",
    "run_stop",
    "run_latest",
    "runs_orphaned",
    "recover_count",
    "recover_attempts",
    "recover_rows",
    "departures",
    "departures_unresolved",
    "test_run_insert",
    "test_begin",
    "test_end",
    "tests_recover_attempts",
    "tests_recover_runs",
    "unknown_rows",
    "note_unknown",
    "cancel_open",
    "input_has_rows",
)
#: Over one input's rows, in the order of the table: no other order, no other input.
OF_ONE_INPUT = (
    "report_rows",
    "input_delete_rows",
    "input_delete_chunks",
    "keyless_delete",
    "retry_rejected",
    "retry_busy",
)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    db = connection.connect(connection.ledger_path(tmp_path, create=True))
    yield db
    db.close()


def _plan(db: sqlite3.Connection, name: str) -> list[str]:
    sql = queries()[name]
    if "{values}" in sql:
        width = max(map(int, re.findall(r"column(\d)", sql)))
        statement = many(name, 8, width)
        values: Any = [0] * statement.sql.count("?")
        sql = statement.sql
    else:
        values = dict.fromkeys(_parameters(sql), 1)
        values |= dict.fromkeys({"row_ids", "moves", "codes", "states", "contacts", "campaigns"} & values.keys(), "[]")
    return [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


def _parameters(sql: str) -> set[str]:
    return set(re.findall(r":([a-z]\w*)", sql))


@pytest.mark.parametrize("name", HOT)
def test_hot_queries_find_their_rows(db: sqlite3.Connection, name: str) -> None:
    """Hot queries find their rows."""
    for step in _plan(db, name):
        scanned = re.match(r"SCAN (\w+)", step)
        harmless = re.search(r"VIRTUAL TABLE|CONSTANT ROW|^SCAN (v|a|\(subquery|\(join)", step)
        # The index of rows on the wire, or unknown, holds those alone.
        small = re.search(r"USING (COVERING )?INDEX (rows_sending|rows_unknown|runs_open)", step)
        assert not scanned or harmless or small, _plan(db, name)


def test_senders_are_walked_one_by_one(db: sqlite3.Connection) -> None:
    """From a sender and place to the next by the index, however many rows wait between them."""
    steps = [step for step in _plan(db, "senders_planned") if step.startswith("SEARCH n")]
    assert steps == [
        "SEARCH n USING INDEX rows_from (<expr>=? AND from_address=? AND place_id>?)",
        "SEARCH n USING INDEX rows_from (<expr>=? AND from_address>?)",
    ]


@pytest.fixture
def joining(db: sqlite3.Connection) -> sqlite3.Connection:
    """With the tables in which a file's rows are compared with its campaign's."""
    made = ("clashes_create", "continued_create", "continued_index", "corrected_create", "reaching_create")
    for name in (*made, "restored_create", "restored_index", "restored_index_keys"):
        db.execute(
            queries()[name], {value: "[]" if value == "new_ids" else 1 for value in _parameters(queries()[name])}
        )
    db.execute(queries()["repeats_create"], dict.fromkeys(_parameters(queries()["repeats_create"]), "[]"))
    return db


@pytest.mark.parametrize(
    "name", sorted(name for name in queries() if re.match("(continued|repeats|restored)_(?!drop|index)", name))
)
def test_a_file_planned_again_walks_through_nothing(joining: sqlite3.Connection, name: str) -> None:
    """For each of its rows the campaign's is found: to walk through a table for each would take hours for 100,000."""
    if name.endswith("_create"):
        joining.execute(queries()[name.replace("create", "drop")])
    steps = _plan(joining, name)
    walks = re.compile(r"SCAN (rows|attempts|row_keys|contacts|inputs|old|new|[acgkr])\b")
    assert not list(filter(walks.match, steps)), steps
    assert "SEARCH row_keys USING PRIMARY KEY (campaign_id=?)" not in steps


def test_departures_are_read_from_the_newest_on(db: sqlite3.Connection) -> None:
    """Of one run alone, and nothing is sorted."""
    assert _plan(db, "departures") == ["SEARCH attempts USING INDEX attempts_of_run (run_id=? AND rowid<?)"]


def test_test_sends_are_found_among_millions(db: sqlite3.Connection) -> None:
    """By their rows, below zero: not by walking through every attempt of the account's runs."""
    found = [step for step in _plan(db, "executions_of_contacts") if "attempts_live" in step]
    assert found == ["SEARCH a USING INDEX attempts_live (row_id<?)"]


@pytest.mark.parametrize("name", ["planned_rows", "planned_next", "inputs_planned", "cancel_rows"])
def test_planned_rows_are_found_by_their_input(db: sqlite3.Connection, name: str) -> None:
    """One campaign's waiting rows do not slow another's."""
    steps = [step for step in _plan(db, name) if "rows_planned" in step]
    assert steps
    assert all("(<expr>=?" in step for step in steps), steps


def test_rows_to_send_are_not_sorted_first(db: sqlite3.Connection) -> None:
    """Rows to send are not sorted first."""
    assert not [step for step in _plan(db, "planned_rows") if "TEMP B-TREE" in step]


@pytest.mark.parametrize("name", OF_ONE_INPUT)
def test_an_inputs_rows_are_a_range_of_the_table(db: sqlite3.Connection, name: str) -> None:
    """An input's rows are a range of the table."""
    steps = _plan(db, name)
    assert re.match(r"SEARCH \w+ USING INTEGER PRIMARY KEY \(rowid>\? AND rowid<\?\)", steps[0]), steps
    assert not [step for step in steps if "TEMP B-TREE" in step]


def test_every_query_is_used(root: Path) -> None:
    """Every query is used, and every one that is used is there."""
    used = {call.name for call in _calls(root)} | {f"rehearsal_{table}" for table in TABLES}
    source = "\n".join(path.read_text("utf-8") for path in (root / "dispatcher" / "ledger" / "sqlite").glob("*.py"))
    used |= set(re.findall(r'(?:queries\(\)|sql)\["(\w+)"\]', source))
    assert used == queries().keys()


def test_queries_have_the_parameters_they_are_given(root: Path) -> None:
    """Neither fewer nor more: another database's file of queries need only have these names and parameters."""
    calls = list(_calls(root))
    assert len(calls) > 60
    for call in calls:
        sql = queries()[call.name]
        assert call.parameters == _parameters(sql), (call.where, call.name)
        assert ("{values}" in sql) == (call.width is not None), (call.where, call.name)
        columns = {int(column) for column in re.findall(r"\bcolumn(\d+)", sql)}
        assert not columns or columns == set(range(1, (call.width or 0) + 1)), (call.where, call.name)


@dataclass(frozen=True)
class Call:
    """A query that the ledger's rules ask for."""

    where: str
    name: str
    parameters: set[str]
    #: Values of a row, where many are given.
    width: int | None


def _calls(root: Path) -> Iterator[Call]:
    for path in sorted((root / "dispatcher" / "ledger").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            method, asked = node.func.attr, node.func.value
            if not (isinstance(asked, ast.Name) and asked.id == "db" and method in METHODS):
                continue
            name = node.args[0]
            assert isinstance(name, ast.Constant), f"{path.name}:{node.lineno}: a name that nobody can look up"
            parameters: set[str] = set()
            for keyword in node.keywords:
                parameters |= {keyword.arg} if keyword.arg else _spread(keyword.value)
            width = None
            if method in ("insert", "update"):
                assert isinstance(node.args[1], ast.Constant)
                width = node.args[1].value
            assert isinstance(name.value, str)
            assert width is None or isinstance(width, int)
            yield Call(f"{path.name}:{node.lineno}", name.value, parameters, width)


METHODS = ("run", "one", "first", "rows", "insert", "update")


def _spread(value: ast.expr) -> set[str]:
    """`**ids`, `**id_range(…)`: an input's rows; nothing else is given by a dictionary."""
    assert ast.unparse(value).startswith(("ids", "id_range(")), ast.unparse(value)
    return set(id_range(1))


def test_no_sql_stands_in_python(root: Path) -> None:
    """But for transactions and settings of a connection, which have no rows; and none outside a database's folder."""
    allowed = re.compile(r"(PRAGMA|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|ATTACH|DETACH|VACUUM)")
    for path in (root / "dispatcher" / "ledger").rglob("*.py"):
        source = path.read_text("utf-8")
        for text in re.findall(r'execute\(\s*f?"([^"]+)"', source):
            assert allowed.match(text), (path.name, text)
        if path.parent.name not in ("sqlite", "postgres"):
            assert "execute(" not in source, path.name


def test_scripts_are_cut_into_whole_statements() -> None:
    """Scripts are cut into whole statements."""
    assert all(sqlite3.complete_statement(statement) for statement in statements("schema.sql"))
    made = "".join(statements("schema.sql"))
    kinds = ("CREATE TABLE", "CREATE INDEX", "CREATE UNIQUE INDEX", "CREATE VIEW", "CREATE TRIGGER")
    assert sum(made.count(kind) for kind in kinds) == len(list(statements("schema.sql")))
