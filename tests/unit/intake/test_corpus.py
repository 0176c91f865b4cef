"""The corpus: each of its files becomes the rows that it should, or is refused with its sentence.

What another program reads in the same files is compared cell by cell, where that is one that knows the format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest

from dispatcher.cli.render.remedies import remedy_text
from dispatcher.errors import InputError, SettingsError
from tests.data.make_corpus import CASES, FOLDER, Case
from tests.unit.intake.reading import read

BY_NAME = {case.name: case for case in CASES}
SIZE_MAX = 1 << 20


@pytest.mark.parametrize("name", BY_NAME)
def test_each_file_becomes_what_it_should(name: str) -> None:
    """Its rows, each with its number or its reason; or its sentence, which shows no number."""
    case = BY_NAME[name]
    if case.sentence:
        with pytest.raises((InputError, SettingsError)) as caught:
            read(FOLDER / name, **case.settings)
        assert caught.value.fix is not None
        told = f"{caught.value} fix: {remedy_text(caught.value.fix)}"
        assert re.search(case.sentence, told), told
        assert "20255501" not in told
        return
    reading = read(FOLDER / name, **case.settings)
    assert [(row.reason or row.to, row.cells) for row in reading.rows] == [*case.rows]
    assert any(case.note in note for note in reading.notes) or not case.note


@pytest.mark.parametrize("name", [case.name for case in CASES if case.judge])
def test_another_program_reads_the_same(name: str) -> None:
    """As many rows, and the same text in each cell; of other values their count alone."""
    case = BY_NAME[name]
    seen = list(_duckdb(case) if case.judge == "duckdb" else _openpyxl(case))
    cells = [row.cells for row in read(FOLDER / name, **case.settings).rows]
    assert len(cells) == len(seen)
    for ours, theirs in zip(cells, seen, strict=True):
        assert [one for one, other in zip(ours, theirs, strict=True) if other is not ...] == [
            other for other in theirs if other is not ...
        ]


def _duckdb(case: Case) -> Iterator[list[Any]]:
    path = FOLDER / case.name
    if path.suffix == ".parquet":
        found = duckdb.read_parquet(str(path))
    else:
        found = duckdb.read_csv(str(path), header=True, all_varchar=True)
    for row in found.fetchall():
        yield [_text(value) for value in row]


def _openpyxl(case: Case) -> Iterator[list[Any]]:
    sheet = openpyxl.load_workbook(FOLDER / case.name, data_only=True).worksheets[0]
    for row in sheet.iter_rows(min_row=2, values_only=True):
        yield [_text(value) for value in row]


def _text(value: Any) -> Any:
    """`...`: a value that each program writes in its own way."""
    if value is None:
        return ""
    return str(value) if isinstance(value, (str, int)) else ...


def test_the_folder_holds_the_corpus() -> None:
    """All of it, nothing else, and little."""
    files = {path.name: path for path in FOLDER.iterdir()}
    assert files.keys() == BY_NAME.keys()
    assert sum(path.stat().st_size for path in files.values()) < SIZE_MAX


def test_the_script_makes_the_files_that_are_there(tmp_path: Path) -> None:
    """But for workbooks and Parquet, whose bytes differ with their writers' versions."""
    for case in CASES:
        if not case.name.endswith((".xlsx", ".parquet")):
            case.make(tmp_path / case.name)
            assert (tmp_path / case.name).read_bytes() == (FOLDER / case.name).read_bytes(), case.name
