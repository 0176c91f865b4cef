"""A turn on a cluster: the campaign's files planned, what was confirmed compared with what is found, and ordered.

    the lease (a worker makes room) ──► plan ──► its flow fits ──► confirmed ──► order, with its settings ──► a hint

Workers send it, from whatever machine. A file counts as planned once it is ordered: whatever comes between is done
anew, and comes to the same rows. Before the first order workers know of nothing, and of what a person has to look at
they are told while they cannot have the account.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from dispatcher.campaign import Campaign, open_campaign
from dispatcher.campaign.flow_check import stop_unless_flow_fits
from dispatcher.campaign.outlook import outlook, refuse_too_many
from dispatcher.campaign.turns import Came, Outcome, ended_by
from dispatcher.errors import DispatcherError, LedgerError, LedgerGone, LedgerUnreachable
from dispatcher.model import PausedBy, RowState
from dispatcher.web.running.turn import Turn, planned

if TYPE_CHECKING:
    from dispatcher.ledger.records import CampaignRecord, CampaignStatus


#: Nothing that a person has to look at.
_AWAY = (LedgerUnreachable, LedgerGone)


class OrderTurn(Turn):
    """See `Turn`: it has ended once workers are to send the campaign."""

    async def _go(self) -> Outcome:
        sends = await self._share.settings_of(self.draft)
        opening = open_campaign(self.draft.name, sends.settings, sends.sender(), bus=self.bus, wait=False)
        try:
            async with self._opened(opening) as campaign:
                record = await self._held_unless_ordered(campaign)
        except _AWAY as error:
            # It is tried again.
            return Outcome(came=Came.locked, error=error)
        await self._share.hint(record)
        return Outcome(came=Came.ended)

    async def _held_unless_ordered(self, campaign: Campaign) -> CampaignRecord:
        try:
            await self._order(campaign)
        except DispatcherError as error:
            if ended_by(error, self._stopping).came is Came.failed and not isinstance(error, _AWAY):
                # Before a worker has the account again.
                with contextlib.suppress(LedgerError):
                    await self._hold(campaign, error)
            raise
        return campaign.record

    async def _hold(self, campaign: Campaign, error: DispatcherError) -> None:
        await campaign.hold(self._share.words(error))
        wish = await campaign.wish()
        if wish.due_ms is None and wish.pause is not None and wish.pause.by is PausedBy.held:
            # Rows were added to what was over: once somebody goes on it is sent, unlike what was stopped for good.
            await campaign.order(wish, self._share.now_ms())

    async def _order(self, campaign: Campaign) -> None:
        """Raises: why it is not ordered."""
        self._check()
        await campaign.check_not_paused()
        due_ms = (await campaign.wish()).due_ms
        await campaign.take_rate()
        files = range(self.draft.planned, len(self.draft.uploads))
        for index in files:
            await self._plan_file(campaign, index)
        status = await campaign.status()
        if campaign.may_ask and _waits(status):
            self._check()
            await stop_unless_flow_fits(campaign, lambda _: None)
            self._check_revision(campaign.seen_revision)
        self._check()
        await self._confirm_found(campaign, status)
        again, look_short = self.draft.again, self._share.may_look_short(self.draft.draft_id)
        refused = await campaign.order_out(due_ms or self._share.now_ms(), again=again, may_look_short=look_short)
        if refused is not None:
            raise refused
        for _ in files:
            self.draft = await planned(self._share.store, self.draft)

    async def _confirm_found(self, campaign: Campaign, status: CampaignStatus) -> None:
        left_out = await campaign.count_left_out()
        ahead = outlook(
            status,
            campaign.settings,
            whole_campaign=True,
            again=left_out.contacted if self.draft.again else 0,
            contacted=0 if self.draft.again else left_out.contacted,
            suppressed=left_out.suppressed,
            cooled_off=await campaign.cooled_off(whole_campaign=True),
            removed=await campaign.rows_to_remove(),
        )
        refuse_too_many(ahead, campaign.settings)
        self._confirm(ahead)


def _waits(status: CampaignStatus) -> bool:
    return bool(status.rows[RowState.planned] or status.earlier_rows.get(RowState.planned))
