"""Reads a file through the public door, for the tests: every row as one value."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dispatcher.intake import open_input
from dispatcher.intake.mappings import Contacts
from dispatcher.ledger.records import NewInput
from dispatcher.model import Reason
from dispatcher.settings import Settings

SENDER = "+12025550100"
DEFAULTS = Settings()
ANN, BOB = "+12025550101", "+12025550102"


@dataclass(frozen=True)
class Row:
    number: int
    key: str | None
    state: str
    to: str | None
    sender: str | None
    cells: tuple[str, ...]
    reason: Reason | None
    column: str | None
    sentence: str | None


@dataclass(frozen=True)
class Reading:
    new_input: NewInput
    rows: list[Row]
    sha256: str
    notes: tuple[str, ...]

    @property
    def numbers(self) -> list[int]:
        return [row.number for row in self.rows]

    @property
    def cells(self) -> list[tuple[str, ...]]:
        return [row.cells for row in self.rows]

    @property
    def to(self) -> list[str | None]:
        return [row.to for row in self.rows]

    @property
    def reasons(self) -> list[Reason | None]:
        return [row.reason for row in self.rows]


def options(**changes: Any) -> Settings:
    """Settings by their own names, whichever of the three tables of a file they stand in; `from` as `from_`."""
    tables: dict[str, dict[str, Any]] = {"columns": {}, "input": {}, "campaign": {}}
    for name, value in {"to": "phone", "region": "US", "from_": SENDER, **changes}.items():
        table = next(table for table in tables if name in type(getattr(DEFAULTS, table)).model_fields)
        tables[table][name] = value
    return Settings.model_validate(tables)


def read(path: Contacts, *, name: Any = None, **changes: Any) -> Reading:
    """Open the file, or the rows, take every batch, and check what must hold for any file."""
    rows: list[Row] = []
    with open_input(path, options(**changes), name=name) as opened:
        width = len(opened.new_input.header)
        for batch in opened.batches():
            columns = (batch.row_numbers, batch.row_keys, batch.states, batch.to_addresses, batch.from_addresses)
            assert {len(column) for column in columns} == {len(batch.cells)}, "columns of one length"
            assert set(batch.reasons) <= set(range(len(batch.cells)))
            for position, values in enumerate(zip(*columns, batch.cells, strict=True)):
                number, key, state, to, sender, cells = values
                reason, column, sentence = batch.reasons.get(position, (None, None, None))
                row = Row(number, key, state, to, sender, tuple(json.loads(cells)), reason, column, sentence)
                assert (row.state == "planned") == (row.reason is None)
                assert (row.key is None) == (row.state == "invalid")
                assert row.to is not None or row.state == "invalid"
                assert len(row.cells) == width
                rows.append(row)
        assert [row.number for row in rows] == sorted({row.number for row in rows}), "in file order, each once"
        if opened.total_bytes is not None:
            assert opened.done_bytes == opened.total_bytes
        return Reading(opened.new_input, rows, opened.sha256, opened.notes)


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path
