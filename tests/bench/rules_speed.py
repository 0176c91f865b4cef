"""What the rules of a campaign cost: at the claim, while rows wait, and when an older ledger is upgraded.

    python -m tests.bench.rules_speed waiting --rows 1000000    a look at so many rows that wait, and a closing
    python -m tests.bench.rules_speed upgrade --rows 1000000    a ledger from before there were rules

Each prints one JSON object. The claim is `ledger_speed`'s; planning with hours is `intake_speed`'s.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from dispatcher.ledger.sqlite.connection import FILE_NAME
from dispatcher.ledger.sqlite.ledger import SqliteLedger
from dispatcher.rules import clocks
from dispatcher.rules.gate import Schedule
from dispatcher.rules.hours import read_hours
from dispatcher.rules.times import Moment
from tests.bench import ledger_speed

OLD = Path(__file__).parents[1] / "data" / "ledger-v3.sqlite3"
LOOKS = 200
HOUR_MS = 3_600_000


async def waiting(rows: int) -> dict[str, float]:
    """Rows of sixty places, none of them open: what a look costs, and what a closing writes."""
    ledger_speed.places = 60
    with tempfile.TemporaryDirectory() as folder:
        ledger = SqliteLedger.open(Path(folder))
        record = await ledger_speed._campaign(ledger)
        await ledger_speed._load(ledger, record, rows)
        zones, kept = sorted(clocks.country_of()), await ledger.places.all()
        places = {n: replace(place, zones=(zones[n],)) if place else None for n, place in kept.items()}
        now_ms = int(time.time() * 1000)
        start = Moment(now_ms + 24 * HOUR_MS, is_instant=True)
        schedule = Schedule(read_hours(["floor"]), places, start=start)
        schedule.next_ms(await ledger.places.due(record, None), now_ms)
        run = await ledger.start_run(record, window_limit=200, now_ms=now_ms)
        before, looks = _written(ledger), []
        for n in range(LOOKS):
            began_s = time.perf_counter()
            gate = schedule.gate(now_ms + n * HOUR_MS // LOOKS)
            assert not await ledger.begin_rows(run, 100, now_ms=now_ms, input_id=record.input_id, gate=gate)
            assert schedule.next_ms(await ledger.places.due(record, record.input_id), now_ms)
            looks.append(time.perf_counter() - began_s)
        found = {"look_ms": statistics.median(looks) * 1000, "written": float(_written(ledger) - before)}
        await ledger.close()
        return found


def _written(ledger: SqliteLedger) -> int:
    return ledger._writer.connection.total_changes


def upgrade(rows: int) -> dict[str, float]:
    """Open a ledger of version 3 with so many planned rows: how long until it is of this version."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE_NAME
        shutil.copy(OLD, path)
        connection = sqlite3.connect(path)
        with connection:
            (last,) = connection.execute("SELECT max(row_id) FROM rows").fetchone()
            numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            connection.execute(
                f"{numbers} INSERT INTO rows (row_id, row_key) SELECT ? + i, '+1' || (2000000000 + i) FROM n",
                (rows, last),
            )
            connection.execute(
                f"{numbers} INSERT INTO row_keys SELECT (SELECT campaign_id FROM inputs WHERE input_id = ? >> 32),"
                " '+1' || (2000000000 + i), ? + i FROM n",
                (rows, last, last),
            )
        connection.close()
        began_s = time.perf_counter()
        ledger = SqliteLedger.open(Path(folder))
        took_s = time.perf_counter() - began_s
        asyncio.run(ledger.close())
        return {"seconds": took_s}


def main() -> None:
    """Measure one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("waiting", "upgrade"))
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    found = asyncio.run(waiting(options.rows)) if options.what == "waiting" else upgrade(options.rows)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
