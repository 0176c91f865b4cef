"""Opening a campaign: its ledger, its account's lock."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from dispatcher.campaign.campaign import Campaign
from dispatcher.campaign.locking import leased
from dispatcher.errors import CampaignNotFound
from dispatcher.events import EventBus
from dispatcher.ledger import open_ledger, open_rehearsal
from dispatcher.ledger.records import CampaignStatus
from dispatcher.settings import Credentials, Settings, StateSettings


@contextlib.asynccontextmanager
async def open_campaign(
    name: str,
    settings: Settings,
    credentials: Credentials | None = None,
    *,
    bus: EventBus | None = None,
    create: bool = True,
    lock: bool = True,
    wait: bool = False,
    scratch: bool = False,
) -> AsyncIterator[Campaign]:
    """Open the ledger and, with `lock`, take the account: whoever plans or sends holds it. `wait` for it if need be.

    `create` off: the ledger and the campaign must be there. `scratch`: work on a throw-away ledger that knows this
    campaign alone, for `check` and dry runs. Reading (status, report) needs neither lock nor credentials.

    Raises: LedgerError, AccountLocked, CampaignNotFound, CampaignMismatch.
    """
    bus = bus or EventBus()
    ledger = await (open_rehearsal(settings.state, name) if scratch else open_ledger(settings.state, create=create))
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(ledger.close)
        campaign = Campaign(name, settings, credentials, ledger, bus, scratch=scratch)
        if not create:
            found = await ledger.find_campaign(name)
            if credentials is not None:
                # The flow is the ledger's where the settings name none; the credentials must be the account's.
                account = await ledger.account(credentials.account_sid, settings.studio_url)
                found = await ledger.open_campaign(name, account, settings.campaign.flow or found.flow_sid)
            campaign.record = found
        if lock and not scratch:
            owner = campaign.record or await campaign.own_record()
            await stack.enter_async_context(leased(ledger, owner.account, bus, campaign.stopping, wait=wait))
        yield campaign


async def campaign_statuses(state: StateSettings) -> list[CampaignStatus]:
    """Every campaign of a ledger, oldest first; none where there is no ledger. Raises: LedgerError."""
    try:
        ledger = await open_ledger(state, create=False)
    except CampaignNotFound:
        return []
    try:
        return [await ledger.status(record) for record in await ledger.campaigns()]
    finally:
        await ledger.close()
