"""dispatcher's own figures, each in a process of its own.

    python -m tests.bench.ours plan STATE_DIR PORT ROWS [SENT]       a ledger with so many rows, so many of them sent
    python -m tests.bench.ours send STATE_DIR PORT IN_FLIGHT RATE PACE [LIMIT]
    python -m tests.bench.ours report STATE_DIR PORT PATH

`send` is what `resume` does: ledger, limiter, hold, events and, where a path is given, the report.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sqlite3
import sys
import time
from pathlib import Path

from dispatcher.campaign import open_campaign, view_campaign
from dispatcher.ledger import open_ledger
from dispatcher.ledger.account_files import account_file
from dispatcher.ledger.records import NewInput, RowBatch
from dispatcher.sending.departures import open_departures
from dispatcher.settings import Credentials, Settings, StateSettings, load

FLOW = "FW0123456789abcdef0123456789abcdef"
ACCOUNT = "AC" + "0" * 32
CREDENTIALS = Credentials(account_sid=ACCOUNT, username=ACCOUNT, password="not-a-secret")
NAME = "bench"
BATCH = 10_000


def settings(state_dir: str, port: int, **flags: object) -> Settings:
    """For a campaign against the local server."""
    values = {
        "account.base_url": f"http://127.0.0.1:{port}",
        "campaign.flow": FLOW,
        "campaign.from": "+12025550100",
        "columns.to": "phone",
        "state.dir": state_dir,
        "reconcile.settle_s": 0.0,
        **flags,
    }
    return load(flags=values, environ={}).settings


async def plan(state_dir: str, port: int, rows: int, sent: int) -> None:
    """Fill a ledger without reading a file; `sent` rows count as created, written directly."""
    ledger = await open_ledger(StateSettings(dir=state_dir))
    account = await ledger.account(ACCOUNT, f"http://127.0.0.1:{port}")
    campaign = await ledger.open_campaign(NAME, account, FLOW)
    header = ("first_name", "phone", "city")
    new = NewInput(
        source="bench", header=header, parameter_columns={"first_name": 0, "city": 2}, from_address="+12025550100"
    )
    made = await ledger.begin_input(campaign, new)
    for first in range(0, rows, BATCH):
        n = min(BATCH, rows - first)
        numbers = range(first, first + n)
        phones = [f"+1{202 + number // 10_000_000}{number % 10_000_000:07d}" for number in numbers]
        cells = [f'["Ann{number}","{phone}","Springfield"]' for number, phone in zip(numbers, phones, strict=True)]
        batch = RowBatch(
            row_numbers=range(first + 2, first + n + 2),
            row_keys=phones,
            states=["planned"] * n,
            to_addresses=phones,
            from_addresses=[None] * n,
            cells=cells,
        )
        await ledger.load_rows(made.input_id, batch)
    await ledger.finish_input(made.input_id, "")
    await ledger.close()
    if sent:
        _mark_sent(Path(state_dir) / "ledger.sqlite3", made.input_id, sent)
        # Whose departures nobody can read would wait a window first.
        with open_departures(account_file(ACCOUNT, account.base_url, "departures"), window_s=10.0):
            pass


def _mark_sent(path: Path, input_id: int, sent: int) -> None:
    """As a run that ended long ago has left them."""
    first = (input_id << 32) + 2
    with sqlite3.connect(path) as db:
        db.execute(
            "INSERT INTO runs (run_id, campaign_id, account_id, epoch, pid, started_at_ms, seen_at_ms, stopped_at_ms)"
            " SELECT 1, campaign_id, account_id, 0, 0, 0, 2, 2 FROM campaigns"
        )
        db.execute(
            "INSERT INTO attempts"
            " (row_id, number, run_id, begun_at_ms, sent_at_ms, ended_at_ms, outcome, execution_sid)"
            " SELECT row_id, 1, 1, 1, 1, 2, 'created', printf('FN%032x', row_id)"
            " FROM rows WHERE row_id BETWEEN ? AND ?",
            (first, first + sent - 1),
        )
        db.execute(
            "UPDATE rows SET state = 'created', attempts = 1, last_attempt = row_id - ? WHERE row_id BETWEEN ? AND ?",
            (first - 1, first, first + sent - 1),
        )
        db.execute("UPDATE tallies SET n = n - ? WHERE input_id = ? AND state = 'planned'", (sent, input_id))
        db.execute("INSERT INTO tallies (input_id, state, n) VALUES (?, 'created', ?)", (input_id, sent))
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def send(
    state_dir: str, port: int, in_flight: int, rate: float, pace: str, limit: int | None
) -> dict[str, float]:
    """Send what is planned, with a report where all is sent."""
    chosen = settings(
        state_dir,
        port,
        **{"rate.per_second": rate, "rate.in_flight": in_flight, "rate.pace": pace, "retry.backoff_base_s": 0.2},
    )
    async with open_campaign(NAME, chosen, CREDENTIALS, create=False) as campaign:
        cpu_s, started_s = time.process_time(), time.perf_counter()
        result = await campaign.send(whole_campaign=True, limit=limit)
        if limit is None:
            await campaign.report(Path(state_dir) / "report.csv")
        seconds, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_s
    assert result.error is None, result.error
    return {
        "rows": result.status.attempts if limit is None else limit,
        "seconds": seconds,
        "cpu_s": cpu_s,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "worst_window": result.status.worst_window,
    }


async def report(state_dir: str, port: int, path: str) -> dict[str, float]:
    """Write the report alone."""
    async with view_campaign(NAME, settings(state_dir, port)) as campaign:
        cpu_s, started_s = time.process_time(), time.perf_counter()
        rows = await campaign.report(path)
        seconds, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_s
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"rows": rows, "seconds": seconds, "cpu_s": cpu_s, "peak_mib": peak_mib}


def main() -> None:
    """See the module's text."""
    what, state_dir, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    rest = sys.argv[4:]
    if what == "plan":
        asyncio.run(plan(state_dir, port, int(rest[0]), int(rest[1]) if len(rest) > 1 else 0))
    elif what == "send":
        limit = int(rest[3]) if len(rest) > 3 else None
        print(json.dumps(asyncio.run(send(state_dir, port, int(rest[0]), float(rest[1]), rest[2], limit))))
    else:
        print(json.dumps(asyncio.run(report(state_dir, port, rest[0]))))


if __name__ == "__main__":
    main()
