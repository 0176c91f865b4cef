"""The SQL: every query is used, and the hot ones never walk through a ledger of millions of rows."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.ledger.sqlite import connection
from dispatcher.ledger.sqlite.queries import queries, statements

#: Asked while sending, or at every start: their cost must not grow with the ledger.
HOT = (
    "account_get",
    "begin_check",
    "campaign_get",
    "chunk_of_row",
    "inputs_planned",
    "planned_rows",
    "planned_next",
    "attempts_begin",
    "rows_begin",
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
    widest = max([0, *map(int, re.findall(r"column(\d)", sql))])
    sql = sql.format(values=",".join(["(" + ",".join("?" * widest) + ")"] * 8)) if widest else sql
    values: object = [0] * sql.count("?") if "?" in sql else dict.fromkeys(re.findall(r":(\w+)", sql), 1)
    if isinstance(values, dict):
        values |= dict.fromkeys({"row_ids", "moves", "codes"} & values.keys(), "[]")
    return [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", HOT)
def test_hot_queries_find_their_rows(db: sqlite3.Connection, name: str) -> None:
    """Hot queries find their rows."""
    for step in _plan(db, name):
        scanned = re.match(r"SCAN (\w+)", step)
        harmless = re.search(r"VIRTUAL TABLE|CONSTANT ROW|^SCAN (v|a|\(subquery|\(join)", step)
        # The index of rows on the wire, or in doubt, holds those alone.
        small = re.search(r"USING (COVERING )?INDEX (rows_sending|rows_unknown|runs_open)", step)
        assert not scanned or harmless or small, _plan(db, name)


def test_departures_are_read_from_the_newest_on(db: sqlite3.Connection) -> None:
    """Departures are read from the newest on."""
    steps = _plan(db, "departures")
    assert steps[0] == "SEARCH a USING INTEGER PRIMARY KEY (rowid<?)"
    assert not [step for step in steps if "TEMP B-TREE" in step]


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
    """An inputs rows are a range of the table."""
    steps = _plan(db, name)
    assert re.match(r"SEARCH \w+ USING INTEGER PRIMARY KEY \(rowid>\? AND rowid<\?\)", steps[0]), steps
    assert not [step for step in steps if "TEMP B-TREE" in step]


def test_every_query_is_used(root: Path) -> None:
    """Every query is used."""
    source = "\n".join(
        path.read_text("utf-8") for path in (root / "dispatcher" / "ledger").rglob("*.py") if path.name != "queries.py"
    )
    used = set(re.findall(r'"(\w+)"', source)) | {f"retry_{kind}" for kind in ("rejected", "busy", "cancelled")}
    assert sorted(queries().keys() - used) == []


def test_no_sql_stands_in_python(root: Path) -> None:
    """But for transactions and settings of a connection, which have no rows."""
    for path in (root / "dispatcher" / "ledger").rglob("*.py"):
        for text in re.findall(r'execute\(\s*f?"([^"]+)"', path.read_text("utf-8")):
            assert re.match(r"(PRAGMA|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)", text), (path.name, text)


def test_scripts_are_cut_into_whole_statements() -> None:
    """Scripts are cut into whole statements."""
    assert all(sqlite3.complete_statement(statement) for statement in statements("schema.sql"))
    made = "".join(statements("schema.sql"))
    assert made.count("CREATE TABLE") + made.count("CREATE INDEX") + made.count("CREATE UNIQUE INDEX") == len(
        list(statements("schema.sql"))
    )
