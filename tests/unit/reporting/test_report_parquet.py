"""The Parquet report: the same rows, exact, under names that differ."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.model import REPORT_COLUMNS
from dispatcher.reporting import report
from dispatcher.reporting.report import unique_names
from tests.unit.reporting.support import HEADER, batches, never_sent, read_as_input, rejected, row, write


def test_cells_are_text_and_our_numbers_numbers(tmp_path: Path) -> None:
    """Row number, HTTP status and attempts are integers, the rest is text; what is not there is null, not empty."""
    write(tmp_path / "r.parquet", HEADER, batches(row(2, ("007", "")), rejected(3), never_sent(4)))
    table = pq.read_table(tmp_path / "r.parquet")
    assert table.column_names == [*HEADER, *REPORT_COLUMNS]
    integers = {field.name for field in table.schema if field.type == pa.int64()}
    assert integers == {"dispatch_row_number", "dispatch_http_status", "dispatch_attempts"}
    assert {field.type for field in table.schema if field.name not in integers} == {pa.string()}
    first, second, third = table.to_pylist()
    assert (first["phone"], first["name"], first["dispatch_row_number"]) == ("007", "", 2)
    assert first["dispatch_error_code"] is None
    assert (second["dispatch_http_status"], second["dispatch_error_code"]) == (400, "21211")
    assert (third["dispatch_http_status"], third["dispatch_error_code"], third["dispatch_attempts"]) == (
        None,
        "to_invalid",
        0,
    )


def test_text_is_exact(tmp_path: Path) -> None:
    """Text is exact, ours too: no spreadsheet opens Parquet, so nothing is put before a formula."""
    write(tmp_path / "r.parquet", HEADER, batches(rejected(error_message="=1", cells=("=2", "\r\n\0"))))
    (told,) = pq.read_table(tmp_path / "r.parquet").to_pylist()
    assert (told["dispatch_error_message"], told["phone"], told["name"]) == ("=1", "=2", "\r\n\0")


def test_many_row_groups_hold_every_row_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are written as they come, so that memory does not grow with them."""
    monkeypatch.setattr(report, "_GROUP_BYTES", 2000)
    rows = [row(number) for number in range(2, 302)]
    assert write(tmp_path / "r.parquet", HEADER, batches(*rows, size=10)) == 300
    file = pq.ParquetFile(tmp_path / "r.parquet")
    assert file.metadata.num_row_groups > 10
    assert file.read().column("dispatch_row_number").to_pylist() == list(range(2, 302))


def test_no_rows_make_a_table_of_its_columns(tmp_path: Path) -> None:
    """The empty case has its types too."""
    assert write(tmp_path / "r.parquet", HEADER, []) == 0
    assert write(tmp_path / "full.parquet", HEADER, batches(row())) == 1
    empty, full = (pq.read_table(tmp_path / name) for name in ("r.parquet", "full.parquet"))
    assert (empty.num_rows, empty.schema) == (0, full.schema)


CELL = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(rows=st.lists(st.tuples(CELL, CELL), max_size=6))
def test_a_report_fed_back_gives_the_same_cells(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    """As intake reads Parquet."""
    rows = [("x", ""), *rows]
    path = tmp_path_factory.mktemp("parquet") / "r.parquet"
    write(path, HEADER, batches(*[row(number, cells) for number, cells in enumerate(rows, 2)]))
    header, found = read_as_input(path)
    assert header == list(HEADER)
    assert found == [list(cells) for cells in rows if "".join(cells).strip()]


def test_names_that_stand_twice_are_told_apart(tmp_path: Path) -> None:
    """Parquet readers look columns up by name."""
    header = ("name", "name", "name_2", "", "", "dispatch_to")
    write(tmp_path / "r.parquet", header, batches(row(cells=list("abcdef"))))
    (told,) = pq.read_table(tmp_path / "r.parquet").to_pylist()
    assert list(told)[:6] == ["name", "name_3", "name_2", "", "_2", "dispatch_to"]
    assert "".join(list(told.values())[:6]) == "abcdef"
    assert told["dispatch_to_2"] == "+15550100001"


@given(st.lists(st.sampled_from(["a", "a_2", "a_3", "a_2_2", "b", ""]), max_size=12))
def test_unique_names(names: list[str]) -> None:
    """Unique names differ, and leave those who came first alone.

    Any header gives as many names, all different, and no name is taken from the column that had it.
    """
    unique = unique_names(names)
    assert len(set(unique)) == len(unique) == len(names)
    for name in set(names):
        assert unique[names.index(name)] == name


@pytest.mark.parametrize("name", ["r.csv", "r.csv.gz"])
def test_a_csv_report_loads_no_large_library(tmp_path: Path, name: str) -> None:
    """A CSV report loads neither pyarrow nor xlsxwriter nor pandas.

    They cost up to a second, and memory, that a CSV report does not need.
    """
    program = f"""
import asyncio, sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
import dispatcher.reporting.summary
from dispatcher.reporting.report import check_report_path, write_report
check_report_path(Path("r.parquet")), check_report_path(Path("r.xlsx"))
async def nothing():
    for batch in ():
        yield batch
asyncio.run(write_report(Path({name!r}), ("phone",), nothing(), campaign="spring"))
print(sorted({{"pyarrow", "xlsxwriter", "pandas", "numpy", "aiohttp"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "[]"
