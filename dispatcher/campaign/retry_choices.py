"""Which refused rows are to be sent again, and which there are to choose from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dispatcher.campaign.retry_choice import RetryChoice
from dispatcher.model import RowState
from dispatcher.remedies import Option
from dispatcher.reporting.selection import Selection

if TYPE_CHECKING:
    from dispatcher.campaign.campaign import Campaign
    from dispatcher.campaign.view import CampaignView


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """Rows that could be retried together."""

    #: rejected or busy.
    state: RowState
    #: Why Studio refused them; None: it gave no code, or the contact was busy.
    code: int | None
    rows: int

    @property
    def option(self) -> Option:
        """What chooses them."""
        if self.state is RowState.busy:
            return Option("busy")
        return Option("all-rejected") if self.code is None else Option("code", self.code)


async def count_rows(campaign: Campaign, choice: RetryChoice, most: int | None = None) -> int:
    """How many rows the choice has, at most so many; nothing changes. Raises: CampaignNotFound, LedgerError."""
    return await _retry(campaign, choice, most, count_only=True)


async def plan_again(campaign: Campaign, choice: RetryChoice, most: int | None = None) -> int:
    """Plan the chosen rows again, the first so many; a send then sends them. Returns how many.

    Raises: CampaignNotFound, LedgerError.
    """
    return await _retry(campaign, choice, most, count_only=False)


async def _retry(campaign: Campaign, choice: RetryChoice, most: int | None, *, count_only: bool) -> int:
    rows = await campaign.retry(
        codes=choice.codes,
        all_rejected=choice.all_rejected,
        busy=choice.busy,
        skipped=choice.reasons,
        count_only=count_only,
        most=most,
    )
    if choice.unknown:
        rows += await (campaign.count_unknown() if count_only else campaign.risk_unknown())
    return rows


async def facets(campaign: CampaignView) -> list[Facet]:
    """What there is to choose from in all files, most rows first. Raises: CampaignNotFound, LedgerError."""
    found: Counter[tuple[RowState, int | None]] = Counter()
    chosen = Selection(frozenset({RowState.rejected, RowState.busy}))
    async for batch in campaign.rows(only=chosen, whole_campaign=True):
        for row in batch:
            found[row.state, None if row.state is RowState.busy else row.error_code] += 1
    return [Facet(state=state, code=code, rows=n) for (state, code), n in found.most_common()]
