"""Opening a campaign: its ledger, its account's lock."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from dispatcher.campaign.campaign import Campaign
from dispatcher.errors import AccountLocked, CampaignNotFound
from dispatcher.events import EventBus
from dispatcher.ledger import SqliteLedger
from dispatcher.ledger.records import CampaignStatus
from dispatcher.ledger.sqlite.copy import copy_ledger
from dispatcher.settings import Credentials, Settings


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

    `create` off: the ledger and the campaign must be there. `scratch`: work on a throw-away copy of the ledger, for
    `check` and dry runs. Reading (status, report) needs neither lock nor credentials.

    Raises: LedgerError, AccountLocked, CampaignNotFound, CampaignMismatch.
    """
    bus = bus or EventBus()
    async with contextlib.AsyncExitStack() as stack:
        state_dir = Path(settings.state.dir)
        if scratch:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="dispatcher-"))
            await asyncio.to_thread(copy_ledger, state_dir, Path(folder))
            state_dir, lock = Path(folder), False
        ledger = await asyncio.to_thread(SqliteLedger.open, state_dir, create=create)
        try:
            campaign = Campaign(name, settings, credentials, ledger, bus, scratch=scratch)
            if not create:
                found = await ledger.find_campaign(name)
                if credentials is not None:
                    # The flow is the ledger's where the settings name none; the credentials must be the account's.
                    account = await ledger.account(credentials.account_sid, settings.studio_url)
                    found = await ledger.open_campaign(name, account, settings.campaign.flow or found.flow_sid)
                campaign.record = found
            if lock:
                owner = campaign.record or await campaign.own_record()
                from dispatcher.sending.account import open_account
                from dispatcher.sending.leasing import FileLeases

                stop = campaign.stopping
                borrowed = await stack.enter_async_context(
                    open_account(owner.account, settings, bus=bus, stop=stop.request)
                )
                lease = borrowed.lease(FileLeases(ledger, state_dir), wait=wait, stopped=stop.event)
                try:
                    await stack.enter_async_context(lease)
                except AccountLocked as error:
                    raise stop.error or error from None
                campaign.account = borrowed
            yield campaign
        finally:
            await ledger.close()


async def campaign_statuses(state_dir: Path) -> list[CampaignStatus]:
    """Every campaign of a ledger, oldest first; none where there is no ledger. Raises: LedgerError."""
    try:
        ledger = await asyncio.to_thread(SqliteLedger.open, state_dir, create=False)
    except CampaignNotFound:
        return []
    try:
        return [await ledger.status(record) for record in await ledger.campaigns()]
    finally:
        await ledger.close()
