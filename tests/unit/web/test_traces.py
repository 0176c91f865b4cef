"""What of contacts lies in the page's files: it goes with the draft, with the file, and with the person."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import xlsxwriter

from dispatcher.ledger.striking import Person
from dispatcher.settings import InputSettings
from dispatcher.web import forgetting, traces
from dispatcher.web.store import Draft, Stage, Store, open_store
from dispatcher.web.store.connection import FILE_NAME
from tests.unit.web.store.conftest import CHEAP

ANN = Person("+12025550123", "2025550123")
TEXT = "phone,name\n+12025550123,Secretann\n"
LOOK: dict[str, Any] = {
    "columns": [{"name": "phone", "samples": ["(202) 555-0123"]}],
    "notes": ["Letters are read like this: Secretann."],
    "encodings": [{"encoding": "cp1252", "text": "Secretann"}],
}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """Open while the test runs."""
    found = await open_store(tmp_path, cost=CHEAP)
    yield found
    await found.close()


async def _draft(store: Store, name: str, text: str, stage: Stage = Stage.checked) -> Draft:
    new = await store.uploads.begin(f"{name}.csv", "Anna", 1)
    new.path.write_text(text)
    await store.uploads.finish(new.upload_id, len(text), "ab")
    draft = await store.drafts.create(name, created_by="Anna", now_ms=1, uploads=(new.upload_id,))
    look = LOOK if text == TEXT else None
    changed = await store.drafts.change(draft.draft_id, draft.version, look=look, stage=stage)
    assert changed is not None
    for path in (store.uploads.check_folder(draft.draft_id) / "ledger.sqlite3", *_reports(store, draft)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return changed


def _reports(store: Store, draft: Draft) -> list[Path]:
    return [store.folder / "reports" / f"{draft.draft_id}{part}.csv" for part in ("", "-2")]


def _left(folder: Path, text: str) -> list[Path]:
    """Files below a folder in which the text stands."""
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


async def test_a_deleted_draft_leaves_nothing(store: Store, tmp_path: Path) -> None:
    """Upload, check, reports and samples are gone; another draft's are there."""
    draft, other = await _draft(store, "spring", TEXT), await _draft(store, "may", "phone\n+12025550199\n")
    assert await traces.remove_draft(store, draft, now_ms=2)
    await store.clean()
    assert _left(tmp_path, "Secretann") == []
    assert await store.drafts.get(draft.draft_id) is None
    assert await store.uploads.path(other.uploads[0]) is not None


async def test_a_stale_delete_leaves_all(store: Store) -> None:
    """Whoever decided on an older state deletes nothing of it."""
    draft = await _draft(store, "spring", TEXT)
    await store.drafts.change(draft.draft_id, draft.version, again=True)
    assert not await traces.remove_draft(store, draft, now_ms=2)
    path = await store.uploads.path(draft.uploads[0])
    assert path is not None
    assert path.exists()


async def test_a_shared_upload_stays(store: Store) -> None:
    """Corrected rows begin with the files of their campaign: deleting them takes nothing from it."""
    draft = await _draft(store, "spring", TEXT, Stage.launched)
    correction = await store.drafts.create("spring", created_by="Anna", now_ms=1, uploads=draft.uploads)
    assert await traces.remove_draft(store, correction, now_ms=2)
    assert await store.uploads.path(draft.uploads[0]) is not None


async def test_a_deleted_file_takes_its_copies(store: Store, tmp_path: Path) -> None:
    """The campaign stays; nothing of a contact is left in the page's files."""
    draft = await _draft(store, "spring", TEXT, Stage.launched)
    await traces.remove_files(store, draft, now_ms=2)
    await store.clean()
    assert (await store.drafts.get(draft.draft_id)) is not None
    assert _left(tmp_path, "Secretann") == _left(tmp_path, "555-0123") == []


async def test_a_sweep_finds_what_is_left(store: Store, tmp_path: Path) -> None:
    """Where the file went another way, or a crash came between; a draft says then that it needs its file again."""
    draft = await _draft(store, "spring", TEXT)
    await store.uploads.sweep(10, 5)
    await traces.sweep(store, now_ms=10)
    await store.clean()
    assert _left(tmp_path, "Secretann") == []
    found = await store.drafts.get(draft.draft_id)
    assert found is not None
    assert (found.stage, (found.error or {})["code"]) == (Stage.failed, "upload_gone")
    await traces.sweep(store, now_ms=10)
    assert await store.drafts.get(draft.draft_id) == found


