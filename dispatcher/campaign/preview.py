"""What the contacts of a planned file get of the flow: the texts of one row, and what those of all rows come to."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dispatcher.campaign.context import CampaignContext
from dispatcher.errors import UsageError
from dispatcher.ledger import LedgerSnapshot
from dispatcher.ledger.records import InputRecord, ReportRow
from dispatcher.model import RowState
from dispatcher.remedies import Advice, Option

if TYPE_CHECKING:
    from dispatcher.studio.preflight import SeenFlow
    from dispatcher.studio.preview import FlowTexts, PreviewedText, RowTexts
    from dispatcher.studio.spread import FileSpread, TextSpread

#: Before a question so many rows are looked at, and for so long: nobody waits for a large file's every row.
ROWS_MAX = 10_000
BUDGET_S = 1.0
#: A file that is looked at in part is read in so many pieces, evenly over it.
_PIECES = 128

_PLANNED = frozenset({RowState.planned})


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPreview:
    """What contacts get. `not_shown`: why nothing can be said; empty: it can."""

    not_shown: str = ""
    revision: int | None = None
    #: The flow sends texts at all; it speaks on a call.
    has_messages: bool = False
    calls: bool = False
    #: The row that is shown; None: no row is planned.
    row_number: int | None = None
    row: RowTexts | None = None
    #: Of the rows that were looked at.
    spread: FileSpread | None = None
    #: Planned rows of the file.
    rows: int = 0
    #: So many of them are to be sent at the most; None: all.
    limit: int | None = None
    #: The user's own price of a segment; None: not set.
    per_segment: float | None = None

    @property
    def is_sample(self) -> bool:
        """Not every planned row was looked at."""
        return self.spread is not None and self.spread.rows < self.rows

    @property
    def segments(self) -> int | None:
        """The segments of all rows to be sent, scaled where not just these are known; None: of none are they."""
        if self.spread is None or not self.spread.counted_rows:
            return None
        rows = self.rows if self.limit is None else min(self.rows, self.limit)
        sms_rows = rows * (self.spread.rows - self.spread.other_rows) / self.spread.rows
        return round(self.spread.total_segments * sms_rows / self.spread.counted_rows)

    @property
    def is_estimate(self) -> bool:
        """The segments are not counted row by row, or may be more."""
        spread = self.spread
        is_part = self.limit is not None and self.limit < self.rows
        return spread is None or is_part or self.is_sample or spread.unknown_rows > 0 or spread.is_least

    @property
    def cost(self) -> float | None:
        """What the expected texts cost, in whatever the price is in; None: no price is set, or nothing is counted."""
        return None if self.per_segment is None or self.segments is None else self.segments * self.per_segment

    def as_json(self) -> dict[str, Any]:
        """For `json`; `docs/preview.md` describes it."""
        spread = self.spread
        return {
            "shown": not self.not_shown,
            "reason": self.not_shown or None,
            "revision": self.revision,
            "has_messages": self.has_messages,
            "calls": self.calls,
            "row_number": self.row_number,
            "texts": [_text_object(text) for text in self.row.texts] if self.row else [],
            "decided_at": (self.row.decided_at or None) if self.row else None,
            "assumed": list(self.row.assumed) if self.row else [],
            "notes": list(self.row.notes) if self.row else [],
            "rows": self.rows,
            "rows_looked_at": spread.rows if spread else 0,
            "spread": _spread_object(spread) if spread else None,
            "segments": self.segments,
            "is_estimate": self.is_estimate,
            "per_segment": self.per_segment,
            "cost": None if self.cost is None else round(self.cost, 4),
        }


async def preview(
    context: CampaignContext,
    seen: SeenFlow,
    *,
    row_number: int | None = None,
    limit: int | None = None,
    rows_max: int | None = ROWS_MAX,
    budget_s: float | None = BUDGET_S,
) -> FlowPreview:
    """The texts of a row of the latest file (the first that is planned), and what those of its planned rows come to.

    `limit`: so many rows are to be sent at the most, which the cost is of.
    Looks at `rows_max` rows at the most (None: at all), evenly over the file, and no longer than `budget_s`.
    Raises: UsageError: the file has no such row, or it can never be sent; CampaignNotFound, LedgerError.
    """
    from dispatcher.studio.definition import read_definition
    from dispatcher.studio.preview import FlowTexts

    record, per_segment = await context.current(), context.settings.cost.per_segment
    if seen.published is None:
        v1 = seen.api_version == "v1"
        why = "v1 of the API does not show a flow's definition" if v1 else "the flow has never been published"
        return FlowPreview(not_shown=why)
    definition = read_definition(seen.published.definition)
    if not definition.widgets:
        return FlowPreview(not_shown="the flow's definition could not be read", revision=seen.published.revision)
    texts = FlowTexts(definition, flow_sid=record.flow_sid, id_parameter=context.settings.campaign.id_parameter)
    inputs = {one.input_id: one for one in await context.ledger.inputs(record)}
    row: ReportRow | None = None
    spread: FileSpread | None = None
    planned = 0
    if record.input_id is not None:
        status = await context.ledger.status(record)
        planned, total = status.rows[RowState.planned], sum(status.rows.values())
        async with context.ledger.snapshot() as view:
            row = await find_row(view, record.input_id, row_number)
            if texts.has_messages and planned:
                pieces = _all(view, record.input_id)
                if rows_max is not None and planned > rows_max:
                    pieces = _evenly(view, record.input_id, total, rows_max)
                spread = await _fold(pieces, texts, inputs, budget_s)
    return FlowPreview(
        revision=seen.published.revision,
        has_messages=texts.has_messages,
        calls=texts.calls,
        row_number=row.row_number if row else None,
        row=_texts_of(texts, inputs, row) if row else None,
        spread=spread,
        rows=planned,
        limit=limit,
        per_segment=per_segment,
    )


async def find_row(view: LedgerSnapshot, input_id: int, row_number: int | None) -> ReportRow | None:
    """A row of an input by its number, or its first planned one; None: none is planned.

    Raises: UsageError: the file has no such row, or it can never be sent.
    """
    if row_number is None:
        return next(iter(await _first_batch(view, input_id, 0, _PLANNED)), None)
    row = next(iter(await _first_batch(view, input_id, row_number - 1, None)), None)
    if row is None or row.row_number != row_number:
        raise UsageError(
            f"the file has no row {row_number}",
            found=f"the next is row {row.row_number}" if row else "its last row stands before",
            fix=Option("row", row.row_number) if row else Advice("name a row by the number that a spreadsheet shows"),
        )
    if row.to_address is None or row.state is RowState.invalid:
        raise UsageError(
            f"row {row_number} can never be sent",
            found=row.reason or row.state.value,
            fix=Advice("name another row, or correct it"),
        )
    return row


async def _first_batch(
    view: LedgerSnapshot, input_id: int, after_row: int, states: frozenset[RowState] | None
) -> list[ReportRow]:
    async for batch in view.rows(input_id, after_row=after_row, states=states):
        return batch
    return []


def _all(view: LedgerSnapshot, input_id: int) -> AsyncIterator[list[ReportRow]]:
    return view.rows(input_id, states=_PLANNED)


async def _evenly(view: LedgerSnapshot, input_id: int, total: int, rows_max: int) -> AsyncIterator[list[ReportRow]]:
    """Pieces of the file in an order in which any number of them is spread over all of it."""
    last = total + 1
    while await _first_batch(view, input_id, last, _PLANNED):  # blank lines count in row numbers
        last *= 2
    seen: set[int] = set()
    for piece in range(_PIECES):
        # The bits of its number backwards: 0, 64, 32, 96, …
        place = int(f"{piece:0{_PIECES.bit_length() - 1}b}"[::-1], 2)
        batch = await _first_batch(view, input_id, last * place // _PIECES, _PLANNED)
        fresh = [row for row in batch if row.row_number not in seen][: max(0, rows_max - len(seen))]
        seen.update(row.row_number for row in fresh)
        yield fresh
        if len(seen) >= rows_max:
            return


async def _fold(
    pieces: AsyncIterator[list[ReportRow]],
    texts: FlowTexts,
    inputs: Mapping[int, InputRecord],
    budget_s: float | None,
) -> FileSpread:
    from dispatcher.studio.spread import SpreadFold

    fold, until_s = SpreadFold(), None if budget_s is None else time.monotonic() + budget_s
    async for batch in pieces:
        for row in batch:
            fold.add(row.row_number, _texts_of(texts, inputs, row))
            if until_s is not None and time.monotonic() > until_s:
                return fold.result()
    return fold.result()


def _texts_of(texts: FlowTexts, inputs: Mapping[int, InputRecord], row: ReportRow) -> RowTexts:
    from dispatcher.studio.preview import RowValues

    own = inputs[row.input_id]
    sender = own.sender(row.from_address) or ""
    return texts.of(RowValues(data=own.parameters(row.cells), to=row.to_address or "", sender=sender))


def _text_object(text: PreviewedText) -> dict[str, Any]:
    size = text.size
    return {
        "widget": text.widget,
        "text": text.text,
        "expected": text.is_expected,
        "blanks": list(text.blanks),
        "later": list(text.later),
        "reason": text.reason or None,
        "characters": size.characters if size else None,
        "encoding": size.encoding.value if size else None,
        "forcing": list(size.forcing) if size else [],
        "segments": size.segments if size else None,
    }


def _spread_object(spread: FileSpread) -> dict[str, Any]:
    longest = spread.longest
    return {
        "segments": {str(segments): rows for segments, rows in spread.segments.items()},
        "unknown_rows": spread.unknown_rows,
        "other_channel_rows": spread.other_rows,
        "longest": longest
        and {"row_number": longest.row_number, "segments": longest.segments, "characters": longest.characters},
        "texts": [_text_spread_object(text) for text in spread.texts],
        "notes": dict(spread.notes),
    }


def _text_spread_object(text: TextSpread) -> dict[str, Any]:
    return {
        "widget": text.widget,
        "expected": text.is_expected,
        "rows": text.rows,
        "blanks": dict(text.blanks),
        "segments": {str(segments): rows for segments, rows in text.segments.items()},
        "ucs_2_rows": text.ucs_2_rows,
        "forcing": dict(text.forcing),
        "characters": list(text.characters) if text.characters else None,
        "longest_row": text.longest_row,
        "too_long_rows": text.too_long_rows,
        "empty_rows": text.empty_rows,
        "reasons": dict(text.reasons),
    }
