"""A person in the page's own files, for `campaigns forget`; also beside a server that runs.

An upload cannot be changed and still be what was uploaded: one that names the person is removed, with all that was
made of it. One that cannot be read is taken to name them.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dispatcher.errors import DispatcherError, SheetNotChosen
from dispatcher.ledger.striking import Person
from dispatcher.settings import InputSettings
from dispatcher.web import traces
from dispatcher.web.store import AuditLine, Draft, Stage, Store, open_store
from dispatcher.web.store.connection import FILE_NAME

_PIECE_BYTES = 1 << 20
#: How much of a piece is looked at with the next one: a number may stand on both.
_OVERLAP_BYTES = 256
#: Zip (workbooks), Parquet, and workbooks of before 2007: these are read cell by cell.
_TABLES = (b"PK\x03\x04", b"PAR1", b"\xd0\xcf\x11\xe0")
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A campaign of the page whose files name the person."""

    draft_id: str
    campaign: str
    #: The files as people call them; what is kept of their reports and checks goes with them.
    files: tuple[str, ...]
    #: Something was to be sent of it: it needs another file then.
    is_unsent: bool


async def look(folders: Iterable[Path], person: Person) -> list[Holding]:
    """Where a person stands in the page's files of these ledgers. Raises: LedgerError."""
    found: list[Holding] = []
    for folder in folders:
        async with _store(folder) as store:
            if store is not None:
                found += [holding for _, holding in await _holdings(store, person)]
    return found


async def remove(folders: Iterable[Path], person: Person, *, who: str, now_ms: int) -> list[Holding]:
    """Remove the files that name a person, and what was made of them; returns whose. Raises: LedgerError."""
    removed: list[Holding] = []
    for folder in folders:
        async with _store(folder) as store:
            if store is None:
                continue
            for draft, holding in await _holdings(store, person):
                audit = AuditLine(
                    at_ms=now_ms,
                    who=who,
                    source="",
                    what="file_deleted",
                    draft_id=draft.draft_id,
                    campaign=draft.name,
                )
                await traces.remove_files(store, draft, now_ms=now_ms, audit=audit)
                removed.append(holding)
            await traces.sweep(store, now_ms=now_ms)
            await store.clean()
    return removed


def own_reports(folders: Iterable[Path], reports: Iterable[str]) -> list[str]:
    """Of a campaign's reports those that are somebody's, and not kept by the page."""
    kept = [folder / "web" for folder in folders]
    return [path for path in reports if not any(Path(path).is_relative_to(folder) for folder in kept)]


@contextlib.asynccontextmanager
async def _store(folder: Path) -> AsyncIterator[Store | None]:
    """The page's store of a ledger; None: no page was ever served of it."""
    if not (folder / FILE_NAME).exists():
        yield None
        return
    store = await open_store(folder)
    try:
        yield store
    finally:
        await store.close()


async def _holdings(store: Store, person: Person) -> list[tuple[Draft, Holding]]:
    found = []
    for draft in await store.drafts.list():
        files = []
        for upload_id in draft.uploads:
            upload, path = await store.uploads.get(upload_id), await store.uploads.path(upload_id)
            if upload is None or path is None:
                continue
            if await asyncio.to_thread(names, path, person, _read_as(draft)):
                files.append(upload.name)
        if files:
            is_unsent = draft.stage is not Stage.launched or draft.planned < len(draft.uploads)
            holding = Holding(draft_id=draft.draft_id, campaign=draft.name, files=tuple(files), is_unsent=is_unsent)
            found.append((draft, holding))
    return found


def _read_as(draft: Draft) -> InputSettings:
    """How a draft's files are read."""
    given = {name.partition(".")[2]: value for name, value in draft.settings.items() if name.startswith("input.")}
    return InputSettings.model_validate(given)


def names(path: Path, person: Person, settings: InputSettings) -> bool:
    """Whether a file may name the person. Blocking, as long as it takes to read all of it."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head.startswith(_TABLES):
            return any(_is_in(person, cells) for cells in _columns(path, settings))
        with gzip.open(path) if head.startswith(_GZIP) else path.open("rb") as text:
            return any(person.may_be_in(piece) for piece in _pieces(text))
    except (OSError, EOFError, DispatcherError):
        return True


class _Reads(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _pieces(file: _Reads) -> Iterator[bytes]:
    before = b""
    while piece := file.read(_PIECE_BYTES):
        yield before + piece
        before = piece[-_OVERLAP_BYTES:]


def _is_in(person: Person, cells: list[str]) -> bool:
    if not person.may_be_in("\n".join(cells).encode("utf-8", "surrogatepass")):
        return False
    return any(person.without(cell) != cell for cell in cells)


def _columns(path: Path, settings: InputSettings) -> Iterator[list[str]]:
    """The columns of all sheets, piece by piece, with their names. Raises: DispatcherError."""
    from dispatcher.intake.formats import open_table

    for sheet in _sheets(path, settings):
        of_sheet = {} if sheet is None else {"sheet": sheet}
        table = open_table(path, settings.model_copy(update=of_sheet))
        try:
            yield list(table.header)
            for chunk in table.chunks(None):
                yield [wrong.text for wrong in chunk.malformed.values()]
                for index in range(len(table.header)):
                    yield chunk.column(index)
        finally:
            table.close()


def _sheets(path: Path, settings: InputSettings) -> tuple[str | None, ...]:
    from dispatcher.intake.formats import open_table

    try:
        open_table(path, settings.model_copy(update={"sheet": None, "header_row": 0})).close()
    except SheetNotChosen as several:
        return several.sheets
    return (None,)
