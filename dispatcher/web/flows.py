"""The flows of each account, and what they use: asked of Studio at most once a minute, however many pages are open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from dispatcher.campaign.setup import Variables, account_flows, flow_variables
from dispatcher.errors import DispatcherError
from dispatcher.web.accounts import Accounts

T = TypeVar("T")

KEPT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowChoice:
    """A flow as a person chooses it."""

    sid: str
    name: str
    is_published: bool

    @property
    def label(self) -> str:
        """What it is called in a choice."""
        return self.name if self.is_published else f"{self.name} (not published: starts nothing)"


class Flows:
    """Keeps what Studio has said. What it has refused is asked again at once."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._kept: dict[tuple[str | None, str], tuple[float, object]] = {}
        self._asking: dict[tuple[str | None, str], asyncio.Lock] = {}

    async def of(self, profile: str | None) -> list[FlowChoice]:
        """An account's flows, published ones first. Raises: AuthenticationError, StudioError, SettingsError."""

        async def ask() -> list[FlowChoice]:
            account = self._accounts.with_profile(profile)
            found = await account_flows(account.settings, account.required())
            return [
                FlowChoice(sid=flow.sid, name=flow.friendly_name or flow.sid, is_published=flow.status == "published")
                for flow in found
            ]

        return await self._once((profile, ""), ask)

    async def name(self, profile: str | None, flow_sid: str) -> str:
        """A flow's name; its SID where Studio cannot be asked."""
        try:
            found = await self.of(profile)
        except DispatcherError:
            return flow_sid
        return next((flow.name for flow in found if flow_sid in (flow.sid, flow.name)), flow_sid)

    async def variables(self, profile: str | None, flow_sid: str) -> Variables:
        """What a flow reads of a row. Raises: as `of`; FlowNotFound."""

        async def ask() -> Variables:
            account = self._accounts.with_profile(profile)
            return await flow_variables(account.settings, account.required(), flow_sid)

        return await self._once((profile, flow_sid), ask)

    async def variables_if_known(self, profile: str | None, flow_sid: str) -> Variables:
        """The same; nothing where Studio cannot be asked."""
        try:
            return await self.variables(profile, flow_sid)
        except DispatcherError:
            return Variables()

    async def _once(self, key: tuple[str | None, str], ask: Callable[[], Awaitable[T]]) -> T:
        # Pages that are opened together wait for the one answer.
        async with self._asking.setdefault(key, asyncio.Lock()):
            kept = self._kept.get(key)
            if kept is not None and time.monotonic() - kept[0] < KEPT_S:
                return kept[1]  # type: ignore[return-value]
            found = await ask()
            self._kept[key] = (time.monotonic(), found)
            return found
