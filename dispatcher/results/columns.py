"""Our own columns of the report: what each row is told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol, TypeAlias

from dispatcher.model import REPORT_PREFIX, FoundBy, Reason, ReportRow, RowState
from dispatcher.studio.advice import advice

REPORT_COLUMNS: tuple[str, ...] = tuple(
    REPORT_PREFIX + name
    for name in (
        "row_number",
        "to",
        "status",
        "execution_sid",
        "http_status",
        "error_code",
        "error_message",
        "advice",
        "attempts",
        "sent_at",
        "finished_at",
    )
)
#: Those that are whole numbers; the others are text.
NUMBER_COLUMNS: frozenset[str] = frozenset(REPORT_PREFIX + name for name in ("row_number", "http_status", "attempts"))

Value: TypeAlias = str | int | None


class ExtraColumns(Protocol):
    """Columns that stand after ours, such as what became of the executions."""

    #: Each starts with `dispatch_`, so that a report that is fed back loses them again.
    names: Sequence[str]

    def values(self, rows: Sequence[ReportRow]) -> Iterable[Sequence[str | None]]:
        """For each of some hundred rows, in order, one text (or nothing) per name."""


_REASON_ADVICE: dict[str, str] = {reason.value: reason.advice for reason in Reason}
_FOUND: dict[str | None, str] = {
    FoundBy.conflict: "found by conflict: its own execution was already active",
    FoundBy.reconcile: "found by reconcile",
}

# A spreadsheet takes text that starts so for a formula, also after blanks, and some do after a line break.
_FORMULA = re.compile(r"(?:\A|(?<=[\r\n]))(?=[^\S\r\n]*[\ufeff\u200b]*[^\S\r\n]*[=+\-@＝＋－＠]|[\t\r])")  # noqa: RUF001
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")


def harmless(text: str | None) -> str | None:
    """The text, with `'` put before whatever a spreadsheet would run; a plain E.164 number stays as it is."""
    if not text or _PHONE.fullmatch(text):
        return text
    return _FORMULA.sub("'", text)


def own_values(row: ReportRow) -> list[Value]:
    """The values of REPORT_COLUMNS for a row; None where there is nothing to say."""
    state = row.state
    code: str | int | None
    if state is RowState.created:
        # An error before (a 409 that named our own execution) would only mislead: the row is done.
        code, message, what_to_do = None, _FOUND.get(row.found_by), None
    elif row.reason_code and (state is RowState.invalid or state is RowState.skipped):
        code = row.reason_code
        message = f"{row.reason_column}: {row.reason}" if row.reason_column else row.reason
        what_to_do = _REASON_ADVICE.get(code) or advice(state, None, None)
    else:
        code, message = row.error_code, row.error_message
        what_to_do = advice(state, row.http_status, row.error_code)
    return [
        row.row_number,
        row.to_address,
        state.value,
        row.execution_sid,
        row.http_status,
        code,
        message,
        what_to_do,
        row.attempts,
        iso_utc(row.left_at_ms),
        iso_utc(row.ended_at_ms),
    ]


def iso_utc(moment_ms: int | None) -> str | None:
    """`2026-01-31T09:05:00.123Z`."""
    if moment_ms is None:
        return None
    second, ms = divmod(moment_ms, 1000)
    return f"{_second(second)}.{ms:03d}Z"


@lru_cache(maxsize=4096)
def _second(second: int) -> str:
    # Rows that stand together were sent together: a second is asked for many times.
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
