"""How fast files become rows, and in how much memory: intake alone, and planned whole into a ledger.

    python -m tests.bench.intake_speed                        CSV and Parquet of a million rows, XLSX of 300,000
    python -m tests.bench.intake_speed --rows 5000000 --formats csv
    python -m tests.bench.intake_speed --formats csv --known 1000000      and with a million contacts known

Each measurement is a process of its own, so that its peak memory is its own; the best of `--repeat` counts. "per core"
divides by CPU time, that of the workbook reader's process included, start and all. Loading pandas (most of a second)
is part of it, the start of the program itself is not: it is measured elsewhere. Goals: 150,000 rows/s per core from CSV
and Parquet, 60,000 from XLSX (30,000 of sheets with numbers, dates and formats), ledger included; memory flat, below
300 MB.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dispatcher import Campaign

COLUMNS = ("customer_id", "first_name", "last_name", "phone", "city", "appointment", "notes")
SENDER = "+12025550100"
FORMATS = ("csv", "quoted.csv", "parquet", "xlsx", "typed.xlsx")
DEFAULT_ROWS = {
    "csv": 1_000_000,
    "quoted.csv": 1_000_000,
    "parquet": 1_000_000,
    "xlsx": 300_000,
    "typed.xlsx": 300_000,
}


def contact(number: int, quoted: bool = False) -> tuple[str, ...]:
    """Row `number`: seven columns, its own valid number (not for sending: nothing here is sent)."""
    return (
        f"C{number:07d}",
        f"Ann{number % 977}",
        f"Example{number % 1013}",
        f"+1{212 + number // 7_999_990}{2_000_000 + number % 7_999_990:07d}",
        "Springfield",
        f"2026-01-02 10:{number % 60:02d}",
        f"note, {number}" if quoted and number % 3 == 0 else f"note {number}",
    )


def make_csv(path: Path, numbers: Iterable[int], quoted: bool = False) -> None:
    """Write a CSV file of these contacts."""
    import csv

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(contact(number, quoted) for number in numbers)


def make(path: Path, kind: str, rows: int) -> None:
    """Write a file of so many rows."""
    if kind.endswith("csv"):
        make_csv(path, range(rows), kind.startswith("quoted"))
    elif kind == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = pa.schema([(name, pa.string()) for name in COLUMNS])
        with pq.ParquetWriter(path, schema) as parquet:
            for first in range(0, rows, 100_000):
                lot = zip(*(contact(number) for number in range(first, min(first + 100_000, rows))), strict=True)
                parquet.write_table(pa.table(dict(zip(COLUMNS, map(list, lot), strict=True)), schema=schema))
    else:
        import xlsxwriter

        with xlsxwriter.Workbook(path) as book:
            sheet = book.add_worksheet("Contacts")
            sheet.write_row(0, 0, COLUMNS)
            # Numbers, dates and padded zeros, each with its format: no plain sheet.
            formats = [book.add_format({"num_format": form}) for form in ("00000", "yyyy-mm-dd hh:mm", "0.00")]
            for number in range(rows):
                sheet.write_row(number + 1, 0, contact(number))
                if kind.startswith("typed"):
                    sheet.write_number(number + 1, 0, number, formats[0])
                    sheet.write_number(number + 1, 5, 46_024 + number % 1440 / 1440, formats[1])
                    sheet.write_number(number + 1, 6, number % 10_007 / 100, formats[2])


def read(path: Path) -> int:
    """Intake alone; how many rows."""
    from dispatcher.intake import open_input
    from dispatcher.settings import Settings

    settings = Settings.model_validate({"columns": {"to": "phone", "region": "US"}, "campaign": {"from": SENDER}})
    with open_input(path, settings) as opened:
        return sum(len(batch.cells) for batch in opened.batches())


def plan(path: Path, *, hours: str = "wait") -> int:
    """Intake and ledger, as `run` plans a file; how many rows."""
    from dispatcher import load_settings, rehearse_campaign

    async def planned(folder: str) -> int:
        flags = {"columns.to": "phone", "columns.region": "US", "campaign.from": SENDER, "state.dir": folder}
        flags["hours.mode"] = hours
        async with rehearse_campaign("bench", load_settings(flags=flags).settings) as campaign:
            return (await campaign.plan(path)).total

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        return asyncio.run(planned(folder))


def plan_at_any_hour(path: Path) -> int:
    """As `plan`, with hours off: nobody asks where contacts are."""
    return plan(path, hours="off")


def remember(path: Path) -> None:
    """A ledger beside the file, whose account has just reached everybody in it."""

    async def reached() -> None:
        async with _opened("old", path) as campaign:
            await campaign.plan(path)
            ledger, record = campaign._context.ledger, await campaign._context.current()
            now_ms = int(time.time() * 1000)
            run = await ledger.start_run(record, window_limit=200, now_ms=now_ms)
            while rows := await ledger.begin_rows(run, 10_000, now_ms=now_ms, input_id=None):
                ends = [
                    AttemptEnd(row.row_id, row.attempt_id, Outcome.created, now_ms, now_ms, f"FN{row.attempt_id:032x}")
                    for row in rows
                ]
                await ledger.end_rows(run, ends, now_ms=now_ms, totals=RunTotals())
            await ledger.stop_run(run, now_ms=now_ms, reason=None, totals=RunTotals())

    from dispatcher.ledger.records import AttemptEnd, RunTotals
    from dispatcher.model import Outcome

    asyncio.run(reached())


def known(path: Path) -> int:
    """As `plan`, into the ledger beside the file, which knows whom the account has reached; how many rows."""

    async def planned() -> int:
        async with _opened("bench", path) as campaign:
            return (await campaign.plan(path)).total

    return asyncio.run(planned())


def _opened(name: str, path: Path) -> AbstractAsyncContextManager[Campaign]:
    from dispatcher import Credentials, load_settings, open_campaign

    account_sid = "AC" + "0" * 32
    flags = {
        "account.base_url": "http://127.0.0.1:9",
        "campaign.flow": "FW" + "0" * 32,
        "campaign.from": SENDER,
        "columns.to": "phone",
        "columns.region": "US",
        "state.dir": str(path.parent / "known"),
    }
    credentials = Credentials(account_sid=account_sid, username=account_sid, password="none")
    return open_campaign(name, load_settings(flags=flags).settings, credentials)


def one(what: str, path: Path) -> dict[str, Any]:
    """Measure in this very process."""
    # The program's start is measured elsewhere; what a format's reader needs is loaded when the file is opened.
    import dispatcher.campaign  # noqa: F401

    began_s, started_s = time.process_time(), time.perf_counter()
    rows = {"read": read, "plan": plan, "plan-off": plan_at_any_hour, "known": known}[what](path)
    wall_s, own_s = time.perf_counter() - started_s, time.process_time() - began_s
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = own_s + children.ru_utime + children.ru_stime
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return {"rows": rows, "wall_s": wall_s, "cpu_s": cpu_s, "peak_mb": own.ru_maxrss / unit}


def measure(what: str, path: Path, repeat: int) -> dict[str, Any]:
    """The best of some processes, by CPU time."""
    runs = [json.loads(itself("--one", what, "--path", str(path))) for _ in range(repeat)]
    return min(runs, key=lambda run: float(run["cpu_s"]))


def itself(*arguments: str) -> str:
    """What this script prints in a process of its own."""
    root = Path(__file__).resolve().parent.parent.parent
    command = [sys.executable, "-m", "tests.bench.intake_speed", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment).stdout


def lines(formats: list[str], rows: int | None, repeat: int, known_rows: int) -> Iterator[str]:
    """The table, a line as soon as it is measured."""
    yield f"{'file':<12}{'rows':>10}  {'':<5}{'rows/s':>9}{'per core':>10}{'us/row':>8}{'peak MB':>9}"
    with tempfile.TemporaryDirectory(prefix="dispatcher-bench-") as folder:
        for kind in formats:
            count = rows or DEFAULT_ROWS[kind]
            path = Path(folder) / f"contacts.{kind}"
            # Not in this process: a child's peak memory starts at what its parent holds.
            itself("--one", "make", "--path", str(path), "--formats", kind, "--rows", str(count))
            for what in ("read", "plan"):
                run = measure(what, path, repeat)
                wall_s, cpu_s = run["wall_s"], run["cpu_s"]
                yield (
                    f"{kind:<12}{run['rows']:>10,}  {what:<5}{count / wall_s:>9,.0f}{count / cpu_s:>10,.0f}"
                    f"{cpu_s / count * 1e6:>8.2f}{run['peak_mb']:>9.0f}"
                )
            path.unlink()
        if known_rows:
            yield from _known_lines(Path(folder), known_rows, repeat)


def _known_lines(folder: Path, rows: int, repeat: int) -> Iterator[str]:
    for name, run in known_contacts(folder, rows, repeat):
        wall_s, cpu_s = run["wall_s"], run["cpu_s"]
        yield (
            f"{name:<12}{run['rows']:>10,}  {'known':<5}{rows / wall_s:>9,.0f}{rows / cpu_s:>10,.0f}"
            f"{cpu_s / rows * 1e6:>8.2f}{run['peak_mb']:>9.0f}"
        )


def known_contacts(folder: Path, rows: int, repeat: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Planned with so many contacts known: other people, the same ones, and the same as a re-sorted export has them."""
    path, others, sorted_anew = folder / "contacts.csv", folder / "others.csv", folder / "sorted-anew.csv"
    itself("--one", "make", "--path", str(path), "--formats", "csv", "--rows", str(rows))
    itself("--one", "others", "--path", str(others), "--rows", str(rows))
    itself("--one", "sort-anew", "--path", str(sorted_anew), "--rows", str(rows))
    itself("--one", "remember", "--path", str(path))
    for name, file in (("other people", others), ("the same", path), ("re-sorted", sorted_anew)):
        yield name, measure("known", file, repeat)


def main() -> None:
    """Print the table, or with `--one` a single measurement as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, help="rows per file; default: a million, XLSX 300,000")
    parser.add_argument("--formats", nargs="*", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--known", type=int, default=0, help="also with so many contacts that were just reached")
    parser.add_argument(
        "--one",
        choices=("read", "plan", "plan-off", "known", "remember", "make", "others", "sort-anew"),
        help=argparse.SUPPRESS,
    )
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one == "make":
        make(arguments.path, arguments.formats[0], arguments.rows)
        return
    if arguments.one == "others":
        make_csv(arguments.path, range(arguments.rows, 2 * arguments.rows))
        return
    if arguments.one == "sort-anew":
        make_csv(arguments.path, random.Random(0).sample(range(arguments.rows), arguments.rows))
        return
    if arguments.one == "remember":
        remember(arguments.path)
        return
    if arguments.one:
        sys.stdout.write(json.dumps(one(arguments.one, arguments.path)) + "\n")
        return
    for line in lines(arguments.formats, arguments.rows, arguments.repeat, arguments.known):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
