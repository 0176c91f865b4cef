"""All campaigns of one ledger, kept open by a server: what it is to send, and each to look at. Without a lease."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from dispatcher.campaign.context import CampaignContext
from dispatcher.campaign.flow_names import with_flow_sid
from dispatcher.campaign.opening import context_of, found_record, made_record, opened_ledger
from dispatcher.campaign.stop import StopRequests
from dispatcher.campaign.view import CampaignView
from dispatcher.ledger import Ledger
from dispatcher.ledger.records import Account, CampaignRecord, CampaignStatus
from dispatcher.ledger.wishes import Ordered
from dispatcher.settings import Credentials, Settings


class Register:
    """Made by `open_register`. Raises: LedgerError, everywhere."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        self._settings = settings

    async def ordered(self) -> list[Ordered]:
        """What servers are to send, of all accounts; whoever was ordered first comes first."""
        return await self._ledger.wishes.ordered()

    async def statuses(self) -> list[CampaignStatus]:
        """Every campaign, oldest first."""
        return [await self._ledger.status(record) for record in await self._ledger.campaigns()]

    async def status(self, campaign: CampaignRecord) -> CampaignStatus:
        """One campaign's counts."""
        return await self._ledger.status(campaign)

    async def holder(self, account: Account) -> str | None:
        """The machine and process that work for the account now, for people; None: nobody does, or it is not told."""
        return await self._ledger.holder(account)

    async def rate_per_s(self, account: Account) -> float | None:
        """The account's own rate; None: that of the settings."""
        return (await self._ledger.account_limits(account)).per_second

    async def hold(self, campaign: CampaignRecord, reason: str) -> None:
        """See `CampaignView.hold`; of any account."""
        await CampaignView(context_of(campaign, self._settings, None, self._ledger, None), StopRequests()).hold(reason)

    async def view(self, name: str, settings: Settings, credentials: Credentials | None) -> CampaignView:
        """A campaign that is there, of the credentials' account. Raises: CampaignNotFound, CampaignMismatch."""
        record = await found_record(self._ledger, name, settings, credentials)
        return self._view(record, settings, credentials)

    async def make(self, name: str, settings: Settings, credentials: Credentials) -> CampaignView:
        """The same, made where it is new: nothing is planned into it yet.

        Raises: CampaignMismatch, SettingsError; StudioError, where the flow is set by its name and looked up.
        """
        settings = await with_flow_sid(settings, credentials)
        record = await made_record(self._ledger, name, settings, credentials)
        return self._view(record, settings, credentials)

    async def account(self, settings: Settings, credentials: Credentials) -> Account:
        """The credentials' account."""
        return await self._ledger.account(credentials.account_sid, settings.studio_url)

    async def accept_canary(self, campaign: CampaignRecord) -> None:
        """See `Campaign.accept_canary`."""
        await self._ledger.canaries.accept(campaign)

    def _view(self, record: CampaignRecord, settings: Settings, credentials: Credentials | None) -> CampaignView:
        context: CampaignContext = context_of(record, settings, credentials, self._ledger, None)
        return CampaignView(context, StopRequests())


@contextlib.asynccontextmanager
async def open_register(settings: Settings) -> AsyncIterator[Register]:
    """Keep the ledger of these settings open, made where there is none. Raises: SettingsError, LedgerError."""
    async with opened_ledger(settings, create=True) as ledger:
        yield Register(ledger, settings)
