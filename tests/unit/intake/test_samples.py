"""The sample files are what their README says."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from dispatcher.intake import open_input
from dispatcher.ledger.records import ReportRow
from dispatcher.ledger.sqlite.ledger import SqliteLedger
from tests.unit.intake.reading import options, read

FORMATS = ("csv", "xlsx", "parquet")


async def planned(path: Path, state_dir: Path) -> list[ReportRow]:
    """The file's rows as the ledger has them, duplicates found."""
    ledger = SqliteLedger.open(state_dir)
    try:
        account = await ledger.account("AC" + "0" * 32, "http://127.0.0.1")
        campaign = await ledger.open_campaign("sample", account, "FW" + "0" * 32)
        with open_input(path, options()) as opened:
            record = await ledger.begin_input(campaign, opened.new_input)
            for batch in opened.batches():
                await ledger.load_rows(record.input_id, batch)
            await ledger.finish_input(record.input_id, opened.sha256)
        return [row for rows in ledger.report_rows(campaign, record.input_id) for row in rows]
    finally:
        await ledger.close()


def script(root: Path) -> ModuleType:
    """samples/make_samples.py as a module."""
    spec = importlib.util.spec_from_file_location("make_samples", root / "samples" / "make_samples.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_samples"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("suffix", FORMATS)
async def test_the_sample_contacts_are_planned(root: Path, tmp_path: Path, suffix: str) -> None:
    """Of the 300 sample contacts 10 are invalid on purpose, 5 are duplicates, and the others are planned."""
    rows = await planned(root / "samples" / f"contacts.{suffix}", tmp_path / "state")
    assert Counter(row.state.value for row in rows) == {"planned": 285, "invalid": 10, "skipped": 5}
    assert {row.reason_code for row in rows if row.state == "skipped"} == {"duplicate"}


def test_the_three_contacts_files_are_the_same(root: Path) -> None:
    """The sample contacts are the same rows under the same header as CSV, XLSX and Parquet."""
    csv, xlsx, parquet = (read(root / "samples" / f"contacts.{suffix}") for suffix in FORMATS)
    assert csv.rows == xlsx.rows == parquet.rows
    assert csv.new_input.header == xlsx.new_input.header == parquet.new_input.header


def test_the_numbers_are_fictitious(root: Path) -> None:
    """All numbers of the sample contacts are among those that are reserved for fiction (555-01xx)."""
    numbers = [number for number in read(root / "samples" / "contacts.csv").to if number]
    assert len(numbers) == 290
    assert all(number[5:10] == "55501" for number in numbers)


def test_the_script_writes_what_is_there(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """samples/make_samples.py writes the sample files as they are: text to the byte, tables to the row."""
    module = script(root)
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    module.main()
    for name in ("contacts.csv", "dirty.csv"):
        assert (tmp_path / name).read_bytes() == (root / "samples" / name).read_bytes()
    for name in ("contacts.xlsx", "contacts.parquet"):
        assert read(tmp_path / name).rows == read(root / "samples" / name).rows


async def test_the_readme_says_what_each_dirty_row_gets_told(root: Path, tmp_path: Path) -> None:
    """The table in samples/README.md says of each row of dirty.csv what the ledger says of it."""
    rows = await planned(root / "samples" / "dirty.csv", tmp_path / "state")
    expected = [_line(row) for row in rows]
    text = (root / "samples" / "README.md").read_text(encoding="utf-8")
    table = text.partition("|---|---|---|---|---|\n")[2]
    assert table.splitlines() == expected, "the table should be:\n" + "\n".join(expected)


def _line(row: ReportRow) -> str:
    shown = row.cells[0] if row.reason_code == "row_malformed" else row.cells[2]
    cell = f"`{shown}`" if shown else "(empty)"
    return f"| {row.row_number} | {cell} | {row.state.value} | {row.reason_code or ''} | {row.reason or ''} |"
