"""Which files are reports of ours: whatever else stands at a report's path is never replaced unasked."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import openpyxl
import pandas
import pytest

from dispatcher.errors import ReportError
from dispatcher.remedies import AnyOf, Option
from dispatcher.reporting.html import write_page
from dispatcher.reporting.marks import is_report
from dispatcher.reporting.report import check_report_path, write_report
from tests.unit.reporting.support import feed, rejected, row
from tests.unit.reporting.test_summary import status_of

HEADER = ("phone", "first name")
SUFFIXES = [".csv", ".csv.gz", ".parquet", ".xlsx"]


async def written(path: Path, header: tuple[str, ...] = HEADER) -> Path:
    """A report with two rows."""
    rows = [row(2, cells=["x"] * len(header)), row(3, cells=["y"] * len(header))]
    await write_report(path, header, feed([rows]), campaign="spring")
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
async def test_each_format_bears_its_mark(tmp_path: Path, suffix: str) -> None:
    """What was written is known again, whatever it is called, and may be written again."""
    path = await written(tmp_path / f"r{suffix}")
    assert is_report(path)
    assert is_report(path.rename(tmp_path / "anything"))
    await written(tmp_path / f"r{suffix}")
    await written(tmp_path / f"r{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
async def test_ours_stand_behind_many_columns(tmp_path: Path, suffix: str) -> None:
    """Our columns are looked for behind the input's, however wide its header is, and whatever is in it."""
    header = tuple(f'a "long", name\nof column {n}' for n in range(3000))
    assert is_report(await written(tmp_path / f"r{suffix}", header))


async def test_a_page_bears_its_mark(tmp_path: Path) -> None:
    """The page of numbers, too, and it may be written again; another page stays."""
    path = tmp_path / "r.html"
    await write_page(path, status_of({}), feed([[rejected(2)]]))
    assert is_report(path)
    await write_page(path, status_of({}), feed([]))
    path.write_text("<!DOCTYPE html><title>Holiday</title>", encoding="utf-8")
    with pytest.raises(ReportError, match="no report of this program"):
        await write_page(path, status_of({}), feed([]))


def workbook(path: Path, *sheets: str, header: tuple[str, ...] = HEADER) -> Path:
    """A workbook of another program's."""
    book = openpyxl.Workbook()
    for number, name in enumerate(sheets):
        sheet = book.active if number == 0 else book.create_sheet()
        assert sheet is not None
        sheet.title = name
        sheet.append(list(header))
    book.save(path)
    return path


def others(folder: Path) -> dict[str, Path]:
    """Files that people have."""
    found = {
        "contacts": b"phone,name\n+14155550100,Ann\n",
        "report columns in a cell": b"phone,note\n+1,see dispatch_status and dispatch_row_number\n",
        "some of our columns": b"phone,dispatch_status\n+1,created\n",
        "no text": bytes(range(256)) * 40,
        "a half-written archive": b"PK\x03\x04" + b"\0" * 50,
        "half a Parquet": b"PAR1 and nothing",
        "half a gzip": gzip.compress(b"phone,name\n" * 1000)[:40],
        "blank lines": b"\n\n\n",
    }
    paths = {}
    for name, data in found.items():
        paths[name] = folder / name
        paths[name].write_bytes(data)
    paths["their workbook"] = workbook(folder / "their workbook", "Contacts")
    with zipfile.ZipFile(folder / "an archive", "w") as archive:
        archive.writestr("photo.jpg", b"\xff\xd8")
    paths["an archive"] = folder / "an archive"
    pandas.DataFrame({"phone": ["+1"]}).to_parquet(folder / "their parquet")
    paths["their parquet"] = folder / "their parquet"
    return paths


async def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    """Every other file is refused before and at the writing, and stays to the byte; `--overwrite` replaces it."""
    for name, path in others(tmp_path).items():
        data = path.read_bytes()
        assert not is_report(path), name
        for suffix in SUFFIXES:
            target = tmp_path / f"r{suffix}"
            target.write_bytes(data)
            with pytest.raises(ReportError, match="no report of this program") as caught:
                check_report_path(target)
            assert caught.value.fix == AnyOf(Option("report", "FILE.csv"), Option("overwrite"))
            with pytest.raises(ReportError):
                await written(target)
            assert target.read_bytes() == data, name
    check_report_path(target, overwrite=True)
    await write_report(target, HEADER, feed([]), campaign="spring", overwrite=True)
    assert is_report(target)


async def test_a_workbook_that_people_built_on_stays(tmp_path: Path) -> None:
    """A report to which somebody has added a sheet of his own is his; one that a spreadsheet saved again is ours."""
    path = await written(tmp_path / "r.xlsx")
    book = openpyxl.load_workbook(path)
    book.save(path)
    assert is_report(path)
    book.create_sheet("My notes")
    book.save(path)
    assert not is_report(path)


async def test_an_empty_file_holds_nothing_to_lose(tmp_path: Path) -> None:
    """What mktemp has made may be written to."""
    path = tmp_path / "r.csv"
    path.touch()
    await written(path)
    assert is_report(path)
