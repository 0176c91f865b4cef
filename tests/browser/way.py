"""The way of a campaign through the page, as a person goes it: upload, columns, check, preview, send, watch."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

from playwright.async_api import Error, Locator, Page, expect

from tests.acceptance.cli.program import TIMEOUT_S
from tests.browser.hands import Hands, Pointer
from tests.browser.server import Server
from tests.browser.visitors import Visitor

#: What one sees while the server works, and the page does not follow it by itself.
_LOOK_AGAIN = re.compile(r"See how far it is|Refresh|See how it stands")


async def _nothing(page: Page) -> None:
    """By default nobody looks closer."""


@dataclass(slots=True)
class Way:
    """One person's. Each step begins on the screen of the one before, and ends when the next screen is there."""

    visitor: Visitor
    server: Server
    hands: Hands = field(default_factory=Pointer)
    #: What is done with each screen that is reached.
    look: Callable[[Page], Awaitable[None]] = _nothing
    #: Of the campaign's page.
    url: str = ""

    @property
    def page(self) -> Page:
        """Where the person is."""
        return self.visitor.page

    def button(self, name: str | re.Pattern[str]) -> Locator:
        """One that is to be seen, by what it says. What looks like a button and leads elsewhere is a link."""
        found = self.page.get_by_role("button", name=name).or_(self.page.get_by_role("link", name=name))
        return found.and_(self.page.locator(":visible"))

    @property
    def heading(self) -> Locator:
        """What the screen is called."""
        return self.page.get_by_role("heading", level=1)

    async def begin(self, file: Path) -> None:
        """From anywhere, upload a file; ends at its columns."""
        await self.page.goto(self.server.url)
        await self.look(self.page)
        await self.hands.press(self.button("New campaign"))
        await self.reach("New campaign")
        await self.hands.give(self.page.get_by_label("The spreadsheet with your contacts"), file)
        await self.hands.press(self.button("Upload and look at it"))
        await self.reach("Which column is what?")
        self.url = re.sub(r"(/c/[^/]+).*", r"\1", self.page.url)

    async def check(self) -> None:
        """Have all rows checked, with the columns as they are proposed; ends at what was found."""
        await self.hands.press(self.button("Check all rows"))
        await self.reach(re.compile(r"rows? can be sent"))

    async def preview(self) -> None:
        """Go on to what contacts get."""
        await self.hands.press(self.button(re.compile("^Continue with")))
        await self.reach("What contacts get")

    async def to_send(self) -> None:
        """Go on to the question, without a test where none was made."""
        await self.hands.press(self.button(re.compile("^Continue")))
        await self.reach(re.compile(r"^Send "))

    async def send(self, count: int) -> None:
        """Type the number, and send now; ends at the campaign."""
        await self.hands.write(self.page.get_by_label(re.compile("^Type")), str(count))
        await self.hands.press(self.button(re.compile("^Send to")))
        # Not by waiting for its load: it may be loaded anew meanwhile, for other buttons.
        await expect(self.page).to_have_url(self.url)
        await self.look(self.page)

    async def prepare(self, file: Path) -> None:
        """All steps before the question."""
        await self.begin(file)
        await self.check()
        await self.preview()
        await self.to_send()

    async def launch(self, file: Path, count: int) -> None:
        """All steps up to a campaign that is being sent."""
        await self.prepare(file)
        await self.send(count)

    async def reach(self, heading: str | re.Pattern[str]) -> None:
        """Wait for a screen."""
        await self._until(self.heading, heading)
        await self.look(self.page)

    async def state(self, word: str | re.Pattern[str]) -> None:
        """Wait for a campaign's state, on its page."""
        await self._until(self.page.locator("main .state").first, word)
        if self.visitor.javascript:
            await stands(self.page)

    async def _until(self, place: Locator, text: str | re.Pattern[str]) -> None:
        """Wait for a text. Without scripts a person looks again; with them the page follows by itself."""
        async with asyncio.timeout(TIMEOUT_S):
            while not self.visitor.javascript and not await _says(place, text):
                again = self.button(_LOOK_AGAIN).first
                if await again.count():
                    await self.hands.press(again)
                await asyncio.sleep(0.1)
        await expect(place).to_have_text(text)


async def stands(page: Page) -> None:
    """Wait until a page has the buttons that the server would give it: where they change it loads itself anew."""
    same = 0
    async with asyncio.timeout(TIMEOUT_S):
        while same < 2:
            try:
                root = page.locator("[data-live]").first
                if not await root.count():
                    return
                shown = await root.get_attribute("data-page")
                address = urljoin(page.url, await root.get_attribute("data-state") or "")
                answer = await page.context.request.get(address)
                same = same + 1 if (await answer.json())["page"] == shown else 0
            except Error:  # it is just being loaded
                same = 0
            await asyncio.sleep(0.2)


async def _says(place: Locator, text: str | re.Pattern[str]) -> bool:
    if not await place.count():
        return False
    found = " ".join((await place.inner_text()).split())
    return found == text if isinstance(text, str) else text.search(found) is not None
