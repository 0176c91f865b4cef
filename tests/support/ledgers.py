"""Ledgers with rows in them, and what must be true of any ledger file at any moment."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from dispatcher.ledger import SqliteLedger
from dispatcher.ledger.records import (
    Account,
    AttemptEnd,
    CampaignRecord,
    GrantedRow,
    NewInput,
    PlanCounts,
    ReportRow,
    RowBatch,
    RunTotals,
)
from dispatcher.ledger.sqlite.connection import FILE_NAME
from dispatcher.model import Outcome, Reason

ACCOUNT_SID = "AC" + "0" * 32
FLOW_SID = "FW" + "0" * 32
BASE_URL = "http://127.0.0.1"
SENDER = "+15550100000"
NONE = RunTotals()


class Line(NamedTuple):
    """A line of a file, as intake hands it over. `to` None: the key."""

    key: str | None
    state: str = "planned"
    to: str | None = None
    sender: str | None = None
    reason: Reason | None = None
    name: str = "Ann"
    not_before_ms: int = 0


def lines(*keys: str) -> list[Line]:
    """Plain lines with these keys."""
    return [Line(key) for key in keys]


def invalid(key: str | None = None, name: str = "Ann") -> Line:
    """A line that is wrong."""
    return Line(key, "invalid", reason=Reason.to_invalid, name=name)


def suppressed(key: str, name: str = "Ann") -> Line:
    """A line that is left out on purpose."""
    return Line(key, "skipped", reason=Reason.suppressed, name=name)


def batch(of: Sequence[Line], first: int = 2) -> RowBatch:
    """The lines as intake hands them over, numbered from `first`."""
    return RowBatch(
        row_numbers=range(first, first + len(of)),
        row_keys=[line.key for line in of],
        states=[line.state for line in of],
        to_addresses=[line.to or line.key for line in of],
        from_addresses=[line.sender for line in of],
        cells=[orjson.dumps(cells(line)).decode() for line in of],
        reasons={at: (line.reason, "phone", "a sentence") for at, line in enumerate(of) if line.reason},
        not_before_ms={at: line.not_before_ms for at, line in enumerate(of) if line.not_before_ms},
    )


def cells(line: Line) -> list[str]:
    """A line's cells, in the order of `new_input`'s header."""
    return [line.to or line.key or "?", line.name]


def new_input(sender: str | None = SENDER, **constants: str) -> NewInput:
    """A file with the columns phone and name; name is a parameter."""
    return NewInput(
        source="contacts.csv",
        header=("phone", "name"),
        parameter_columns={"name": 1},
        parameter_constants=constants,
        from_address=sender,
    )


async def campaign(ledger: SqliteLedger, name: str = "spring", account_sid: str = ACCOUNT_SID) -> CampaignRecord:
    """A campaign, made where it is new."""
    return await ledger.open_campaign(name, await account(ledger, account_sid), FLOW_SID)


async def account(ledger: SqliteLedger, account_sid: str = ACCOUNT_SID) -> Account:
    """An account, made where it is new."""
    return await ledger.account(account_sid, BASE_URL)


async def planned(
    ledger: SqliteLedger, record: CampaignRecord, of: Sequence[Line], new: NewInput | None = None
) -> PlanCounts:
    """The lines as a file of the campaign."""
    record_ = await ledger.begin_input(record, new or new_input())
    await ledger.load_rows(record_.input_id, batch(of))
    return await ledger.finish_input(record_.input_id, "sha")


def end(row: GrantedRow, outcome: Outcome, not_before_ms: int | None = None, code: int | None = None) -> AttemptEnd:
    """What an attempt proved, at a time of no interest."""
    left_ms = None if outcome is Outcome.not_sent else row.may_leave_ms + 1
    sid = f"FN{row.attempt_id:032x}" if outcome is Outcome.created else None
    return AttemptEnd(
        row.row_id,
        row.attempt_id,
        row.input_id,
        outcome,
        left_ms,
        row.may_leave_ms + 2,
        execution_sid=sid,
        error_code=code,
        not_before_ms=not_before_ms,
    )


def report(ledger: SqliteLedger, record: CampaignRecord, input_id: int) -> list[ReportRow]:
    """All rows of an input's report."""
    return [row for rows in ledger.report_rows(record, input_id) for row in rows]


