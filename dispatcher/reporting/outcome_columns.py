"""The report's columns about what became of the executions; they stand after ours, once a campaign was tracked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from dispatcher.ledger.executions import TrackedExecution
from dispatcher.ledger.records import ReportRow
from dispatcher.model import OUTCOME_PREFIX, RowState
from dispatcher.reporting.columns import iso_utc
from dispatcher.studio.advice import CODES

#: Between the widgets of a path.
THEN = " > "
#: The status of an execution that this program has ended.
RECALLED = "recalled"

_NAMES = ("status", "last_step", "path", "ended_at", "error_code", "error_message", "advice")


class OutcomeColumns:
    """See `columns.ExtraColumns`. `look_up`: row ids → their executions, those of which something is known."""

    def __init__(
        self, look_up: Callable[[Sequence[int]], Awaitable[Mapping[int, TrackedExecution]]], variables: Iterable[str]
    ) -> None:
        self._look_up = look_up
        self._variables = tuple(variables)
        self.names: Sequence[str] = [OUTCOME_PREFIX + name for name in (*_NAMES, *self._variables)]

    async def values(self, rows: Sequence[ReportRow]) -> list[list[str]]:
        """For each row, one text per name; empty where nothing is known."""
        known = await self._look_up([row.row_id for row in rows if row.state is RowState.created])
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
