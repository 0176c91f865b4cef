"""Ledgers with rows in them, and what must be true of any ledger at any moment."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from dispatcher.ledger import Ledger, open_ledger
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
from dispatcher.ledger.sqlite.key import KEY_NAME
from dispatcher.model import Outcome, Reason
from dispatcher.settings import StateSettings

ACCOUNT_SID = "AC" + "0" * 32
FLOW_SID = "FW" + "0" * 32
BASE_URL = "http://127.0.0.1"
SENDER = "+15550100000"
NONE = RunTotals()


#: Runs a query on a ledger's database, from outside.
Query = Callable[[str], list[tuple[Any, ...]]]


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


async def opened(folder: Path, *, create: bool = True) -> Ledger:
    """The ledger of a state folder."""
    return await open_ledger(StateSettings(dir=str(folder)), create=create)


async def campaign(ledger: Ledger, name: str = "spring", account_sid: str = ACCOUNT_SID) -> CampaignRecord:
    """A campaign, made where it is new."""
    return await ledger.open_campaign(name, await account(ledger, account_sid), FLOW_SID)


async def account(ledger: Ledger, account_sid: str = ACCOUNT_SID) -> Account:
    """An account, made where it is new."""
    return await ledger.account(account_sid, BASE_URL)


async def planned(
    ledger: Ledger, record: CampaignRecord, of: Sequence[Line], new: NewInput | None = None
) -> PlanCounts:
    """The lines as a file of the campaign."""
    record_ = await ledger.begin_input(record, new or new_input())
    await ledger.load_rows(record_.input_id, batch(of))
    sha256 = hashlib.sha256(repr([*of]).encode()).hexdigest()
    return await ledger.finish_input(record_.input_id, sha256)


def end(
    row: GrantedRow, outcome: Outcome, not_before_ms: int | None = None, code: int | None = None, at_ms: int = 5
) -> AttemptEnd:
    """What an attempt proved that was begun at `at_ms`."""
    return AttemptEnd(
        row.row_id,
        row.attempt_id,
        outcome,
        None if outcome is Outcome.not_sent else at_ms + 1,
        at_ms + 2,
        execution_sid=f"FN{row.attempt_id:032x}" if outcome is Outcome.created else None,
        error_code=code,
        not_before_ms=not_before_ms,
    )


async def report(ledger: Ledger, input_id: int, **wanted: Any) -> list[ReportRow]:
    """All rows of an input's report."""
    async with ledger.snapshot() as snapshot:
        return [row async for rows in snapshot.rows(input_id, **wanted) for row in rows]


def killed(path: Path, folder: Path) -> Path:
    """What a SIGKILL at this moment leaves of the ledger: its files as the system has them, copied to `folder`."""
    folder.mkdir(parents=True)
    for name in (FILE_NAME, f"{FILE_NAME}-wal", KEY_NAME):
        if path.with_name(name).exists():
            shutil.copyfile(path.with_name(name), folder / name)
    return folder


def raw(path: Path) -> contextlib.closing[sqlite3.Connection]:
    """The file itself, to look into."""
    return contextlib.closing(sqlite3.connect(path, isolation_level=None))


def flaws(path: Path) -> list[str]:
    """What is wrong with a ledger's file: empty for a sound one, whatever happened to it."""
    with raw(path) as db:
        db.execute("BEGIN")
        checked = db.execute("PRAGMA integrity_check").fetchall()
        damaged = [] if checked == [("ok",)] else [f"damaged: {checked}"]
        return damaged + flaws_of(lambda sql: db.execute(sql).fetchall())


def flaws_of(query: Query) -> list[str]:
    """What is wrong with a ledger, whatever its database; of one moment, if the query's answers are."""
    return list(_flaws(query))


def _flaws(query: Query) -> Iterable[str]:
    tallies = Counter({(input_id, state): n for input_id, state, n in query("SELECT * FROM tallies WHERE n <> 0")})
    counted = Counter(
        {
            (input_id, state): n
            for input_id, state, n in query("SELECT row_id >> 32, state, count(*) FROM rows GROUP BY 1, 2")
        }
    )
    if tallies != counted:
        yield f"tallies are {tallies}, the rows {counted}"
    for claim, sql in _NEVER.items():
        found = query(sql)
        if found:
            yield f"{claim}: {found[:5]}"
    chunks = {first: orjson.loads(cells) for first, cells in query("SELECT chunk_id, cells FROM chunks")}
    stored = {first + at for first, rows in chunks.items() for at, row in enumerate(rows) if row is not None}
    bare = {row_id for (row_id,) in query("SELECT row_id FROM rows")} - stored
    if bare:
        yield f"rows without cells: {sorted(bare)[:5]}"


