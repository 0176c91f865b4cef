"""What the ledger tells: campaigns, their counts, and their rows for the report."""

from __future__ import annotations

import difflib
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dispatcher.errors import CampaignMismatch, CampaignNotFound
from dispatcher.ledger.chunks import ROW_NUMBER_BITS, ROW_NUMBER_MASK, ChunkReader, id_range
from dispatcher.ledger.records import Account, CampaignRecord, CampaignStatus, ReportRow
from dispatcher.ledger.sqlite.connection import snapshot
from dispatcher.ledger.sqlite.queries import queries
from dispatcher.model import RowState, empty_counts

REPORT_ROWS_PER_BATCH = 500
_STATES = {state.value: state for state in RowState}


def account(db: sqlite3.Connection, account_sid: str, base_url: str) -> Account:
    """The account's record, made where it is new."""
    values = {"account_sid": account_sid, "base_url": base_url}
    db.execute(queries()["account_upsert"], values)
    row = db.execute(queries()["account_get"], values).fetchone()
    return Account(account_id=row[0], account_sid=row[1], base_url=row[2])


def open_campaign(db: sqlite3.Connection, name: str, owner: Account, flow_sid: str, now_ms: int) -> CampaignRecord:
    """The campaign of that name, made where it is new. Raises: CampaignMismatch."""
    values = {"name": name, "account_id": owner.account_id, "flow_sid": flow_sid, "now_ms": now_ms}
    db.execute(queries()["campaign_insert"], values)
    campaign = _campaign(db.execute(queries()["campaign_get"], {"name": name}).fetchone())
    if campaign.account != owner:
        raise CampaignMismatch(
            f"campaign {name!r} belongs to another account",
            found=f"{campaign.account.account_sid} at {campaign.account.base_url}",
            fix=f"--campaign {name}-2, or set the account it belongs to",
        )
    if campaign.flow_sid != flow_sid:
        raise CampaignMismatch(
            f"campaign {name!r} belongs to another flow",
            found=campaign.flow_sid,
            fix=f"--campaign {name}-2, or [campaign] flow = {campaign.flow_sid!r}",
        )
    return campaign


def find_campaign(db: sqlite3.Connection, name: str) -> CampaignRecord:
    """Raises: CampaignNotFound, naming the nearest that there is."""
    row = db.execute(queries()["campaign_get"], {"name": name}).fetchone()
    if row is None:
        names = [record.name for record in campaigns(db)]
        near = difflib.get_close_matches(name, names, n=1)
        raise CampaignNotFound(
            f"there is no campaign {name!r}",
            found=", ".join(names[-10:]) or "an empty ledger",
            fix=f"did you mean {near[0]!r}?" if near else "dispatcher status lists the campaigns",
        )
    return _campaign(row)


def campaigns(db: sqlite3.Connection) -> list[CampaignRecord]:
    """All, oldest first."""
    return [_campaign(row) for row in db.execute(queries()["campaign_list"])]


def status(db: sqlite3.Connection, campaign: CampaignRecord, *, locked: bool) -> CampaignStatus:
    """A campaign's counts. `locked`: some process holds the account's lock."""
    sql, values = queries(), {"campaign_id": campaign.campaign_id}
    current = find_campaign(db, campaign.name)
    rows = empty_counts()
    earlier: Counter[RowState] = Counter()
    for input_id, state, n in db.execute(sql["tallies_of_campaign"], values):
        if input_id == current.input_id:
            rows[_STATES[state]] = n
        else:
            earlier[_STATES[state]] += n
    requests, throttled, worst, first_ms, duration_ms = db.execute(sql["runs_summary"], values).fetchone()
    latest = db.execute(sql["run_latest"], values).fetchone()
    window_limit, stopped_ms, stop_reason, is_newest = latest or (0, 0, None, False)
    # A run that has not stopped and is not the account's newest, or whose account nobody holds, was killed.
    running = stopped_ms is None and locked and bool(is_newest)
    return CampaignStatus(
        campaign=current,
        rows=rows,
        earlier_rows=dict(earlier),
        attempts=requests - throttled,
        throttled=throttled,
        worst_window=worst,
        window_limit=window_limit,
        first_started_at_ms=first_ms,
        duration_s=duration_ms / 1000,
        running=running,
        interrupted=stopped_ms is None and not running,
        stop_reason=stop_reason,
        report_path=db.execute(sql["campaign_report_path"], values).fetchone()[0],
    )


def report_rows(path: Path, input_id: int) -> Iterator[list[ReportRow]]:
    """One input's rows in file order, some hundred at a time, as they are when the first is read."""
    with snapshot(path) as db:
        chunks = ChunkReader()
        cursor = db.execute(queries()["report_rows"], id_range(input_id))
        while rows := cursor.fetchmany(REPORT_ROWS_PER_BATCH):
            yield _report_rows(db, chunks, rows)


def _report_rows(db: sqlite3.Connection, chunks: ChunkReader, rows: list[Any]) -> list[ReportRow]:
    # The query's columns stand in the order of ReportRow's fields: a million rows pass here, and tuples are fast.
    cells = chunks.cells
    return [
        ReportRow._make(
            (row_id, row_id >> ROW_NUMBER_BITS, row_id & ROW_NUMBER_MASK, cells(db, row_id), _STATES[state], *rest)
        )
        for row_id, state, *rest in rows
    ]


def _campaign(row: Any) -> CampaignRecord:
    return CampaignRecord(
        campaign_id=row[0],
        name=row[1],
        account=Account(account_id=row[2], account_sid=row[3], base_url=row[4]),
        flow_sid=row[5],
        created_at_ms=row[6],
        input_id=row[7],
    )
