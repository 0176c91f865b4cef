"""A full disk: nothing acknowledged is lost, nothing more is granted, and it works again once there is space."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dispatcher.errors import ExitCode, LedgerFull
from dispatcher.ledger import SqliteLedger
from dispatcher.ledger.writer import mapped_os
from dispatcher.model import CampaignRecord, GrantedRow, Outcome, RowState, Run
from tests.support.ledgers import NONE, batch, campaign, end, flaws, lines, new_input, planned, raw

KEYS = [f"+1555010{n:04}" for n in range(5_000)]


async def _limited(ledger: SqliteLedger, more: int | None) -> None:
    """Let the file grow by so many pages; None: as it likes."""

    def limit(db: object) -> None:
        (pages,) = db.execute("PRAGMA page_count").fetchone()  # type: ignore[attr-defined]
        db.execute(f"PRAGMA max_page_count = {1 << 30 if more is None else pages + more}")  # type: ignore[attr-defined]

    await ledger._writer.read(limit)


async def _send_until_full(ledger: SqliteLedger, run: Run) -> tuple[list[GrantedRow], set[str]]:
    """Claim and answer until a write is refused: rows granted whose outcome is not written, and keys that are created."""
    held: list[GrantedRow] = []
    created: set[str] = set()
    try:
        while True:
            held = await ledger.begin_rows(run, 50, now_ms=5, input_id=None)
            assert held, "the disk was not full in time"
            await ledger.end_rows(run, [end(row, Outcome.created) for row in held], now_ms=6, totals=NONE)
            created |= {row.row_key for row in held}
            held = []
    except LedgerFull as error:
        assert error.exit_code is ExitCode.STOPPED
        assert error.fix
    return held, created


async def _goes_on(ledger: SqliteLedger, record: CampaignRecord, run: Run, created: set[str]) -> None:
    """With space again, every row is sent once."""
    while rows := await ledger.begin_rows(run, 500, now_ms=7, input_id=None):
        assert not created & {row.row_key for row in rows}
        created |= {row.row_key for row in rows}
        await ledger.end_rows(run, [end(row, Outcome.created) for row in rows], now_ms=8, totals=NONE)
    assert created == set(KEYS)
    assert (await ledger.status(record)).rows[RowState.created] == len(KEYS)


@pytest.mark.parametrize("more", range(0, 40, 5))
async def test_a_file_that_cannot_grow_stops_sending_and_loses_nothing(tmp_path: Path, more: int) -> None:
    ledger = SqliteLedger.open(tmp_path)
    spring = await campaign(ledger)
    await planned(ledger, spring, lines(*KEYS))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    await _limited(ledger, more)
    held, created = await _send_until_full(ledger, run)
    # Nothing half done, and it still cannot: neither the outcomes that are kept in memory nor new intents.
    for _ in range(2):
        with pytest.raises(LedgerFull):
            await asyncio.gather(
                ledger.end_rows(run, [end(row, Outcome.created) for row in held], now_ms=6, totals=NONE),
                *(ledger.begin_rows(run, 200, now_ms=6, input_id=None) for _ in range(3)),
            )
        break
    status = await ledger.status(spring)
    assert status.rows[RowState.created] >= len(created)
    assert flaws(ledger.path) == []
    await _limited(ledger, None)
    left = [end(row, Outcome.created) for row in held]
    await ledger.end_rows(run, left, now_ms=7, totals=NONE)
    with raw(ledger.path) as db:
        sending = [key for (key,) in db.execute("SELECT row_key FROM rows WHERE state = 'sending'")]
    # Intents that were granted while the disk was full to somebody who was not told of it are recovered as doubt.
    assert (await ledger.start_run(spring, window_limit=200, now_ms=7)).recovered == len(sending)
    await ledger.close()
    assert flaws(ledger.path) == []
