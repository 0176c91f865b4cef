"""Where a file comes from: its folder, its bytes, and whether it is a report of ours and of which campaign."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dispatcher.intake.header import visible
from dispatcher.intake.sources import STDIN
from dispatcher.model import LEFT_OUT_COLUMNS, OUTCOME_PREFIX, REPORT_COLUMNS, WAIT_COLUMNS, RowState

if TYPE_CHECKING:
    from dispatcher.settings import InputSettings

CAMPAIGN_COLUMN, STATUS_COLUMN = "dispatch_campaign", "dispatch_status"
_OURS = frozenset((*REPORT_COLUMNS, *WAIT_COLUMNS, *LEFT_OUT_COLUMNS))
_SENT = frozenset({RowState.created, RowState.sending, RowState.unknown})
_OPEN = frozenset({RowState.sending, RowState.unknown})
#: What a report puts `'` before, so that a spreadsheet does not run it.
_RUN = frozenset("=+-@\t＝＋－＠")  # noqa: RUF001
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOrigin:
    """Of a file that is about to be planned."""

    #: Absolute; empty for standard input.
    folder: str
    #: Of its bytes; None for standard input.
    sha256: str | None
    #: It has columns of our reports.
    is_report: bool
    #: The campaigns that its rows name, in file order.
    campaigns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How what a report says of its rows is taken, in the campaign that they are planned into."""

    campaign: str
    #: Whose report it is where a row does not say so.
    origin: str
    #: Campaigns that are known to be on another flow.
    elsewhere: frozenset[str] = frozenset()

    def was_sent(self, status: str, campaign: str) -> bool:
        """Whether a row was sent, or may have been, so that it is not sent as a new one.

        A campaign's own report is believed. Of another campaign's rows only those count that nobody knows the end of,
        on the same flow; the others are ordinary rows.
        """
        state, origin = status.strip().lower(), campaign_text(campaign) or self.origin
        if origin in ("", self.campaign):
            return state in _SENT
        return state in _OPEN and origin not in self.elsewhere


def campaign_text(cell: str) -> str:
    """A campaign's name as a report's cell holds it."""
    text = cell.strip()
    return text[1:] if text[:1] == "'" and text[1:2] in _RUN else text


def is_ours(name: str) -> bool:
    """Whether a column is one of our reports'."""
    return name in _OURS or name.startswith(OUTCOME_PREFIX)


def column_at(header: Sequence[str], name: str) -> int | None:
    """Where the column stands; None: it does not, or several times."""
    found = [position for position, column in enumerate(header) if visible(column) == name]
    return found[0] if len(found) == 1 else None


def folder_of(source: str | Path) -> str:
    """The file's folder, absolute and without links; empty for standard input."""
    return "" if str(source) == STDIN else os.path.realpath(Path(source).parent)


def file_origin(source: str | Path, settings: InputSettings) -> FileOrigin:
    """Look at a file, without its rows where it is no report. Blocking. Raises: InputError, SettingsError."""
    from dispatcher.intake.formats import open_table

    path = Path(source)
    if str(source) == STDIN or not path.is_file():
        # What is read once is looked at when it is planned.
        return FileOrigin(folder=folder_of(source), sha256=None, is_report=False, campaigns=())
    is_report = False
    campaigns: dict[str, None] = {}
    if _may_be_report(path):
        with contextlib.closing(open_table(source, settings)) as table:
            is_report = any(is_ours(name.strip()) for name in table.header)
            position = column_at(table.header, CAMPAIGN_COLUMN)
            if position is not None:
                for chunk in table.chunks((position,)):
                    cells = [cell for at, cell in enumerate(chunk.column(0)) if at not in chunk.malformed]
                    campaigns |= dict.fromkeys(map(campaign_text, cells))
    campaigns.pop("", None)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return FileOrigin(folder=folder_of(source), sha256=sha256, is_report=is_report, campaigns=tuple(campaigns))


def _may_be_report(path: Path) -> bool:
    """A workbook takes long to open: one that has our columns' names nowhere is no report."""
    if not zipfile.is_zipfile(path):
        return True
    prefix = b"dispatch_"
    with (
        contextlib.suppress(OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError),
        zipfile.ZipFile(path) as archive,
    ):
        for entry in archive.infolist():
            if not entry.filename.endswith(".xml") or entry.file_size > 100 * max(entry.compress_size, _PIECE):
                continue
            with archive.open(entry) as file:
                before = b""
                while piece := file.read(_PIECE):
                    if prefix in before + piece:
                        return True
                    before = piece[-len(prefix) :]
        return False
    return True
