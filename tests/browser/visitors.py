"""People in front of the page: each has a browser of their own, as far as the server can tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page

from tests.acceptance.cli.program import TIMEOUT_S
from tests.browser.keyboard import Keyboard
from tests.browser.server import Server
from tests.browser.watching import Watch, keep


@dataclass(slots=True)
class Visitor:
    """One person: a context (cookies, colours), its first page, and all that was asked for."""

    context: BrowserContext
    page: Page
    watch: Watch
    #: Whether scripts run.
    javascript: bool = True

    @property
    def keyboard(self) -> Keyboard:
        return Keyboard(self.page)


@dataclass(slots=True)
class Visitors:
    """Those of one test."""

    browser: Browser
    #: Host and port of each server that they may speak to.
    hosts: set[str] = field(default_factory=set)
    all: list[Visitor] = field(default_factory=list)

    async def come(
        self,
        server: Server | None = None,
        *,
        signed_in: bool = True,
        name: str | None = None,
        minutes_ago: int = 0,
        javascript: bool = True,
        width: int = 1280,
        **options: Any,
    ) -> Visitor:
        """One more. `name`: of the page's people, where there are some, signed in `minutes_ago`.

        `options` are Playwright's for a context.
        """
        context = await self.browser.new_context(
            java_script_enabled=javascript,
            viewport={"width": width, "height": 800},
            # What moves is not looked at while it does.
            reduced_motion="reduce",
            locale="en-US",
            **options,
        )
        # An upper bound that ends what hangs; a busy machine is slow.
        context.set_default_timeout(TIMEOUT_S * 1000)
        if server is not None:
            self.hosts.add(server.host)
            if signed_in:
                cookie, value = await server.cookie(name, minutes_ago=minutes_ago)
                await context.add_cookies([{"name": cookie, "value": value, "url": server.url}])
        visitor = Visitor(context, await context.new_page(), Watch(context), javascript)
        self.all.append(visitor)
        return visitor

    async def complaints(self, *, failed: bool, folder: Path) -> list[str]:
        """What must not have happened; where a test failed, what its pages showed is kept."""
        found: list[str] = []
        for visitor in self.all:
            found += visitor.watch.complaints(self.hosts)
            if failed:
                for page in visitor.context.pages:
                    found.append(await keep(page, folder, len(found)))
        return found

    async def leave(self) -> None:
        """Close all of it."""
        for visitor in self.all:
            await visitor.context.close()
