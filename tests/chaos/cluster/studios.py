"""Many accounts at one Studio, as at the real one: whose a request is, its credentials say."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from aiohttp import web

from dispatcher.sandbox import Sandbox, SandboxSettings


class Studios(Sandbox):
    """Sandboxes behind one address, none of which listens by itself: each counts its own account's requests."""

    def __init__(self, accounts: Sequence[SandboxSettings]) -> None:
        super().__init__(accounts[0])
        self.accounts = [Sandbox(settings) for settings in accounts]
        self._by_sid = {account.settings.account_sid: account for account in self.accounts}

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        account = self._by_sid.get(_user(request.headers.get("Authorization", "")))
        return await (super()._handle(request) if account is None else account._handle(request))


def _user(authorization: str) -> str:
    try:
        return base64.b64decode(authorization.removeprefix("Basic ")).decode("latin-1").partition(":")[0]
    except ValueError:
        return ""