#: What must never be -> the rows for which it is.
_NEVER = {
    "two live attempts of one row": """
        SELECT row_id, count(*) FROM attempts WHERE outcome IS NULL OR outcome IN ('unknown', 'created')
        GROUP BY row_id HAVING count(*) > 1""",
    "two rows with one identity": """
        SELECT coalesce(identity, row_id), count(*) FROM rows GROUP BY 1 HAVING count(*) > 1""",
    "a key whose row is gone or has another": """
        SELECT k.row_key, k.row_id FROM row_keys AS k LEFT JOIN rows AS r USING (row_id)
        WHERE r.row_id IS NULL OR r.row_key IS NULL OR r.row_key <> k.row_key""",
    "a row whose key is not its own": """
        SELECT r.row_id, r.row_key FROM rows AS r JOIN inputs AS i ON i.input_id = r.row_id >> 32
        LEFT JOIN row_keys AS k ON k.campaign_id = i.campaign_id AND k.row_key = r.row_key
        WHERE i.ready_at_ms IS NOT NULL AND r.row_key IS NOT NULL AND (k.row_id IS NULL OR k.row_id <> r.row_id)""",
    "a test send that is not alone in a run without a campaign": """
        SELECT a.attempt_id FROM attempts AS a JOIN runs AS r ON r.run_id = a.run_id
        WHERE (a.row_id < 0) <> (r.campaign_id IS NULL) OR (a.row_id < 0 AND a.row_id <> -a.run_id)""",
    "a row to be sent without a key": """
        SELECT row_id FROM rows WHERE row_key IS NULL AND state NOT IN ('invalid', 'skipped')""",
    "a row that is to be sent, or may be by a retry, and has a reason not to": """
        SELECT row_id, reason_code FROM rows
        WHERE state IN ('planned', 'rejected', 'busy') AND reason_code IS NOT NULL""",
    "a state without its attempt": """
        SELECT r.row_id, r.state, a.outcome FROM rows AS r LEFT JOIN attempts AS a ON a.attempt_id = r.last_attempt
        WHERE (r.state = 'sending' AND (a.attempt_id IS NULL OR a.outcome IS NOT NULL))
           OR (r.state IN ('created', 'rejected', 'busy', 'unknown') AND coalesce(a.outcome, '') <> r.state)""",
    "an attempt in flight whose row does not know it": """
        SELECT a.attempt_id FROM attempts AS a LEFT JOIN rows AS r ON r.last_attempt = a.attempt_id
        WHERE a.outcome IS NULL AND a.row_id >= 0 AND coalesce(r.state, '') <> 'sending'""",
    "an execution whose row is not created": """
        SELECT a.attempt_id FROM attempts AS a LEFT JOIN rows AS r ON r.last_attempt = a.attempt_id
        WHERE a.outcome = 'created' AND a.row_id >= 0 AND coalesce(r.state, '') <> 'created'""",
    "an attempt that counts and whose contact is not known": """
        SELECT attempt_id FROM attempts WHERE row_id >= 0 AND (outcome IS NULL OR outcome IN ('created', 'unknown'))
        EXCEPT SELECT attempt_id FROM contacted""",
    "a file in which some rows have senders of their own, and others that can be sent have not": """
        SELECT r.row_id, r.from_address FROM rows AS r JOIN inputs AS i ON i.input_id = r.row_id >> 32
        WHERE i.ready_at_ms IS NOT NULL AND i.from_address IS NOT NULL AND r.row_key IS NOT NULL
          AND (r.from_address IS NOT NULL) <> i.own_senders""",
    "an attempt of another row": """
        SELECT r.row_id, a.row_id FROM rows AS r JOIN attempts AS a ON a.attempt_id = r.last_attempt
        WHERE coalesce(r.identity, r.row_id) <> a.row_id""",
}
