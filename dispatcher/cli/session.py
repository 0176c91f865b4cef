"""What a command works with: its settings, the credentials, a bus, and campaigns that signals stop."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Literal, TypeVar

from dispatcher.campaign import (
    Campaign,
    CampaignView,
    Rehearsal,
    open_campaign,
    rehearse_campaign,
    view_campaign,
)
from dispatcher.cli.interrupts import Interrupts, run_async
from dispatcher.cli.options import Asked
from dispatcher.cli.render.terminal import say
from dispatcher.errors import AuthenticationError
from dispatcher.events import Event, EventBus, Waiting, WaitKind, log_event
from dispatcher.settings import Credentials, Settings, load_credentials

T = TypeVar("T")


class Session:
    """One command from its settings to its exit code."""

    def __init__(self, asked: Asked, credentials: Literal["none", "optional", "required"] = "none") -> None:
        """Raises: SettingsError; AuthenticationError where credentials are required."""
        self.settings: Settings = asked.load().settings
        self.credentials: Credentials | None = None
        if credentials == "required":
            self.require_credentials()
        elif credentials == "optional":
            with contextlib.suppress(AuthenticationError):
                self.credentials = load_credentials()
        self.bus = EventBus()
        self.bus.subscribe(_tell_wait_for_account)
        self.bus.subscribe(log_event)
        self._interrupts: Interrupts | None = None

    def require_credentials(self) -> Credentials:
        """The credentials. Raises: AuthenticationError where they are missing or malformed."""
        if self.credentials is None:
            self.credentials = load_credentials()
        return self.credentials

    def run(self, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run the command's coroutine with the signals handled. Raises: Interrupted; what `main` raises."""

        async def body(interrupts: Interrupts) -> T:
            self._interrupts = interrupts
            return await main()

        return run_async(body)

    @contextlib.asynccontextmanager
    async def viewing(self, name: str, *, stoppable: bool = False) -> AsyncIterator[CampaignView]:
        """A campaign of the ledger, to look at. `stoppable`: what is done to it stops in good order at a signal.

        Raises: CampaignNotFound, CampaignMismatch, LedgerError.
        """
        async with view_campaign(name, self.settings, self.credentials, bus=self.bus) as campaign:
            with self._watching(campaign) if stoppable else contextlib.nullcontext():
                yield campaign

    @contextlib.asynccontextmanager
    async def working(self, name: str, *, create: bool = False, wait: bool = False) -> AsyncIterator[Campaign]:
        """A campaign to work on, under its account's lock. `create`: it may be new. `wait` for the account, if need be.

        Raises: CampaignNotFound, CampaignMismatch, AccountLocked, LedgerError.
        """
        opening = open_campaign(name, self.settings, self.credentials, bus=self.bus, create=create, wait=wait)
        async with opening as campaign:
            with self._watching(campaign):
                yield campaign

    @contextlib.asynccontextmanager
    async def rehearsing(self, name: str) -> AsyncIterator[Rehearsal]:
        """A campaign whose every change is thrown away. Raises: LedgerError."""
        async with rehearse_campaign(name, self.settings, self.credentials, bus=self.bus) as campaign:
            with self._watching(campaign):
                yield campaign

    def _watching(self, campaign: CampaignView) -> contextlib.AbstractContextManager[None]:
        assert self._interrupts is not None, "inside run()"
        return self._interrupts.watching(campaign, self.bus)


def _tell_wait_for_account(event: Event) -> None:
    """Before anything is shown, the program may have to wait for its turn."""
    if isinstance(event, Waiting) and event.kind is WaitKind.account:
        say(f"waits: {event.reason}", "yellow")
