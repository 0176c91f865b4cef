"""What the ledger costs per row, and how that grows with it.

    python -m tests.bench.ledger_speed                    a ledger of 200,000 rows
    python -m tests.bench.ledger_speed --rows 5000000     and one of five million, some two minutes
    python -m tests.bench.ledger_speed --suppressed 500000 and as many people on a suppression list
    python -m tests.bench.ledger_speed --cooloff          and a cool-off that holds nobody back
    python -m tests.bench.ledger_speed --senders 5        and rows of five senders (--sender-cap: with room for all)
    python -m tests.bench.ledger_speed --busy             with an event loop that has no time, as when sending flat out

CPU is that of the ledger's own thread (time.thread_time); wall-clock is what a caller waits. Each size is a process of
its own, so that its peak memory is its own. `--left`: how many rows stay planned before the last figures are taken.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dispatcher.ledger.records import AttemptEnd, CampaignRecord, GrantedRow, NewInput, RowBatch, Run, RunTotals
from dispatcher.ledger.sqlite.connection import FILE_NAME
from dispatcher.ledger.sqlite.ledger import SqliteLedger
from dispatcher.model import FoundBy, ListKind, Outcome, dispatch_id
from dispatcher.rules.caps import Rooms
from dispatcher.rules.cooloff import CoolOff, CoolOffs
from dispatcher.rules.gate import OPEN, Gate
from dispatcher.rules.places import Place, PlaceSource

BATCH_ROWS = 10_000
PLACES = [Place((f"Etc/{n}",), None, None, PlaceSource.column) for n in range(1_000)]
#: How many of them there are, and how many senders of rows' own.
places = senders = 0
#: As sending asks: each row's id is kept, and nobody is reached twice in 16 hours.
ASKED: Any = {
    "dispatch_id": lambda key: dispatch_id("AC", "FW", "speed", key),
    "repeat_after_ms": 16 * 3_600_000,
}
HEADER = ("phone", "first_name", "last_name", "city", "appointment", "notes", "customer_id")


def main() -> None:
    """Measure each size that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[200_000])
    parser.add_argument("--left", type=int, default=100_000)
    parser.add_argument("--lots", type=int, nargs="+", default=[25, 100, 250])
    parser.add_argument("--places", type=int, default=0, help="the rows are of so many places, all of them open")
    parser.add_argument("--busy", action="store_true")
    parser.add_argument(
        "--suppressed", type=int, default=0, help="so many contacts on a list, none of them in the file"
    )
    parser.add_argument("--cooloff", action="store_true", help="no contact more than three times in 24 hours")
    parser.add_argument("--senders", type=int, default=0, help="each row has one of so many senders of its own")
    parser.add_argument("--sender-cap", action="store_true", help="none of them begins more than it may, which is much")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        global places, senders
        places, senders = options.places, options.senders
        if options.cooloff:
            ASKED["gate"] = Gate(cooloffs=CoolOffs(CoolOff(3, 24)))
        if options.sender_cap:
            ASKED["gate"] = replace(ASKED.get("gate", OPEN), rooms=Rooms(1 << 40, {}))
        left = min(options.left, options.rows[0] // 2)
        asyncio.run(_measure(options.rows[0], left, options.lots, options.busy, options.suppressed))
        return
    for rows in options.rows:
        arguments = ["--rows", str(rows), "--left", str(options.left), "--lots", *map(str, options.lots)]
        arguments += ["--suppressed", str(options.suppressed), "--places", str(options.places)]
        arguments += ["--senders", str(options.senders), *["--sender-cap"] * options.sender_cap]
        command = [sys.executable, "-m", __spec__.name, *arguments, "--inside", *["--busy"] * options.busy]
        command += ["--cooloff"] * options.cooloff
        subprocess.run(command, check=True)


async def _measure(rows: int, left: int, lots: Sequence[int], busy: bool, suppressed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        ledger = SqliteLedger.open(state)
        campaign = await _campaign(ledger)
        print(f"-- {rows:,} rows", flush=True)
        if places:
            ASKED["gate"] = replace(ASKED.get("gate", OPEN), places=dict.fromkeys(range(1, places + 1), 1 << 60))
        if suppressed:
            await _suppress(ledger, campaign, suppressed)
        await _load(ledger, campaign, rows)
        await _send_nearly_all(ledger, campaign, rows - left - sum(200 * lot for lot in lots))
        async with _loop_without_time() if busy else contextlib.nullcontext():
            run = await ledger.start_run(campaign, window_limit=200, now_ms=1)
            for lot in lots:
                await _send(ledger, run, lot, 200)
        await ledger.close()
        await _resume(state)
        _say("peak memory", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
        size = _size(state)
        _say("file", f"{size / 2**20:.0f} MiB, {size / rows:.0f} bytes a row")


def _size(state: Path) -> int:
    return sum(file.stat().st_size for file in state.glob(f"{FILE_NAME}*"))


async def _campaign(ledger: SqliteLedger) -> CampaignRecord:
    account = await ledger.account("AC" + "0" * 32, "http://127.0.0.1")
    return await ledger.open_campaign("speed", account, "FW" + "0" * 32)


async def _load(ledger: SqliteLedger, campaign: CampaignRecord, rows: int) -> None:
    new = NewInput(source="speed.csv", header=HEADER, parameter_columns={"first_name": 1}, from_address="+15550100000")
    loading = await ledger.begin_input(campaign, new)
    cpu_s = wall_s = 0.0
    for first in range(0, rows, BATCH_ROWS):
        batch = _batch(first, min(rows, first + BATCH_ROWS))
        before_s, started_s = await _thread_s(ledger), time.perf_counter()
        await ledger.load_rows(loading.input_id, batch)
        wall_s += time.perf_counter() - started_s
        cpu_s += await _thread_s(ledger) - before_s
    _per_row("load", cpu_s, wall_s, rows)
    before_s, started_s = await _thread_s(ledger), time.perf_counter()
    await ledger.finish_input(loading.input_id, "0" * 64, list_ids=ASKED.get("list_ids", ()))
    _per_row("finish", await _thread_s(ledger) - before_s, time.perf_counter() - started_s, rows)


async def _suppress(ledger: SqliteLedger, campaign: CampaignRecord, contacts: int) -> None:
    """A list of people whom the file does not have, among its own."""
    account, kind = campaign.account, ListKind.file
    before_s, started_s = await _thread_s(ledger), time.perf_counter()
    list_id = await ledger.lists.begin(account, kind, "/speed.csv")
    for first in range(0, contacts, 50_000):
        named = [f"{_contact(n)}9" for n in range(first, min(contacts, first + 50_000))]
        await ledger.lists.load(account, list_id, named)
    await ledger.lists.finish(account, list_id, read_as="", unreadable=0)
    _per_row("suppression list", await _thread_s(ledger) - before_s, time.perf_counter() - started_s, contacts)
    ASKED["list_ids"] = (list_id,)


def _contact(n: int) -> str:
    # Numbers in no order, as in a real file: keys are sorted when they are claimed.
    return f"+1{2_000_000_000 + n * 7_919_777_777 % 7_999_999_993}"


def _batch(first: int, last: int) -> RowBatch:
    keys = [_contact(n) for n in range(first, last)]
    return RowBatch(
        row_numbers=range(2 + first, 2 + last),
        row_keys=keys,
        states=["planned"] * len(keys),
        to_addresses=keys,
        from_addresses=[f"+1555010{n % senders:04}" if senders else None for n in range(first, last)],
        cells=[
            f'["{key}","Ann","Example","Springfield","2026-01-02 10:30","a note","C{n:07}"]'
            for n, key in enumerate(keys)
        ],
        places=[PLACES[n * 7_919 % places] for n in range(first, last)] if places else None,
    )


async def _send_nearly_all(ledger: SqliteLedger, campaign: CampaignRecord, rows: int) -> None:
    """Bring so many rows to their end, in lots that are large: how the ledger got full is not what is measured."""
    run = await ledger.start_run(campaign, window_limit=200, now_ms=1)
    done, started_s = 0, time.perf_counter()
    while done < rows:
        granted = await ledger.begin_rows(run, min(5_000, rows - done), now_ms=1_000, input_id=None, **ASKED)
        await ledger.end_rows(run, [_created(row) for row in granted], now_ms=2_000, totals=RunTotals())
        done += len(granted)
    if rows > 0:
        _per_row("begin and end, 5,000 at a time", None, time.perf_counter() - started_s, rows)
    await ledger.stop_run(run, now_ms=3_000, reason=None, totals=RunTotals())


async def _send(ledger: SqliteLedger, run: Run, lot: int, lots: int) -> None:
    cpu_s, wall_s = [0.0, 0.0], [0.0, 0.0]
    longest_s = 0.0
    for _ in range(lots):
        at = [(await _thread_s(ledger), time.perf_counter())]
        granted = await ledger.begin_rows(run, lot, now_ms=1_000, input_id=None, **ASKED)
        at.append((await _thread_s(ledger), time.perf_counter()))
        ends = [_created(row) for row in granted]
        at.append((await _thread_s(ledger), time.perf_counter()))
        await ledger.end_rows(run, ends, now_ms=2_000, totals=RunTotals())
        at.append((await _thread_s(ledger), time.perf_counter()))
        for kind, (before, after) in enumerate(((0, 1), (2, 3))):
            cpu_s[kind] += at[after][0] - at[before][0]
            wall_s[kind] += at[after][1] - at[before][1]
            longest_s = max(longest_s, at[after][1] - at[before][1])
    rows = lot * lots
    _per_row(f"begin, lots of {lot}", cpu_s[0], wall_s[0], rows)
    _per_row(f"end, lots of {lot}", cpu_s[1], wall_s[1], rows)
    _say(f"longest of {2 * lots}", f"{longest_s * 1000:.1f} ms")


async def _resume(state: Path) -> None:
    """What passes between the start of a process and its first intents."""
    times = [time.perf_counter()]
    ledger = SqliteLedger.open(state)
    times.append(time.perf_counter())
    campaign = await ledger.find_campaign("speed")
    await ledger.status(campaign)
    times.append(time.perf_counter())
    run = await ledger.start_run(campaign, window_limit=200, now_ms=10_000_000)
    await ledger.departures(campaign.account, since_ms=9_990_000, now_ms=10_000_000)
    times.append(time.perf_counter())
    granted = await ledger.begin_rows(run, 100, now_ms=10_000_000, input_id=campaign.input_id, **ASKED)
    times.append(time.perf_counter())
    await ledger.close()
    names = ("open", "find and status", "start_run and departures", "first begin_rows")
    steps = ", ".join(f"{name} {(b - a) * 1000:.1f}" for name, a, b in zip(names, times[:-1], times[1:], strict=True))
    _say(f"resume ({len(granted)} rows)", f"{(times[-1] - times[0]) * 1000:.1f} ms: {steps}")


@contextlib.asynccontextmanager
async def _loop_without_time() -> AsyncIterator[None]:
    """The loop always has something to do, in bits of 0.1 ms: the thread must win the interpreter lock each time."""
    over = False

    async def spin() -> None:
        while not over:
            until_s = time.perf_counter() + 0.0001
            while time.perf_counter() < until_s:
                pass
            await asyncio.sleep(0)

    task = asyncio.create_task(spin())
    yield
    over = True
    await task


def _created(row: GrantedRow) -> AttemptEnd:
    sid = f"FN{row.attempt_id:032x}"
    return AttemptEnd(
        row.row_id,
        row.attempt_id,
        Outcome.created,
        1_000,
        1_100,
        sid,
        201,
        None,
        None,
        sid,
        FoundBy.answer,
    )


async def _thread_s(ledger: SqliteLedger) -> float:
    return await ledger._writer.read(lambda db: time.thread_time())


def _per_row(what: str, cpu_s: float | None, wall_s: float, rows: int) -> None:
    cpu = "" if cpu_s is None else f"{cpu_s / rows * 1e6:6.2f} µs CPU, "
    _say(what, f"{cpu}{wall_s / rows * 1e6:6.2f} µs wall-clock per row")


def _say(what: str, text: str) -> None:
    print(f"   {what:<34} {text}", flush=True)


if __name__ == "__main__":
    main()
