"""Guards inside the SQL itself: what is proved stays proved, even where a ledger was put together from two."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.ledger.sqlite.ledger import SqliteLedger
from dispatcher.model import Outcome
from tests.support.ledgers import NONE, campaign, end, lines, planned, raw


@pytest.mark.parametrize("proved", [Outcome.created, Outcome.rejected, Outcome.not_sent])
async def test_a_proof_is_not_overwritten(tmp_path: Path, proved: Outcome) -> None:
    """An attempt that has its outcome keeps it, also where its row says that it is still on the wire.

    A copy of a ledger made file by file while it is written to may join a row of one moment with an attempt of another.
    """
    ledger = SqliteLedger.open(tmp_path)
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("a"))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    (row,) = await ledger.begin_rows(run, 1, now_ms=5, input_id=None)
    sid = "FN" + "1" * 32
    with raw(ledger.path) as db:
        db.execute("UPDATE attempts SET outcome = ?, execution_sid = ?, ended_at_ms = 6", (proved.value, sid))
    await ledger.end_rows(run, [end(row, Outcome.unknown)], now_ms=9, totals=NONE)
    with raw(ledger.path) as db:
        kept = db.execute("SELECT outcome, execution_sid, ended_at_ms FROM attempts").fetchall()
    await ledger.close()
    assert kept == [(proved.value, sid, 6)]