def killed(path: Path, folder: Path) -> Path:
    """What a SIGKILL at this moment leaves of the ledger: its files as the system has them, copied to `folder`."""
    folder.mkdir(parents=True)
    for name in (FILE_NAME, f"{FILE_NAME}-wal"):
        if path.with_name(name).exists():
            shutil.copyfile(path.with_name(name), folder / name)
    return folder


def raw(path: Path) -> contextlib.closing[sqlite3.Connection]:
    """The file itself, to look into."""
    return contextlib.closing(sqlite3.connect(path, isolation_level=None))


def flaws(path: Path) -> list[str]:
    """What is wrong with a ledger file: empty for a sound one, whatever happened to it."""
    with raw(path) as db:
        db.execute("BEGIN")
        return list(_flaws(db))


def _flaws(db: sqlite3.Connection) -> Iterable[str]:
    checked = db.execute("PRAGMA integrity_check").fetchall()
    if checked != [("ok",)]:
        yield f"damaged: {checked}"
    tallies = Counter[tuple[int, str]]()
    for input_id, state, n in db.execute("SELECT input_id, state, n FROM tallies WHERE n <> 0"):
        tallies[input_id, state] = n
    counted = Counter[tuple[int, str]](
        {
            (input_id, state): n
            for input_id, state, n in db.execute("SELECT row_id >> 32, state, count(*) FROM rows GROUP BY 1, 2")
        }
    )
    if tallies != counted:
        yield f"tallies are {tallies}, the rows {counted}"
    for claim, query in _NEVER.items():
        found = db.execute(query).fetchall()
        if found:
            yield f"{claim}: {found[:5]}"


#: What must never be -> the rows for which it is.
_NEVER = {
    "two live attempts of one row": """
        SELECT row_id, count(*) FROM attempts WHERE outcome IS NULL OR outcome IN ('unknown', 'created')
        GROUP BY row_id HAVING count(*) > 1""",
    "two rows with one identity": """
        SELECT coalesce(identity, row_id), count(*) FROM rows GROUP BY 1 HAVING count(*) > 1""",
    "a key whose row is gone or has another": """
        SELECT k.row_key, k.row_id FROM row_keys AS k LEFT JOIN rows AS r USING (row_id)
        WHERE r.row_key IS NOT k.row_key""",
    "a row whose key is not its own": """
        SELECT r.row_id, r.row_key FROM rows AS r JOIN inputs AS i ON i.input_id = r.row_id >> 32
        LEFT JOIN row_keys AS k ON k.campaign_id = i.campaign_id AND k.row_key = r.row_key
        WHERE i.ready_at_ms IS NOT NULL AND r.row_key IS NOT NULL AND k.row_id IS NOT r.row_id""",
    "a row to be sent without a key": """
        SELECT row_id FROM rows WHERE row_key IS NULL AND state NOT IN ('invalid', 'skipped')""",
    "a row that is to be sent and has a reason not to": """
        SELECT row_id, reason_code FROM rows WHERE state = 'planned' AND reason_code IS NOT NULL""",
    "a state without its attempt": """
        SELECT r.row_id, r.state, a.outcome FROM rows AS r LEFT JOIN attempts AS a ON a.attempt_id = r.last_attempt
        WHERE (r.state = 'sending' AND (a.attempt_id IS NULL OR a.outcome IS NOT NULL))
           OR (r.state IN ('created', 'rejected', 'busy', 'unknown') AND a.outcome IS NOT r.state)""",
    "an attempt in flight whose row does not know it": """
        SELECT a.attempt_id FROM attempts AS a LEFT JOIN rows AS r ON r.last_attempt = a.attempt_id
        WHERE a.outcome IS NULL AND r.state IS NOT 'sending'""",
    "an execution whose row is not created": """
        SELECT a.attempt_id FROM attempts AS a LEFT JOIN rows AS r ON r.last_attempt = a.attempt_id
        WHERE a.outcome = 'created' AND r.state IS NOT 'created'""",
    "an attempt of another row": """
        SELECT r.row_id, a.row_id FROM rows AS r JOIN attempts AS a ON a.attempt_id = r.last_attempt
        WHERE coalesce(r.identity, r.row_id) <> a.row_id""",
    "a row without cells": """
        SELECT r.row_id FROM rows AS r WHERE NOT EXISTS (
          SELECT 1 FROM chunks AS c WHERE c.chunk_id <= r.row_id AND c.chunk_id >> 32 = r.row_id >> 32
          AND json_extract(c.cells, '$[' || (r.row_id - c.chunk_id) || ']') IS NOT NULL)""",
}
