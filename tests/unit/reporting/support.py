"""Report rows and files for the tests of this folder."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from dispatcher.intake import open_input
from dispatcher.ledger.records import CampaignStatus, ReportRow
from dispatcher.model import FoundBy, RowState
from dispatcher.reporting.report import write_report
from dispatcher.reporting.summary import Summary, summarize
from dispatcher.settings import Settings

HEADER = ("phone", "name")
SENT_MS = 1_769_850_300_007  # 2026-01-31T09:05:00.007Z


#: The header of a report that stands there already.
OLD = "dispatch_row_number,dispatch_to,dispatch_status,dispatch_execution_sid\n"


def row(number: int = 2, cells: Sequence[str] = ("+15550100001", "Zoë"), **changes: Any) -> ReportRow:
    """A created row, or what the changes make of it."""
    values: dict[str, Any] = {
        "row_id": 1 << 32 | number,
        "input_id": 1,
        "row_number": number,
        "cells": list(cells),
        "state": RowState.created,
        "to_address": "+15550100001",
        "from_address": None,
        "reason_code": None,
        "reason_column": None,
        "reason": None,
        "attempts": 1,
        "execution_sid": f"FN{number:032x}",
        "http_status": 201,
        "error_code": None,
        "error_message": None,
        "found_by": FoundBy.answer,
        "sent_at_ms": SENT_MS,
        "ended_at_ms": SENT_MS + 93,
    }
    return ReportRow(**{**values, **changes})


def rejected(number: int = 2, **changes: Any) -> ReportRow:
    """A row that Studio refused."""
    values: dict[str, Any] = {
        "state": RowState.rejected,
        "execution_sid": None,
        "http_status": 400,
        "error_code": 21211,
        "error_message": "The 'To' number is not valid",
        "found_by": None,
    }
    return row(number, **{**values, **changes})


def never_sent(number: int = 2, **changes: Any) -> ReportRow:
    """A row that is invalid."""
    values: dict[str, Any] = {
        "state": RowState.invalid,
        "to_address": None,
        "reason_code": "to_invalid",
        "reason_column": "phone",
        "reason": "it is too short",
        "attempts": 0,
        "execution_sid": None,
        "http_status": None,
        "found_by": None,
        "sent_at_ms": None,
        "ended_at_ms": None,
    }
    return row(number, **{**values, **changes})


def read_csv(path: Path) -> list[list[str]]:
    """Every record as the standard library reads it, the header first."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))


def read_dicts(path: Path) -> list[dict[str, str]]:
    """Every row by column."""
    header, *records = read_csv(path)
    return [dict(zip(header, record, strict=True)) for record in records]


def read_as_input(path: Path, **more: Any) -> tuple[list[str], list[list[str]]]:
    """The header and the cells that `run` would find in the file: our columns are gone, and blank rows."""
    settings = Settings.model_validate(
        {
            "columns": {"to": "phone", "parameters": []},
            "input": {"cell_max_bytes": 1 << 30, **more},
            "campaign": {"from": "MG" + "0" * 32},
        }
    )
    with open_input(path, settings) as opened:
        rows = [orjson.loads(cells) for batch in opened.batches() for cells in batch.cells]
        return list(opened.new_input.header), rows


def batches(*rows: ReportRow, size: int = 2) -> Iterable[list[ReportRow]]:
    """The rows as the ledger gives them, some at a time."""
    for start in range(0, len(rows), size):
        yield list(rows[start : start + size])


async def feed(rows: Iterable[list[ReportRow]]) -> AsyncIterator[list[ReportRow]]:
    """The same by `async for`."""
    for batch in rows:
        yield batch


def write(path: Path, header: Sequence[str], rows: Iterable[list[ReportRow]], **options: Any) -> int:
    """A report, written on a loop of its own."""
    return asyncio.run(write_report(path, header, feed(rows), **{"campaign": "spring", **options}))


def summed(status: CampaignStatus, rows: Iterable[list[ReportRow]]) -> Summary:
    """The rows' summary, from a loop of its own."""
    return asyncio.run(summarize(status, feed(rows)))
