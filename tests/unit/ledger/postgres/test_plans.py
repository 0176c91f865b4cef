"""How the server finds rows: one by one while they are sent, and by its own figures after a file is planned."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from dispatcher.ledger.postgres.ledger import FIGURES_ROWS, PostgresLedger
from dispatcher.model import Outcome, RowState
from tests.support.ledgers import NONE, campaign, end, lines, planned
from tests.support.postgres import query

ROWS = 3 * FIGURES_ROWS
CLAIM_ROWS = 50
NUMBERS_S = 20.0


@pytest.fixture
async def ledger(url: str) -> AsyncIterator[PostgresLedger]:
    found = await asyncio.to_thread(PostgresLedger.open, url)
    yield found
    await found.close()


def numbers(rows: int) -> list[str]:
    """So many keys."""
    return [f"+1555{n:07d}" for n in range(rows)]


def gone_through(url: str, table: str) -> int:
    """How many rows were read by going through the whole table."""
    ((rows,),) = query(url, f"SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = '{table}'")
    return int(rows)


def wait_for_numbers(url: str) -> None:
    """Until those of all attempts are there."""
    known = f"SELECT 1 FROM pg_stat_user_tables WHERE relname = 'attempts' AND n_tup_ins >= {ROWS}"
    give_up_s = time.monotonic() + NUMBERS_S
    while not query(url, known):
        assert time.monotonic() < give_up_s
        time.sleep(0.1)


async def test_nothing_is_gone_through_while_rows_are_sent(ledger: PostgresLedger, url: str) -> None:
    """Statements are prepared while the tables are empty, and those must not be the plans of large ones."""
    record = await campaign(ledger)
    async with ledger.lease(record.account, wait=False):
        await planned(ledger, record, lines(*numbers(ROWS)))
        run = await ledger.start_run(record, window_limit=200, now_ms=1)
        before = {table: gone_through(url, table) for table in ("rows", "attempts", "row_keys", "contacts")}
        sent = 0
        while rows := await ledger.begin_rows(run, CLAIM_ROWS, now_ms=1, input_id=None, repeat_after_ms=60_000):
            await ledger.end_rows(run, [end(row, Outcome.created) for row in rows], now_ms=2, totals=NONE)
            sent += len(rows)
        assert sent == ROWS == (await ledger.status(record)).rows[RowState.created]
    await ledger.close()  # a connection's numbers are the server's once it has ended
    await asyncio.to_thread(wait_for_numbers, url)
    found = {table: gone_through(url, table) - rows for table, rows in before.items()}
    # Once through for all claims together, and not once for each.
    assert max(found.values()) <= ROWS, found


async def test_a_file_s_figures_are_known_at_once(ledger: PostgresLedger, url: str) -> None:
    """Of a small file nothing is asked."""
    record = await campaign(ledger)
    known = "SELECT reltuples FROM pg_class WHERE oid = 'dispatcher.rows'::regclass"
    async with ledger.lease(record.account, wait=False):
        await planned(ledger, record, lines(*numbers(FIGURES_ROWS - 1)))
        ((before,),) = query(url, known)
        await planned(ledger, record, lines(*numbers(FIGURES_ROWS)))
        ((after,),) = query(url, known)
    assert before < FIGURES_ROWS - 1
    assert after >= FIGURES_ROWS
