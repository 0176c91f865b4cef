"""Reading a ledger as it was at one moment, some hundred rows at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from dispatcher.ledger import exporting, places, reading, tracking
from dispatcher.ledger.chunks import ChunkReader
from dispatcher.ledger.executions import TrackedExecution
from dispatcher.ledger.places import Timed
from dispatcher.ledger.records import CampaignRecord, ReportRow
from dispatcher.model import RowState

if TYPE_CHECKING:
    from collections.abc import Callable

    from dispatcher.ledger.db import Db

T = TypeVar("T")

#: A page of a list wants few rows, and at once; a report wants all, and each batch costs a change of threads.
FIRST_ROWS = 100
ROWS_MAX = 500


class LedgerSnapshot(Protocol):
    """A ledger as it was at one moment."""

    def rows(
        self,
        input_id: int,
        *,
        after_row: int = 0,
        states: frozenset[RowState] | None = None,
        reason: str | None = None,
    ) -> AsyncIterator[list[ReportRow]]:
        """One input's rows in file order, some hundred at a time.

        Only those with a row number above `after_row`, in one of `states`, and skipped or invalid for this `reason`.
        """

    async def executions(self, row_ids: Sequence[int]) -> dict[int, TrackedExecution]:
        """Row ids -> what is known of their executions, those of which something is."""

    async def times(self, row_ids: Sequence[int]) -> dict[int, Timed]:
        """Row ids -> where their contacts may be and the rows' own times, those that have any."""

    def everything(self, campaign: CampaignRecord) -> AsyncIterator[list[dict[str, Any]]]:
        """All that is known of a campaign, in order: itself, its files, runs, rows, attempts; each a JSON object."""


class _Read(Protocol):
    async def __call__(self, work: Callable[[Db], T], /) -> T: ...


class Snapshot:
    """See `LedgerSnapshot`. Each batch starts where the last one ended: nothing is kept open between them."""

    def __init__(self, read: _Read) -> None:
        self._read = read
        self._chunks = ChunkReader()

    async def rows(
        self,
        input_id: int,
        *,
        after_row: int = 0,
        states: frozenset[RowState] | None = None,
        reason: str | None = None,
    ) -> AsyncIterator[list[ReportRow]]:
        find = partial(reading.report_rows, chunks=self._chunks, input_id=input_id, states=states, reason=reason)
        limit = FIRST_ROWS
        while batch := await self._read(partial(find, after_row=after_row, limit=limit)):
            yield batch
            after_row = batch[-1].row_number
            limit = min(2 * limit, ROWS_MAX)

    async def executions(self, row_ids: Sequence[int]) -> dict[int, TrackedExecution]:
        return await self._read(partial(tracking.of_rows, row_ids=row_ids))

    async def times(self, row_ids: Sequence[int]) -> dict[int, Timed]:
        return await self._read(partial(places.of_rows, row_ids=row_ids))

    async def everything(self, campaign: CampaignRecord) -> AsyncIterator[list[dict[str, Any]]]:
        yield await self._read(partial(exporting.head, campaign=campaign))
        for input_id in await self._read(partial(exporting.input_ids, campaign=campaign)):
            after: int | None = 0
            while after is not None:
                find = partial(exporting.rows, chunks=self._chunks, input_id=input_id, after=after)
                rows, after = await self._read(find)
                yield rows
        after = 0
        while after is not None:
            attempts, after = await self._read(partial(exporting.attempts, campaign=campaign, after=after))
            yield attempts
