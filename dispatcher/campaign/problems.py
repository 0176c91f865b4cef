"""The rows of a file that will not be sent: which, why, and what to do. Values, for whoever shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dispatcher.intake.header import visible
from dispatcher.model import RowState
from dispatcher.reporting.selection import Selection
from dispatcher.reporting.wording import row_advice

if TYPE_CHECKING:
    from dispatcher.campaign.view import CampaignView
    from dispatcher.ledger.records import PlanCounts, ReportRow

#: Row numbers given as examples for each reason.
EXAMPLES = 3
#: So many bad rows are looked through for what they have in common.
LOOKED_AT = 20_000
#: Looking for the bad rows of a larger file would be waited for.
EXAMPLES_ROWS_MAX = 200_000
#: The most characters of a cell's value in JSON; the rest is cut.
VALUE_MAX = 200

_LEFT_OUT = Selection(frozenset({RowState.invalid, RowState.skipped}))


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that is left out."""

    row_number: int
    #: invalid or skipped.
    state: RowState
    #: The reason's name; None: the ledger has none.
    reason: str | None
    #: The column that is wrong; None: it is the row as a whole.
    column: str | None
    #: What stands in that column, as it was written.
    value: str
    #: What is wrong with it, for people.
    message: str
    #: What to do about rows of this reason, for people; empty: nothing is known.
    advice: str

    def as_json(self) -> dict[str, Any]:
        """The same with plain values, for `json`."""
        return {
            "row_number": self.row_number,
            "state": self.state.value,
            "reason": self.reason,
            "column": self.column,
            "value": self.value[:VALUE_MAX],
            "message": self.message,
            "advice": self.advice,
        }


def left_out(counts: PlanCounts) -> int:
    """How many rows of the file are not sent: invalid or skipped."""
    return counts.rows[RowState.invalid] + counts.rows[RowState.skipped]


async def bad_rows(
    campaign: CampaignView, *, after_row: int = 0, reason: str | None = None, limit: int | None = None
) -> list[BadRow]:
    """Rows of the latest file that are left out, in its order: after a row number, of one reason, at most so many.

    Raises: CampaignNotFound, LedgerError.
    """
    found: list[BadRow] = []
    header = (await campaign.inputs())[-1].header
    async for batch in campaign.rows(only=_LEFT_OUT, reason=reason, after_row=after_row):
        found += [_bad_row(row, header) for row in batch]
        if limit is not None and len(found) >= limit:
            return found[:limit]
    return found


async def write_left_out(
    campaign: CampaignView, path: Path, *, reason: str | None = None, advice: Callable[[ReportRow], str] | None = None
) -> int:
    """Write these rows to a file, `.xlsx` or `.csv`, for people to correct; returns how many there are.

    Their cells are as they were; behind them what is wrong, and what to do, as `advice` says it. Fed back, the file is
    a part of its campaign. A file of that name is replaced. Raises: ReportError, CampaignNotFound, LedgerError.
    """
    from dispatcher.reporting.left_out import write_rows_left_out

    header = (await campaign.inputs())[-1].header
    rows = campaign.rows(only=_LEFT_OUT, reason=reason)
    return await write_rows_left_out(path, header, rows, advice=advice or _advice)


def _advice(row: ReportRow) -> str:
    return row_advice(row.state, reason=row.reason_code)


async def examples(campaign: CampaignView, counts: PlanCounts) -> dict[str, list[int]]:
    """For each reason why rows are left out, the numbers of the first of them; nothing of large files."""
    found: dict[str, list[int]] = {reason: [] for reason in counts.reasons}
    if not found or counts.total > EXAMPLES_ROWS_MAX:
        return {}
    async for batch in campaign.rows(only=_LEFT_OUT):
        for row in batch:
            numbers = found.get(row.reason_code or "")
            if numbers is not None and len(numbers) < EXAMPLES:
                numbers.append(row.row_number)
        if all(len(numbers) >= min(EXAMPLES, counts.reasons[reason]) for reason, numbers in found.items()):
            break
    return found


def plan_object(source: str, name: str, counts: PlanCounts) -> dict[str, Any]:
    """What planning a file came to, for `json`."""
    return {
        "file": source,
        "campaign": name,
        "total": counts.total,
        "rows": {state.value: counts.rows[state] for state in RowState},
        "reasons": counts.reasons,
        "new": counts.new,
        "corrected": counts.corrected,
        "repeats": counts.repeats,
        "changed": counts.changed,
        "removed": counts.missing,
    }


def check_object(source: str, name: str, counts: PlanCounts, rows: Sequence[BadRow]) -> dict[str, Any]:
    """The same with the rows that are left out; `problems_left_out` of them are not among `rows`."""
    return {
        **plan_object(source, name, counts),
        "problems": [row.as_json() for row in rows],
        "problems_left_out": left_out(counts) - len(rows),
    }


def cell_of(row: ReportRow, header: Sequence[str]) -> str:
    """The value that is wrong, or nothing where it is the row as a whole."""
    # The reason names the column as a person sees it.
    names = [visible(name) or f"column {position}" for position, name in enumerate(header, 1)]
    if row.reason_column in names:
        index = names.index(row.reason_column)
        if index < len(row.cells):
            return row.cells[index]
    return ""


def _bad_row(row: ReportRow, header: Sequence[str]) -> BadRow:
    return BadRow(
        row_number=row.row_number,
        state=row.state,
        reason=row.reason_code,
        column=row.reason_column,
        value=cell_of(row, header),
        message=row.reason or "",
        advice=_advice(row),
    )
