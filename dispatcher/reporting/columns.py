"""Our own columns of the report: what each row is told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

from dispatcher.ledger.records import ReportRow
from dispatcher.model import FoundBy, RowState
from dispatcher.reporting.wording import changed_since, row_advice

#: Those of REPORT_COLUMNS that are whole numbers; the others are text.
NUMBER_COLUMNS: frozenset[str] = frozenset({"dispatch_row_number", "dispatch_http_status", "dispatch_attempts"})


class ExtraColumns(Protocol):
    """Columns that stand after ours, such as what became of the executions."""

    @property
    def names(self) -> Sequence[str]:
        """Each is one that a report loses again when it is fed back (`intake.origin.is_ours`)."""

    async def values(self, rows: Sequence[ReportRow]) -> Sequence[Sequence[str]]:
        """For each of some hundred rows, in order, one text per name; empty where there is nothing to say."""


_MS = [f".{ms:03d}Z" for ms in range(1000)]
_FOUND: dict[str | None, str] = {
    FoundBy.conflict: "found by conflict: its own execution was already active",
    FoundBy.reconcile: "found by reconcile",
}

# A spreadsheet takes text that starts so for a formula, also after blanks, and some do after a line break.
_FORMULA = re.compile(r"(?:\A|(?<=[\r\n]))(?=[^\S\r\n]*[\ufeff\u200b]*[^\S\r\n]*[=+\-@＝＋－＠]|[\t\r])")  # noqa: RUF001
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")


def runs_as_formula(text: str) -> bool:
    """Whether a spreadsheet might run the text; a plain E.164 number is spared, which at worst becomes a number."""
    return not _PHONE.fullmatch(text) and _FORMULA.search(text) is not None


def harmless(text: str) -> str:
    """The text, with `'` put before whatever a spreadsheet might run."""
    return _FORMULA.sub("'", text) if runs_as_formula(text) else text


def own_values(row: ReportRow, campaign: str) -> list[str]:
    """The values of REPORT_COLUMNS for a row of the campaign, as text; empty where there is nothing to say."""
    state = row.state
    code: str | int | None
    message: str | None
    if state is RowState.created:
        # An error before (a 409 that named our own execution) would only mislead: the row is done.
        code, message, advice = None, _FOUND.get(row.found_by), ""
    elif row.reason_code and (state is RowState.invalid or state is RowState.skipped):
        code = row.reason_code
        message = f"{row.reason_column}: {row.reason}" if row.reason_column else row.reason
        advice = row_advice(state, reason=code)
    else:
        code, message = row.error_code, row.error_message
        advice = row_advice(state, http_status=row.http_status, error_code=code)
    sent = row.sent_otherwise()
    if sent is not None:
        advice = f"{advice} {changed_since(sent)}".lstrip()
    return [
        campaign,
        str(row.row_number),
        row.to_address or "",
        state,
        row.execution_sid or "",
        "" if row.http_status is None else str(row.http_status),
        "" if code is None else str(code),
        message or "",
        advice,
        str(row.attempts),
        iso_utc(row.sent_at_ms),
        iso_utc(row.ended_at_ms),
    ]


def iso_utc(moment_ms: int | None) -> str:
    """`2026-01-31T09:05:00.123Z`; empty for None."""
    return "" if moment_ms is None else _second(moment_ms // 1000) + _MS[moment_ms % 1000]


@lru_cache(maxsize=4096)
def _second(second: int) -> str:
    # Rows that stand together were sent together: a second is asked for many times.
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