async def test_an_upload_without_a_draft_goes(store: Store) -> None:
    """Of two corrections at once one has lost: its file is nobody's. One that has just come is left for its draft."""
    draft = await _draft(store, "spring", TEXT)
    lost = await store.uploads.begin("lost.csv", "Anna", 1)
    lost.path.write_text(TEXT)
    await store.uploads.finish(lost.upload_id, 1, "ab")
    await traces.sweep(store, now_ms=traces.DRAFT_MADE_MS)
    assert await store.uploads.path(lost.upload_id) is not None
    await traces.sweep(store, now_ms=traces.DRAFT_MADE_MS + 1)
    assert await store.uploads.path(lost.upload_id) is None
    assert await store.uploads.path(draft.uploads[0]) is not None


async def test_a_forgotten_person_is_nowhere(store: Store, tmp_path: Path) -> None:
    """Files that name the person go with their copies; those of others stay, and it is told which."""
    await _draft(store, "spring", TEXT, Stage.launched)
    other = await _draft(store, "may", "phone\n+12025550199\n")
    (told,) = await forgetting.look([tmp_path], ANN)
    assert (told.campaign, told.files, told.is_unsent) == ("spring", ("spring.csv",), True)
    assert await forgetting.remove([tmp_path, tmp_path / "none"], ANN, who="root", now_ms=2) == [told]
    assert _left(tmp_path, "Secretann") == _left(tmp_path, "2025550123") == []
    assert await store.drafts.get(other.draft_id) == other
    assert await forgetting.look([tmp_path], ANN) == []
    assert not (tmp_path / "none" / FILE_NAME).exists()


def _book(path: Path, *sheets: list[str]) -> None:
    book = xlsxwriter.Workbook(path)
    for cells in sheets:
        sheet = book.add_worksheet()
        for row, cell in enumerate(cells):
            sheet.write_string(row, 0, cell)
            sheet.write_string(row, 1, "x")
    book.close()


FILES: dict[str, Callable[[Path], object]] = {
    "plain.csv": lambda path: path.write_text(TEXT),
    "apart.csv": lambda path: path.write_text("phone\n(202) 555-0123\n"),
    "wide.csv": lambda path: path.write_bytes(TEXT.encode("utf-16")),
    "packed.csv.gz": lambda path: path.write_bytes(gzip.compress(TEXT.encode())),
    "far.csv": lambda path: path.write_text("phone\n" + "x" * ((1 << 20) - 10) + "2025550123\n"),
    "book.xlsx": lambda path: _book(path, ["phone", "202-555-0123"]),
    "second.xlsx": lambda path: _book(path, ["phone", "+12025550199"], ["note", "ask 202 555 0123"]),
    "table.parquet": lambda path: pd.DataFrame({"phone": ["+12025550123"]}).to_parquet(path),
    "broken.xlsx": lambda path: path.write_bytes(b"PK\x03\x04" + b"x" * 100),
    "cut.csv.gz": lambda path: path.write_bytes(gzip.compress(b"x" * 1000)[:-20]),
}


@pytest.mark.parametrize("name", FILES)
def test_a_person_is_found_in_a_file(tmp_path: Path, name: str) -> None:
    """However the file is written; what cannot be read is taken to name everybody."""
    FILES[name](tmp_path / name)
    assert forgetting.names(tmp_path / name, ANN, InputSettings())


OTHERS: dict[str, Callable[[Path], object]] = {
    "plain.csv": lambda path: path.write_text("phone\n+12025550199\n"),
    "book.xlsx": lambda path: _book(path, ["phone", "202", "5550123"], ["phone", "+442025550123"]),
    "table.parquet": lambda path: pd.DataFrame({"phone": ["+12025550199"]}).to_parquet(path),
}


@pytest.mark.parametrize("name", OTHERS)
def test_others_are_not_taken_for_them(tmp_path: Path, name: str) -> None:
    """A file without the person stays."""
    OTHERS[name](tmp_path / name)
    assert not forgetting.names(tmp_path / name, ANN, InputSettings())
