"""What a command works with: its settings, the credentials, a bus, and campaigns that signals stop."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from dispatcher.campaign import (
    Campaign,
    CampaignView,
    Rehearsal,
    open_campaign,
    rehearse_campaign,
    studio_client,
    view_campaign,
)
from dispatcher.campaign.flow_names import settings_with_flow, with_flow_sid
from dispatcher.campaign.notices import ledger_notices
from dispatcher.cli import logs
from dispatcher.cli.flags import Asked
from dispatcher.cli.interrupts import Interrupts, run_async
from dispatcher.cli.render.failures import say_notices
from dispatcher.cli.render.remedies import carry
from dispatcher.cli.render.stream import streaming
from dispatcher.cli.render.terminal import say
from dispatcher.errors import DispatcherError
from dispatcher.events import Event, EventBus, Waiting, WaitKind, log_event
from dispatcher.settings import Credentials, LoadedSettings, Settings, is_flow_sid, load_account, load_credentials
from dispatcher.settings.notices import credentials_notices, settings_notices

if TYPE_CHECKING:
    from dispatcher.studio.client import Studio

AnyCampaign = TypeVar("AnyCampaign", bound=CampaignView)


class Session:
    """One command while it runs."""

    def __init__(self, asked: Asked, interrupts: Interrupts) -> None:
        self.asked = asked
        carry(asked)
        #: None until they are required.
        self.credentials: Credentials | None = None
        self.bus = EventBus()
        self.bus.subscribe(_tell_wait)
        self.bus.subscribe(log_event)
        self._interrupts = interrupts

    @cached_property
    def settings(self) -> Settings:
        """From all sources. Raises: SettingsError."""
        return self._loaded.settings

    @property
    def profile(self) -> str | None:
        """The profile that was chosen. Raises: SettingsError."""
        return self._loaded.profile

    @cached_property
    def _loaded(self) -> LoadedSettings:
        loaded = self.asked.load()
        say_notices(settings_notices())
        return loaded

    def choose(self, name: str, value: str) -> None:
        """A setting for this command, as its flag would set it."""
        self.asked.flags[name] = value
        self.__dict__.pop("settings", None)
        self.__dict__.pop("_loaded", None)

    def require_credentials(self) -> Credentials:
        """The credentials. Raises: SettingsError; AuthenticationError where they are missing or malformed."""
        _ = self.settings  # what is wrong with them is said first
        if self.credentials is None or not self.credentials.has_secret:
            loaded = self._loaded
            self.credentials = load_credentials(profile=loaded.profile, studio_url=loaded.settings.studio_url)
            logs.hide(self.credentials.password)
            # Before anything is sent to anybody.
            say_notices(credentials_notices(self._loaded))
        return self.credentials

    def require_sender(self) -> Credentials:
        """Whose campaign is to be sent. On a cluster the account alone will do: workers have the credentials.

        Raises: as `require_credentials`.
        """
        settings, profile = self.settings, self._loaded.profile
        if self.credentials is None and settings.is_cluster:
            found = load_account(profile=profile, studio_url=settings.studio_url)
            if not found.has_secret:
                self.credentials = found
        return self.credentials or self.require_credentials()

    @property
    def may_ask(self) -> bool:
        """Whether there are credentials with which Studio can be asked, as far as they were required."""
        return self.credentials is not None and self.credentials.has_secret

    async def find_flow(self) -> None:
        """From now on the settings have the flow's SID, also where its name stands there. Asks Studio only then.

        Raises: SettingsError, AuthenticationError, StudioError.
        """
        if self._names_flow:
            self.settings = await with_flow_sid(self.settings, self.require_credentials())

    async def look_for_flow(self, *, offline: bool = False) -> DispatcherError | None:
        """As `find_flow`, for what can be done without a flow: where it is not found none is set, and why is returned.

        It is not looked for `offline`, nor without credentials.
        """
        try:
            if not offline and self.may_ask:
                await self.find_flow()
        except DispatcherError as error:
            return error
        finally:
            self.leave_flow()
        return None

    def leave_flow(self) -> None:
        """A flow that is set by its name is not asked for: a campaign that is there has its own."""
        if self._names_flow:
            self.settings = settings_with_flow(self.settings, None)

    @property
    def _names_flow(self) -> bool:
        flow = self.settings.campaign.flow
        return flow is not None and not is_flow_sid(flow)

    def studio(self) -> contextlib.AbstractAsyncContextManager[Studio]:
        """Studio itself, where no campaign is wanted. Raises: SettingsError, AuthenticationError."""
        return studio_client(self.settings, self.require_credentials())

    def viewing(self, name: str) -> contextlib.AbstractAsyncContextManager[CampaignView]:
        """A campaign of the ledger, to look at; of a profile's account, where one was chosen.

        Raises: CampaignNotFound, CampaignMismatch, LedgerError; AuthenticationError: it is not known whose that is.
        """
        self._require_account()
        return self._watched(view_campaign(name, self.settings, self.credentials, bus=self.bus))

    def working(
        self, name: str, *, create: bool = False, wait: bool = False
    ) -> contextlib.AbstractAsyncContextManager[Campaign]:
        """A campaign to work on, under its account's lock. `create`: it may be new. `wait` for the account, if need be.

        Raises: CampaignNotFound, CampaignMismatch, AccountLocked, LedgerError.
        """
        self._require_account()
        say_notices(ledger_notices(self.settings))
        opening = open_campaign(name, self.settings, self.credentials, bus=self.bus, create=create, wait=wait)
        return self._watched(opening)

    def rehearsing(self, name: str) -> contextlib.AbstractAsyncContextManager[Rehearsal]:
        """A campaign whose every change is thrown away. Raises: LedgerError."""
        return self._watched(rehearse_campaign(name, self.settings, self.credentials, bus=self.bus))

    def _require_account(self) -> None:
        """Two accounts may have campaigns of one name: whoever has chosen a profile means its own."""
        if self.credentials is None and self._loaded.profile is not None:
            self.require_sender()

    @contextlib.asynccontextmanager
    async def _watched(
        self, opening: contextlib.AbstractAsyncContextManager[AnyCampaign]
    ) -> AsyncIterator[AnyCampaign]:
        async with opening as campaign:
            with self._interrupts.watching(campaign, self.bus):
                yield campaign


def run_command(asked: Asked, command: Callable[[Session], Coroutine[Any, Any, int]]) -> int:
    """Run a command's coroutine with the signals handled. Raises: Interrupted; what the command raises."""

    async def run(interrupts: Interrupts) -> int:
        session = Session(asked, interrupts)
        async with streaming(session.bus):
            return await command(session)

    return run_async(run)


def _tell_wait(event: Event) -> None:
    """Before anything is shown, the program may have to wait for its turn, or for whoever has the ledger."""
    if isinstance(event, Waiting) and event.kind in (WaitKind.account, WaitKind.ledger):
        say(f"waits: {event.reason}", "yellow")
