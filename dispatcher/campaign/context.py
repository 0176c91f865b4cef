"""What every operation on a campaign needs: handed down, never changed."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dispatcher.campaign.stop import StopRequest
from dispatcher.errors import AuthenticationError, SettingsError
from dispatcher.events import EventBus
from dispatcher.ledger import Ledger
from dispatcher.ledger.records import CampaignRecord
from dispatcher.remedies import Advice
from dispatcher.settings import Credentials, Settings

if TYPE_CHECKING:
    from dispatcher.sending.account import OpenAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignContext:
    """A campaign whose ledger is open. `record` is as it was when the campaign was opened: `current` reads it again."""

    record: CampaignRecord
    settings: Settings
    #: None: nothing can be asked of Studio.
    credentials: Credentials | None
    ledger: Ledger
    bus: EventBus
    #: Whose lease this campaign holds; None: it was opened for viewing.
    account: OpenAccount | None = None
    #: The settings' files are another machine's: suppression lists are as that one has read them into the ledger.
    lists_of_ledger: bool = False

    @property
    def name(self) -> str:
        """The campaign's name."""
        return self.record.name

    def required_credentials(self) -> Credentials:
        """Raises: SettingsError where the campaign was opened without; AuthenticationError: with the account alone."""
        if self.credentials is None:
            raise SettingsError("this needs credentials", fix=Advice("open the campaign with credentials"))
        if not self.credentials.has_secret:
            raise AuthenticationError(
                "this asks Studio, and here nothing but the account is known",
                fix=Advice("set the account's API key and its secret"),
            )
        return self.credentials

    async def current(self) -> CampaignRecord:
        """The campaign as the ledger has it now. Raises: CampaignNotFound, LedgerError."""
        return await self.ledger.find_campaign(self.name, self.record.account)

    @contextlib.asynccontextmanager
    async def borrowed_account(self, stop: StopRequest) -> AsyncIterator[OpenAccount]:
        """The account, whose breaker every request to it waits at; `stop` is told where that gives up."""
        if self.account is not None:
            yield self.account
            return
        # Looking at a campaign needs no limiter: what only looks does not load it.
        from dispatcher.sending.account import open_account

        async with open_account(self.record.account, self.settings, bus=self.bus, stop=stop.request) as account:
            yield account
