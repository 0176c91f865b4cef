"""Rows claimed in the ledger: the intent to send them is on disk, and the account is known to be ours."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from dispatcher.clock import counted_ms, now_ms
from dispatcher.ledger.protocol import Ledger
from dispatcher.ledger.records import GrantedRow, Run
from dispatcher.sending.plan import SendPlan
from dispatcher.sending.timing import Timing

#: So long after the ledger has said that the account is ours a request may leave; much less than the time that the list
#: of executions gets, after which another holder of the account may send the row again.
CONFIRMED_FOR_S = 5.0


class Claims:
    """Claims of one round. `limit`: the most rows; None: all. `skipped` is told of rows that were left out."""

    def __init__(
        self,
        ledger: Ledger,
        run: Run,
        plan: SendPlan,
        timing: Timing,
        *,
        limit: int | None = None,
        skipped: Callable[[int], None],
    ) -> None:
        self.rows: deque[GrantedRow] = deque()
        self._ledger = ledger
        self._run = run
        self._plan = plan
        self._timing = timing
        self._limit = limit
        self._skipped = skipped
        self._claiming: asyncio.Task[list[GrantedRow]] | None = None
        self._total = 0
        #: When the ledger was last asked whether the account is ours, and said yes, as the machine counts.
        self._confirmed_ms = float("-inf")

    @property
    def confirmed(self) -> bool:
        """Whether the ledger has said lately that the account is ours."""
        # Not by the loop's clock, which on Linux stands still while the machine sleeps.
        return counted_ms() - self._confirmed_ms <= CONFIRMED_FOR_S * 1000

    @property
    def campaign(self) -> str:
        """The name of the campaign whose rows these are."""
        return self._run.campaign.name

    async def confirm(self) -> None:
        """Ask it, and whether the campaign is paused.

        Raises: LeaseLost where another run has taken the account over; other LedgerErrors; CampaignPaused.
        """
        await self._begin_rows(0)

    @property
    def exhausted(self) -> bool:
        """Whether the round's limit is reached."""
        return self._limit is not None and self._total >= self._limit

    def put_back(self) -> None:
        """A claimed row is planned again: it does not count."""
        self._total -= 1

    def start(self, size: int) -> None:
        """Have up to `size` more rows claimed in the background, if none are being claimed yet."""
        if self._claiming is None:
            if self._limit is not None:
                size = min(size, self._limit - self._total)
            if size > 0:
                # A task of its own: a stop that cancels the feeder must not lose rows that the ledger has granted.
                self._claiming = asyncio.create_task(self._begin_rows(size), name="claim")

    async def fill(self, size: int) -> bool:
        """Have some rows claimed. False: none is planned now, or the limit is reached.

        Raises: LedgerError, CampaignPaused.
        """
        self.start(size)
        if self._claiming is None:
            return False
        rows = await asyncio.shield(self._claiming)
        self._claiming = None
        self.rows.extend(rows)
        self._total += len(rows)
        return bool(rows)

    async def finish(self) -> None:
        """Wait for the claim that is under way, if there is one: its rows are in `rows` then.

        Raises: LedgerError, CampaignPaused.
        """
        claiming, self._claiming = self._claiming, None
        if claiming is not None:
            self.rows.extend(await claiming)

    async def _begin_rows(self, limit: int) -> list[GrantedRow]:
        plan = self._plan
        while True:
            asked_ms = counted_ms()
            rows = await self._ledger.begin_rows(
                self._run,
                self._timing.room(limit),
                now_ms=now_ms(),
                input_id=plan.input_id,
                dispatch_id=plan.dispatch_id,
                repeat_after_ms=plan.repeat_after_ms,
                list_ids=plan.list_ids,
                gate=self._timing.gate(),
            )
            self._confirmed_ms = max(self._confirmed_ms, asked_ms)
            self._timing.begun(rows)
            if rows.skipped:
                self._skipped(rows.skipped)
            if not rows.is_cut:
                return rows
