"""What the ledger on a server costs: planning, and a row's begin and end, in CPU of this process and PostgreSQL.

    python -m tests.bench.cluster_speed                          lots of 200 and of 25
    python -m tests.bench.cluster_speed --lots 5 20 250 --seconds 4
    python -m tests.bench.cluster_speed --accounts 50 --lots 20  so many accounts of one process, in turn

A PostgreSQL of its own on this machine, its files on the disk that has the temporary files, fsync on. The last line is
JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dispatcher.ledger.postgres.ledger import PostgresLedger
from dispatcher.ledger.records import CampaignRecord, NewInput, Run, RunTotals
from dispatcher.model import dispatch_id
from tests.bench.ledger_speed import BATCH_ROWS, HEADER, _batch, _created
from tests.support.postgres import PrivateServer

#: What a server is usually given, and no more: the tests' own is set up to be small.
SERVER_SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "1GB", "min_wal_size": "256MB"}
#: As sending asks: nobody is reached twice in 16 hours.
REPEAT_AFTER_MS = 16 * 3_600_000
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="of the file that is planned")
    parser.add_argument("--lots", type=int, nargs="+", default=[200, 25])
    parser.add_argument("--seconds", type=float, default=5.0, help="of each lot size")
    parser.add_argument("--rounds", type=int, default=3, help="each lot size in turn, so often")
    parser.add_argument("--accounts", type=int, default=1)
    options = parser.parse_args()
    with server() as postgres, postgres.ledger() as url:
        figures = asyncio.run(
            _measure(postgres, url, options.rows, options.lots, options.seconds, options.rounds, options.accounts)
        )
    print(json.dumps(figures))


@contextmanager
def server() -> Iterator[PrivateServer]:
    """A PostgreSQL whose files are on disk."""
    with PrivateServer(SERVER_SETTINGS, place=Path(tempfile.gettempdir())) as postgres:
        yield postgres


async def _measure(
    postgres: PrivateServer, url: str, rows: int, lots: Sequence[int], seconds: float, rounds: int, accounts: int
) -> dict[str, Any]:
    ledger = PostgresLedger.open(url)
    campaigns: list[CampaignRecord] = []
    figures: dict[str, Any] = {"planning": [], "lots": {lot: [] for lot in lots}}
    for n in range(accounts):
        account = await ledger.account(f"AC{n:032x}", "http://127.0.0.1")
        campaigns.append(await ledger.open_campaign(f"speed{n}", account, "FW" + "0" * 32))
        figures["planning"].append(await _plan(ledger, campaigns[-1], rows, postgres.pid))
    _say("planning", f"{figures['planning'][-1]['rows_per_s']:,.0f} rows/s", figures["planning"][-1])
    runs = []
    held = [ledger.lease(campaign.account, wait=False) for campaign in campaigns]
    for lease in held:
        await lease.__aenter__()
    for campaign in campaigns:
        runs.append(await ledger.start_run(campaign, window_limit=200, now_ms=1))
    for lot in list(lots) * (1 + rounds):
        measured = await _send(ledger, runs, lot, seconds, postgres.pid)
        # The first of each: statements are prepared, pages are in memory.
        figures["lots"][lot].append(measured)
        _say(f"lots of {lot}", f"{measured['rows_per_core_s']:,.0f} rows per core-second", measured)
    for lot in lots:
        figures["lots"][lot].pop(0)
    for lease in held:
        await lease.__aexit__(None, None, None)
    await ledger.close()
    return figures


async def _plan(ledger: PostgresLedger, campaign: CampaignRecord, rows: int, server_pid: int) -> dict[str, float]:
    new = NewInput(source="speed.csv", header=HEADER, parameter_columns={"first_name": 1}, from_address="+15550100000")
    batches = [_batch(first, min(rows, first + BATCH_ROWS)) for first in range(0, rows, BATCH_ROWS)]
    started_s, cpu_s = time.perf_counter(), cpu_of(server_pid) + time.process_time()
    async with ledger.lease(campaign.account, wait=False):
        loading = await ledger.begin_input(campaign, new)
        for batch in batches:
            await ledger.load_rows(loading.input_id, batch)
        loaded_s = time.perf_counter()
        await ledger.finish_input(loading.input_id, "0" * 64, repeat_after_ms=REPEAT_AFTER_MS)
    ended_s = time.perf_counter()
    cpu_s = cpu_of(server_pid) + time.process_time() - cpu_s
    return {
        "rows_per_s": rows / (ended_s - started_s),
        "load_rows_per_s": rows / (loaded_s - started_s),
        "finish_rows_per_s": rows / (ended_s - loaded_s),
        "rows_per_core_s": rows / cpu_s,
    }


async def _send(
    ledger: PostgresLedger, runs: Sequence[Run], lot: int, seconds: float, server_pid: int
) -> dict[str, float]:
    """Begin and end, as the rows of every account pass."""
    begins: list[float] = []
    ends: list[float] = []
    before = cpu_of(server_pid), time.process_time()
    started_s = time.perf_counter()

    async def one(run: Run) -> int:
        done, campaign = 0, run.campaign
        while time.perf_counter() - started_s < seconds:
            at_s = time.perf_counter()
            granted = await ledger.begin_rows(
                run,
                lot,
                now_ms=1_000,
                input_id=None,
                dispatch_id=lambda key: dispatch_id(campaign.account.account_sid, campaign.flow_sid, "speed", key),
                repeat_after_ms=REPEAT_AFTER_MS,
            )
            begins.append(time.perf_counter() - at_s)
            if len(granted) < lot:
                raise SystemExit("the file is too short: --rows")
            at_s = time.perf_counter()
            await ledger.end_rows(run, [_created(row) for row in granted], now_ms=2_000, totals=RunTotals())
            ends.append(time.perf_counter() - at_s)
            done += len(granted)
        return done

    done = sum(await asyncio.gather(*map(one, runs)))
    took_s = time.perf_counter() - started_s
    server_s, client_s = cpu_of(server_pid) - before[0], time.process_time() - before[1]
    return {
        "rows_per_s": done / took_s,
        "rows_per_core_s": done / (server_s + client_s),
        "server_us": server_s / done * 1e6,
        "client_us": client_s / done * 1e6,
        "begin_p50_ms": _share(begins, 0.5) * 1000,
        "begin_p99_ms": _share(begins, 0.99) * 1000,
        "end_p50_ms": _share(ends, 0.5) * 1000,
        "end_p99_ms": _share(ends, 0.99) * 1000,
    }


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and of all that it has begun, those that have ended included."""
    parents: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in brackets, may hold anything.
            fields = stat.read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
        ticks[int(stat.parent.name)] = sum(map(int, fields[11:15]))
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        total += ticks.get(one, 0)
        waiting += parents.get(one, [])
    return total / _TICKS_PER_S


def _share(times_s: Sequence[float], share: float) -> float:
    return sorted(times_s)[min(len(times_s) - 1, int(len(times_s) * share))]


def _say(what: str, text: str, figures: dict[str, float]) -> None:
    details = ", ".join(f"{name} {value:,.1f}" for name, value in figures.items())
    print(f"   {what:<14} {text:<34} load {os.getloadavg()[0]:.1f}: {details}", flush=True)


if __name__ == "__main__":
    main()
