"""The report's columns about waiting, where hours or caps hold: until when and for what, and the contact's zone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from dispatcher.ledger.places import Timed
from dispatcher.ledger.records import ReportRow
from dispatcher.model import WAIT_COLUMNS, RowState
from dispatcher.reporting.columns import ExtraColumns, iso_utc
from dispatcher.rules.places import Place

#: What a row waits for: when it may be sent (ms; None: not known), and the word for why; None: it does not wait.
Wait = Callable[[ReportRow, Timed], tuple[int | None, str] | None]
#: A row that has neither a place nor a time of its own.
_ANYWHERE = Timed(0, 0, 0)


class WaitColumns:
    """See `columns.ExtraColumns`. `look_up`: row ids → their places and times, those that have any."""

    names: Sequence[str] = WAIT_COLUMNS

    def __init__(
        self,
        look_up: Callable[[Sequence[int]], Awaitable[Mapping[int, Timed]]],
        places: Mapping[int, Place | None],
        wait: Wait,
    ) -> None:
        self._look_up = look_up
        self._zones = {number: ", ".join(place.zones) if place else "" for number, place in places.items()}
        self._wait = wait

    async def values(self, rows: Sequence[ReportRow]) -> list[list[str]]:
        """For each row, one text per name; empty where there is nothing to say."""
        known = await self._look_up([row.row_id for row in rows])
        return [self._texts(row, known.get(row.row_id, _ANYWHERE)) for row in rows]

    def _texts(self, row: ReportRow, timed: Timed) -> list[str]:
        wait = self._wait(row, timed) if row.state is RowState.planned else None
        until, what = wait or (None, "")
        return [iso_utc(until), what, self._zones.get(timed.place_id, "")]


class _Together:
    """Several, one behind the other. See `columns.ExtraColumns`."""

    def __init__(self, parts: Sequence[ExtraColumns]) -> None:
        self._parts = parts
        self.names: Sequence[str] = [name for part in parts for name in part.names]

    async def values(self, rows: Sequence[ReportRow]) -> list[list[str]]:
        """For each row, one text per name."""
        found = [await part.values(rows) for part in self._parts]
        return [[text for texts in of for text in texts] for of in zip(*found, strict=True)]


def together(parts: Sequence[ExtraColumns]) -> ExtraColumns | None:
    """These columns as one; None: there are none."""
    return _Together(parts) if parts else None
