"""Two processes with accounts of their own on one ledger file: both get on, and neither sees the other's rows."""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
from pathlib import Path

import pytest

from dispatcher.model import Outcome, RowState
from tests.support.ledgers import NONE, batch, campaign, end, flaws, lines, new_input, opened

ROWS = 1_500
LOT = 25

Told = tuple[str, int, int, float]


async def _send(folder: Path, number: int, ready: object, told: multiprocessing.Queue[Told]) -> None:
    ready.wait()  # type: ignore[attr-defined]
    ledger = await opened(folder)
    record = await campaign(ledger, f"campaign-{number}", f"AC{number:032x}")
    longest_s = 0.0
    loop = asyncio.get_running_loop()
    async with ledger.lease(record.account, wait=False):
        for part in range(2):
            loading = await ledger.begin_input(record, new_input())
            for start in range(0, ROWS, 500):
                keys = [f"+1555010{n:04}" for n in range(start, start + 500 + part * 10)]
                rows = batch(lines(*keys), first=2 + start * 2)
                await ledger.load_rows(loading.input_id, rows)
            await ledger.finish_input(loading.input_id, "sha")
        run = await ledger.start_run(record, window_limit=200, now_ms=1)
        seen: set[str] = set()
        while True:
            started_s = loop.time()
            granted = await ledger.begin_rows(run, LOT, now_ms=2, input_id=None)
            if not granted:
                break
            assert not seen & {row.row_key for row in granted}
            seen |= {row.row_key for row in granted}
            await ledger.end_rows(run, [end(row, Outcome.created) for row in granted], now_ms=3, totals=NONE)
            longest_s = max(longest_s, loop.time() - started_s)
        status = await ledger.status(record)
    await ledger.close()
    told.put((record.name, len(seen), status.rows[RowState.created], longest_s))


def _process(folder: Path, number: int, ready: object, told: multiprocessing.Queue[Told]) -> None:
    asyncio.run(_send(folder, number, ready, told))


@pytest.mark.parametrize("processes", [3])
def test_processes_share_a_file(tmp_path: Path, processes: int, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All open it at the same moment, when it is not there yet; plan the same numbers twice; and send them."""
    monkeypatch.setattr(sys, "path", [str(root), *sys.path])
    context = multiprocessing.get_context("spawn")
    ready, told = context.Barrier(processes), context.Queue()
    started = [context.Process(target=_process, args=(tmp_path / "state", n, ready, told)) for n in range(processes)]
    for process in started:
        process.start()
    answers = [told.get(timeout=120) for _ in started]
    for process in started:
        process.join(20)
    assert [process.exitcode for process in started] == [0] * processes
    assert sorted(answer[0] for answer in answers) == [f"campaign-{n}" for n in range(processes)]
    assert {answer[1] for answer in answers} == {ROWS + 10}
    # Nobody starves: a commit takes a millisecond or two, and who waits is served between two of the others'.
    assert max(answer[3] for answer in answers) < 20
    assert flaws(tmp_path / "state" / "ledger.sqlite3") == []
