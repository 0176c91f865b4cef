"""What is looked for on every screen: axe's findings, what does not fit a narrow screen, targets that are hard to hit.

Each returns what it has found as lines, so that `assert await axe(page) == []` shows a person what to mend.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
#: A phone upright, and 1,280 px at a zoom of 400 % (WCAG 2.2, 1.4.10).
NARROW_PX = 320
#: WCAG 2.2, 2.5.8; and what this page wants of its buttons.
TARGET_MIN_PX, BUTTON_MIN_PX = 24, 44

Scheme = Literal["light", "dark"]

_HERE = Path(__file__).parent
_OVERFLOW, _SPACING, _TARGETS = (
    (_HERE / f"{name}.js").read_text("utf-8") for name in ("overflow", "spacing", "targets")
)


async def axe(page: Page, *, schemes: Sequence[Scheme] = ("light", "dark"), forced_colors: bool = False) -> list[str]:
    """What axe-core finds by WCAG 2.2 AA and good practice, in each colour scheme: the rule, where, why."""
    # Forced colours are the reader's own; axe reads a colour of text that they do not change.
    rules = {"color-contrast": {"enabled": False}} if forced_colors else {}
    options = {"runOnly": {"type": "tag", "values": list(TAGS)}, "rules": rules, "resultTypes": ["violations"]}
    found = []
    for scheme in schemes:
        await page.emulate_media(color_scheme=scheme, forced_colors="active" if forced_colors else "none")
        answer = (await Axe().run(page, options=options)).response
        found += [
            f"{scheme}: {rule['id']} at {node['target']}: {node['failureSummary']}"
            for rule in answer["violations"]
            for node in rule["nodes"]
        ]
    await page.emulate_media(color_scheme="null", forced_colors="null")
    return found


async def narrow(page: Page) -> list[str]:
    """What does not fit 320 px, as it is and with its text spaced wider; the window is as before afterwards."""
    before = page.viewport_size
    await page.set_viewport_size({"width": NARROW_PX, "height": 640})
    found: list[str] = await page.evaluate(_OVERFLOW)
    await page.evaluate(_SPACING, True)
    found += [f"with wider text: {line}" for line in await page.evaluate(_OVERFLOW)]
    await page.evaluate(_SPACING, False)
    found += await targets(page)
    if before is not None:
        await page.set_viewport_size(before)
    return found


async def targets(page: Page) -> list[str]:
    """What is smaller than 24 px, and buttons lower than 44 px, at the window's present width."""
    found: list[str] = await page.evaluate(_TARGETS, [TARGET_MIN_PX, BUTTON_MIN_PX])
    return found


async def everything(page: Page) -> list[str]:
    """All of the above: what every screen has to pass. A page that loads itself anew meanwhile is looked at again."""
    for _ in range(5):
        try:
            return [*await axe(page), *await targets(page), *await narrow(page)]
        except PlaywrightError as error:
            if not any(word in error.message for word in ("navigation", "axe is not defined")):
                raise
            await page.wait_for_load_state()
    raise AssertionError(f"{page.url} does not stand still")
