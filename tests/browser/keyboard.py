"""A person who has a keyboard and no pointer: goes where Tab leads, and sees where that is."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Locator, Page

#: More stops than any screen has between two things.
STOPS_MAX = 120

_FOCUSED = Path(__file__).with_name("focused.js").read_text("utf-8")


class Keyboard:
    """Walks one page. Raises: AssertionError, where a thing cannot be reached, or the focus cannot be seen."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def reach(self, target: Locator) -> None:
        """Press Tab until this has the focus."""
        await target.wait_for()
        passed: list[str] = []
        while not await target.evaluate("e => e === document.activeElement"):
            assert len(passed) < STOPS_MAX, f"{target} is not reached by Tab, only {passed}"
            await self._page.keyboard.press("Tab")
            passed.append(await self.focused())

    async def press(self, target: Locator, key: str = "Enter") -> None:
        """Go there and press a key."""
        await self.reach(target)
        await self._page.keyboard.press(key)

    async def write(self, target: Locator, text: str) -> None:
        """Go there, replace what it says by this text."""
        await self.reach(target)
        await self._page.keyboard.press("ControlOrMeta+a")
        await self._page.keyboard.type(text)

    async def focused(self) -> str:
        """What has the focus, for a message; fails if that cannot be seen. After the last stop it is nothing, once."""
        name, wrong = await self._page.evaluate(_FOCUSED)
        assert not wrong, f"{name} {wrong}"
        return str(name)
