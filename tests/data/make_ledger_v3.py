"""Makes tests/data/ledger-v3.sqlite3: a ledger of schema version 3 with rows in every state.

Run it with that program, not with this one: the last commit in which dispatcher/ledger/sqlite/connection.py says
`SCHEMA_VERSION = 3` (`git log -S 'SCHEMA_VERSION = 3'`), unpacked into a folder by `git archive`:

    PYTHONPATH=that/folder python tests/data/make_ledger_v3.py tests/data/ledger-v3.sqlite3

ledger-v1.sqlite3 was made in the same way, by what this script was then (`git log --follow`), with tracking and clocks
left out, which version 1 did not know.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson

import dispatcher.ledger
from dispatcher.ledger import executions, records
from dispatcher.ledger.sqlite.connection import FILE_NAME, SCHEMA_VERSION
from dispatcher.model import ExecutionStatus, FoundBy, Outcome, Reason

# The names of that program: this one's types say nothing about them.
SqliteLedger: Any = dispatcher.ledger.__dict__.get("SqliteLedger")
AttemptEnd: Any = records.AttemptEnd

FLOW_SID = "FW" + "0" * 32


async def make(folder: Path) -> None:
    """Two accounts; a campaign of two files with every state, stopped by a kill; and another, on the wire."""
    ledger = SqliteLedger.open(folder)
    account = await ledger.account("AC" + "0" * 32, "http://127.0.0.1")
    spring = await ledger.open_campaign("spring", account, FLOW_SID)
    await _plan(ledger, spring, [f"+1555010{n:04}" for n in range(400)], {7: Reason.to_invalid, 8: Reason.suppressed})
    run = await ledger.start_run(spring, window_limit=200, now_ms=1_000)
    rows = await ledger.begin_rows(run, 200, now_ms=2_000, input_id=None)
    ends = [_end(row, list(Outcome)[place % 6]) for place, row in enumerate(rows)]
    totals = records.RunTotals(requests=200, throttled=33, worst_window=180, window_limit=200, clock_skew_ms=-7_000)
    await ledger.end_rows(run, ends, now_ms=3_000, totals=totals)
    await ledger.stop_run(run, now_ms=3_500, reason="stopped", totals=totals)
    await ledger.settle_rows(None, [_settled(row) for row in rows[5:60:6]], now_ms=4_000)
    tracked = await ledger.executions_to_track(spring, read_as=None, after=0, limit=20)
    await ledger.save_executions(
        [
            executions.TrackedExecution(
                attempt_id=one.attempt_id,
                status=status,
                seen_at_ms=4_500,
                read_as="x",
                last_step="bye",
                path=("hi", "bye"),
            )
            for one, status in zip(tracked, [*ExecutionStatus] * 6, strict=False)
        ]
    )
    # The second file: most rows again under other numbers, some left out, one twice, one new.
    keys = [*(f"+1555010{n:04}" for n in range(399, 50, -1)), "+15550100399", "+15550100999"]
    await _plan(ledger, spring, keys, {3: Reason.row_malformed}, {5: 9_000_000_000_000})
    run = await ledger.start_run(spring, window_limit=200, now_ms=5_000)
    await ledger.begin_rows(run, 20, now_ms=6_000, input_id=None)
    await ledger.cancel_rows(spring, "called off")
    await ledger.retry_rows(spring, codes=[21211])
    await ledger.set_report_path(spring, "spring.csv")

    other = await ledger.account("AC" + "1" * 32, "http://127.0.0.1")
    summer = await ledger.open_campaign("summer", other, FLOW_SID)
    await _plan(ledger, summer, ["+15550100001", "+15550100002"], {})
    run = await ledger.start_run(summer, window_limit=200, now_ms=7_000)
    await ledger.begin_rows(run, 1, now_ms=8_000, input_id=None)
    await ledger.close()


async def _plan(
    ledger: Any,
    campaign: Any,
    keys: list[str],
    reasons: dict[int, Reason],
    not_before_ms: dict[int, int] | None = None,
) -> None:
    new = records.NewInput(
        source="contacts.csv",
        header=("phone", "name"),
        parameter_columns={"name": 1},
        parameter_constants={"offer": "10 %"},
        from_address="+15550100000",
    )
    loading = await ledger.begin_input(campaign, new)
    batch = records.RowBatch(
        row_numbers=range(2, 2 + len(keys)),
        row_keys=[None if reasons.get(n, Reason.suppressed).state == "invalid" else key for n, key in enumerate(keys)],
        states=[reasons[n].state if n in reasons else "planned" for n in range(len(keys))],
        to_addresses=keys,
        from_addresses=[None] * len(keys),
        cells=[orjson.dumps([key, f"Zoë {key[-3:]}"]).decode() for key in keys],
        reasons={n: (reason, "phone", "a sentence") for n, reason in reasons.items()},
        not_before_ms=not_before_ms or {},
    )
    await ledger.load_rows(loading.input_id, batch)
    await ledger.finish_input(loading.input_id, "0" * 64)


def _end(row: Any, outcome: Outcome) -> Any:
    created = outcome is Outcome.created
    return AttemptEnd(
        row.row_id,
        row.attempt_id,
        row.input_id,
        outcome,
        2_100,
        2_200,
        execution_sid=f"FN{row.row_number:032x}" if created else None,
        http_status=201 if created else 400,
        error_code=None if created else (21211, 21610)[row.row_number % 4 > 1],
        error_message=None if created else "said so",
        request_id=f"RQ{row.row_number:032x}",
        found_by=FoundBy.answer if created else None,
    )


def _settled(row: Any) -> Any:
    found = row.row_number % 4 == 0
    return AttemptEnd(
        row.row_id,
        row.attempt_id,
        row.input_id,
        Outcome.created if found else Outcome.not_sent,
        None,
        3_900,
        execution_sid=f"FN{row.row_number:032x}" if found else None,
        found_by=FoundBy.reconcile if found else None,
    )


if __name__ == "__main__":
    if SCHEMA_VERSION != 3:
        sys.exit(f"this program writes version {SCHEMA_VERSION}: run the script with one that writes version 3")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(make(Path(folder)))
        shutil.copyfile(Path(folder) / FILE_NAME, sys.argv[1])
