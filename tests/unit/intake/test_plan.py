"""The door of the room: what it gives, what it costs to import, and a report that comes back in."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from dispatcher.intake import open_input
from dispatcher.model import Reason
from tests.unit.intake.reading import ANN, BOB, options, read, write

TEXT = f"phone,name\n{ANN},Ann\n{BOB},Bob\n"


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_the_hash_is_of_the_files_bytes(tmp_path: Path, name: str) -> None:
    """The hash is the SHA-256 of the file's bytes, whatever its format."""
    path = tmp_path / name
    if name == "a.csv":
        write(path, TEXT)
    elif name == "a.jsonl":
        write(path, f'{{"phone": "{ANN}"}}\n\n')
    else:
        pq.write_table(pa.table({"phone": [ANN]}), path)
    assert read(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_hash_is_not_known_before_the_last_row(tmp_path: Path) -> None:
    """To ask for the hash before the last row was read is a bug, and raises RuntimeError."""
    with open_input(write(tmp_path / "a.csv", TEXT), options()) as opened, pytest.raises(RuntimeError):
        _ = opened.sha256


def test_what_the_ledger_needs_to_know_of_the_file(tmp_path: Path) -> None:
    """The ledger is given the path, the header, the parameters' columns and constants, and the sender."""
    path = write(tmp_path / "a.csv", TEXT)
    new_input = read(path, constants={"offer": "10 %"}, parameters={"first": "name"}).new_input
    assert new_input.source == str(path)
    assert new_input.header == ("phone", "name")
    assert new_input.parameter_columns == {"first": 1}
    assert new_input.parameter_constants == {"offer": "10 %"}
    assert new_input.from_address == "+12025550100"


def test_standard_input_is_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dash means standard input: its size is not known, and its rows and hash are those of what came."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    with open_input("-", options()) as opened:
        assert opened.total_bytes is None
        assert [list(batch.to_addresses) for batch in opened.batches()] == [[ANN, BOB]]
        assert opened.sha256 == hashlib.sha256(TEXT.encode()).hexdigest()
        assert opened.new_input.source == "-"


def test_parquet_comes_through_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parquet is read from standard input, and its hash is that of the bytes that came."""
    data = io.BytesIO()
    pq.write_table(pa.table({"phone": [ANN]}), data)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data.getvalue())))
    reading = read("-")
    assert reading.to == [ANN]
    assert reading.sha256 == hashlib.sha256(data.getvalue()).hexdigest()


@pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="no /dev/fd here")
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_pipe_with_a_name_is_read(tmp_path: Path, kind: str) -> None:
    """A pipe with a name is read as the shell gives it.

    `dispatcher run <(mysql …)`: bash's process substitution.
    """
    path = write(tmp_path / "a.csv", TEXT)
    if kind == "parquet":
        pq.write_table(pa.table({"phone": [ANN, BOB]}), path)
    data = path.read_bytes()
    reader, writer = os.pipe()
    os.write(writer, data)
    os.close(writer)
    try:
        reading = read(f"/dev/fd/{reader}")
    finally:
        os.close(reader)
    assert reading.to == [ANN, BOB]
    assert reading.sha256 == hashlib.sha256(data).hexdigest()


def test_a_report_that_is_fed_back_is_the_input_again(tmp_path: Path) -> None:
    """Corrected in the report itself: only the user's columns count."""
    report = (
        "name,phone,note,dispatch_row_number,dispatch_to,dispatch_status,dispatch_execution_sid,dispatch_http_status,"
        "dispatch_error_code,dispatch_error_message,dispatch_advice,dispatch_attempts,dispatch_sent_at,"
        "dispatch_finished_at,dispatch_outcome_reply\r\n"
        f'Ann,{ANN},"a, b",2,{ANN},created,FN{"0" * 32},201,,,,1,2026-01-02T10:00:00Z,2026-01-02T10:00:01Z,yes\r\n'
        f"Bob,{BOB},,3,,invalid,,,,\"column phone: '4.41E+11' is a rounded number\",Format,0,,,\r\n"
    )
    reading = read(write(tmp_path / "report.csv", report))
    assert reading.new_input.header == ("name", "phone", "note")
    assert reading.new_input.parameter_columns == {"name": 0, "note": 2}
    assert reading.cells == [("Ann", ANN, "a, b"), ("Bob", BOB, "")]
    assert reading.to == [ANN, BOB]


def test_invalid_rows_lose_no_cell(tmp_path: Path) -> None:
    """An invalid row keeps its cells as they were, and says which column is wrong."""
    reading = read(write(tmp_path / "a.csv", "phone,name\n4.41E+11,Ann\n"))
    assert reading.cells == [("4.41E+11", "Ann")]
    assert reading.rows[0].to is None
    assert (reading.rows[0].reason, reading.rows[0].column) == (Reason.to_mangled, "phone")


def test_importing_the_room_is_cheap() -> None:
    """`--help`, `status` and `resume` import it, and read no file."""
    code = (
        "import sys, dispatcher.intake, dispatcher.intake.columns;"
        "heavy = ('pandas', 'numpy', 'pyarrow', 'phonenumbers', 'python_calamine');"
        "print([name for name in heavy if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["small.csv", "small.jsonl", "small.xlsx"])
def test_a_small_file_needs_no_pandas(tmp_path: Path, name: str) -> None:
    """A small file of text or cells is read without waiting for pandas or another large library to load."""
    path = tmp_path / name
    if name.endswith("csv"):
        write(path, TEXT)
    elif name.endswith("jsonl"):
        write(path, f'{{"phone": "{ANN}"}}\n{{"phone": "{BOB}"}}\n')
    else:
        with xlsxwriter.Workbook(path) as book:
            book.add_worksheet("S").write_column(0, 0, ["phone", ANN, BOB])
    code = (
        "import sys; from dispatcher.intake import open_input; from dispatcher.settings import Settings\n"
        "settings = Settings.model_validate({'columns': {'to': 'phone'}, 'campaign': {'from': '+12025550100'}})\n"
        f"with open_input({str(path)!r}, settings) as opened:\n"
        "    assert sum(len(batch.cells) for batch in opened.batches()) == 2\n"
        "print(*[name for name in ('numpy', 'pandas', 'pyarrow', 'python_calamine') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
