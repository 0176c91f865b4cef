"""A shift: one campaign sent by this machine for as long as it has the account. Nothing of sending is here.

    the order, as the ledger has it now ──► its settings, this machine's host and credentials ──► the lease ──► a turn

A job that is lost, doubled or late does no harm: whoever does not get the lease returns, and whoever gets it looks
again at what is wanted.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING

from dispatcher.campaign.account_rate import rate_of
from dispatcher.campaign.flow_names import settings_with_flow
from dispatcher.campaign.handing import HandedOver
from dispatcher.campaign.launch import LaunchOptions
from dispatcher.campaign.opening import check_settle_time, leased_campaign
from dispatcher.campaign.turns import Came, Outcome, ended_by, outcome_of, take_turn
from dispatcher.cluster.ends import End, Ended, end_of, sentence
from dispatcher.errors import DispatcherError, SettingsError
from dispatcher.events import EventBus, log_event
from dispatcher.settings.ordered import settings_from

if TYPE_CHECKING:
    from dispatcher.campaign.campaign import Campaign
    from dispatcher.campaign.outlook import Outlook
    from dispatcher.cluster.credentials import Key
    from dispatcher.ledger import Ledger
    from dispatcher.ledger.records import Account
    from dispatcher.ledger.wishes import Ordered
    from dispatcher.settings import Settings

logger = logging.getLogger(__name__)


class Shift:
    """One shift. `run` once."""

    def __init__(self, order: Ordered, key: Key, ledger: Ledger, own: Settings) -> None:
        """`key`: of the order's account; `own`: this machine's settings."""
        self.order = order
        self.bus = EventBus()
        self.bus.subscribe(log_event)
        #: The campaign of the account whose turn it is afterwards.
        self.followed_by: int | None = None
        self._key = key
        self._ledger = ledger
        self._own = own
        self._campaign: Campaign | None = None
        self._stopping: DispatcherError | None = None
        #: How long requests in flight may take after a stop.
        self.stop_s = own.timeouts.stop_s
        self._begun_s = asyncio.get_running_loop().time()

    @property
    def account(self) -> Account:
        """Whose campaign it is."""
        return self.order.campaign.account

    @property
    def campaign_id(self) -> int:
        """Of the ledger."""
        return self.order.campaign.campaign_id

    @property
    def is_open(self) -> bool:
        """Whether it has the account."""
        return self._campaign is not None

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to end."""
        return self._stopping is not None

    @property
    def lasts_s(self) -> float:
        """For how long it has been going on."""
        return asyncio.get_running_loop().time() - self._begun_s

    def stop(self, error: DispatcherError, *, hard: bool = False) -> None:
        """Have it end soon: what is in flight is finished, or with `hard` given up as unknown."""
        self._stopping = self._stopping or error
        if self._campaign is not None:
            self._campaign.stop(error, hard=hard)

    async def run(self) -> Ended:
        """Take the account if nobody has it, and send. Never raises but for its cancellation."""
        try:
            settings = self._settings()
        except SettingsError as error:
            # A newer version's order is for a worker of that version.
            return Ended(end=End.not_ours, error=error)
        self.stop_s = settings.timeouts.stop_s
        try:
            # Whatever rate whoever has ordered it has in mind.
            settings = rate_of(settings, await self._ledger.account_limits(self.account))
            async with leased_campaign(
                self._ledger,
                self.order.campaign,
                settings,
                self._key.credentials,
                bus=self.bus,
                lists_of_ledger=True,
            ) as campaign:
                self._campaign = campaign
                ended = await self._turn(campaign)
                if ended.end is End.held:
                    # Before anybody else has the account.
                    await campaign.hold(sentence(ended.error, socket.gethostname()))
                return ended
        except DispatcherError as error:
            return end_of(ended_by(error, self._stopping))
        finally:
            self._campaign = None

    def _settings(self) -> Settings:
        """The order's, for the host that this machine knows for the account. Raises: SettingsError."""
        found = settings_from(self.order.settings or "", self._own)
        account = self._key.host.model_copy(update={"api_version": found.account.api_version})
        return settings_with_flow(found.model_copy(update={"account": account}), self.order.campaign.flow_sid)

    async def _turn(self, campaign: Campaign) -> Ended:
        try:
            # Whoever had the account meanwhile may have ordered it anew, or sent it.
            if await order_of(self._ledger, self.campaign_id) != self.order:
                raise HandedOver("what is wanted of the campaign has changed")
            check_settle_time(campaign.settings)
            # The report is written where somebody asks for it: no cells of contacts on a worker's disk.
            options = LaunchOptions(report=None, whole_campaign=True)
            launched = await take_turn(campaign, options, check=self._check, confirm=_agreed)
            return end_of(outcome_of(launched, self._stopping), launched)
        except DispatcherError as error:
            return end_of(ended_by(error, self._stopping))
        except Exception:
            logger.exception("a bug ended a shift of campaign %d", self.campaign_id)
            return end_of(Outcome(came=Came.failed, error=DispatcherError()))

    def _check(self) -> None:
        """Raises: why it is to stop."""
        if self._stopping is not None:
            raise self._stopping


async def order_of(ledger: Ledger, campaign_id: int) -> Ordered | None:
    """The campaign's order as it stands; None: nobody but a terminal is to send it. Raises: LedgerError."""
    return next((one for one in await ledger.wishes.ordered() if one.campaign.campaign_id == campaign_id), None)


def _agreed(_: Outlook) -> None:
    """Whoever has ordered it was asked."""
