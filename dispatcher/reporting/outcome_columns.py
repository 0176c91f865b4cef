"""The report's columns about what became of the executions; they stand after ours, once a campaign was tracked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from dispatcher.ledger.records import ReportRow, TrackedExecution
from dispatcher.model import REPORT_PREFIX, RowState
from dispatcher.reporting.columns import iso_utc
from dispatcher.studio.advice import CODES

OUTCOME_PREFIX = REPORT_PREFIX + "outcome_"
#: Between the widgets of a path.
THEN = " > "
#: The status of an execution that this program has ended.
RECALLED = "recalled"

_NAMES = ("status", "last_step", "path", "ended_at", "error_code", "error_message", "advice")


class OutcomeColumns:
    """See `columns.ExtraColumns`. `look`: row ids → what is known of their executions (`LedgerSnapshot.executions`)."""

    def __init__(
        self, look: Callable[[Sequence[int]], Mapping[int, TrackedExecution]], variables: Iterable[str]
    ) -> None:
        self._look = look
        self._variables = tuple(variables)
        self.names: Sequence[str] = [OUTCOME_PREFIX + name for name in (*_NAMES, *self._variables)]

    def values(self, rows: Sequence[ReportRow]) -> list[list[str]]:
        """For each row, one text per name; empty where nothing is known."""
        known = self._look([row.row_id for row in rows if row.state is RowState.created])
        nothing = [""] * len(self.names)
        return [self._texts(known[row.row_id]) if row.row_id in known else nothing for row in rows]

    def _texts(self, execution: TrackedExecution) -> list[str]:
        code = execution.error_code
        return [
            RECALLED if execution.recalled_at_ms is not None else execution.status.value,
            execution.last_step or "",
            THEN.join(execution.path or ()),
            iso_utc(execution.ended_at_ms),
            "" if code is None else str(code),
            execution.error_message or "",
            CODES[code].advice if code in CODES else "",
            *[execution.variables.get(name, "") for name in self._variables],
        ]
