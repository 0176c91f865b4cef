"""How a person works a form: by pointer, or by keyboard alone. Tests of one way say the same to either."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from playwright.async_api import Locator, Page
from playwright.async_api import TimeoutError as PlaywrightTimeout

from tests.browser.keyboard import Keyboard

#: A browser on a busy machine may miss a key: so often it is pressed, and waited so many seconds each time.
PRESSED_MAX, WINDOW_S = 6, 5


class Hands(Protocol):
    """What a form is worked with."""

    async def press(self, target: Locator) -> None:
        """A button or a link."""

    async def write(self, target: Locator, text: str) -> None:
        """A field, instead of what stands there."""

    async def choose(self, target: Locator, label: str) -> None:
        """An option of a list, by its beginning."""

    async def tick(self, target: Locator) -> None:
        """A box or a round one that is not ticked."""

    async def give(self, target: Locator, path: Path) -> None:
        """A file."""


class Pointer:
    """By mouse or finger."""

    async def press(self, target: Locator) -> None:
        """Click it."""
        await target.click()

    async def write(self, target: Locator, text: str) -> None:
        """Fill it."""
        await target.fill(text)

    async def choose(self, target: Locator, label: str) -> None:
        """Pick it."""
        option = target.locator("option").filter(has_text=label).first
        await target.select_option(await option.get_attribute("value") or "")

    async def tick(self, target: Locator) -> None:
        """Click it."""
        await target.check()

    async def give(self, target: Locator, path: Path) -> None:
        """Pick it in the browser's own window."""
        await target.set_input_files(path)


class Keys:
    """By keyboard alone: what Tab does not lead to is not there."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._keyboard = Keyboard(page)

    async def press(self, target: Locator) -> None:
        """Enter."""
        await self._keyboard.press(target, "Enter")

    async def write(self, target: Locator, text: str) -> None:
        """Select all, and type."""
        await self._keyboard.write(target, text)

    async def choose(self, target: Locator, label: str) -> None:
        """A list follows what is typed."""
        await self._keyboard.reach(target)
        await self._page.keyboard.type(label)

    async def tick(self, target: Locator) -> None:
        """Space."""
        await self._keyboard.press(target, "Space")

    async def give(self, target: Locator, path: Path) -> None:
        """Space opens the browser's own window; where it did not, a person presses it again."""
        for _ in range(PRESSED_MAX):
            await self._keyboard.reach(target)
            try:
                async with self._page.expect_file_chooser(timeout=WINDOW_S * 1000) as chooser:
                    await self._page.keyboard.press("Space")
            except PlaywrightTimeout:
                continue
            await (await chooser.value).set_files(path)
            return
        raise AssertionError(f"{target} opens no window")
