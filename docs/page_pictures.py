"""Makes the pictures of docs/page.md from a real run on the sandbox: `python -m docs.page_pictures`.

Starts `dispatcher demo --page`, walks the way of a campaign in the machine's Chromium, and photographs each screen.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.browser import chromium

FOLDER = Path(__file__).with_name("pictures")
WIDTH_PX, NARROW_PX = 1280, 320
#: A long page is shown from its top.
HEIGHT_MAX_PX = 1200
SIZE_MAX_BYTES = 200_000
#: The live view is photographed when so many have an answer, of 285.
SHOWN_AT = 120
OWN_NUMBER = "+1 202 555 0123"
_TIMEOUT_MS = 60_000


async def take() -> list[Path]:
    """All of them, in the order of the way. Raises: AssertionError: a screen is not what it should be."""
    async with _demo() as link, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium.find(), args=list(chromium.ARGUMENTS))
        try:
            return await _walk(browser, link)
        finally:
            await browser.close()


async def _walk(browser: Browser, link: str) -> list[Path]:
    context = await browser.new_context(
        viewport={"width": WIDTH_PX, "height": 720}, reduced_motion="reduce", color_scheme="light", locale="en-GB"
    )
    context.set_default_timeout(_TIMEOUT_MS)
    expect.set_options(timeout=_TIMEOUT_MS)
    page = await context.new_page()
    taken = []

    async def picture(name: str, heading: str) -> None:
        await expect(page.get_by_role("heading", level=1)).to_contain_text(heading)
        taken.append(await _photograph(page, name))

    async def press(name: str) -> None:
        found = page.get_by_role("button", name=name).or_(page.get_by_role("link", name=name))
        await found.and_(page.locator(":visible")).first.click()

    await page.goto(link)
    await press("Continue")
    await picture("1-campaigns", "Campaigns")
    await press("appointments")
    await picture("2-columns", "Which column is what?")
    await press("Check all rows")
    await picture("3-check", "rows can be sent")
    await press("Continue with")
    await page.get_by_label("Your number").fill(OWN_NUMBER)
    await press("Send test to me")
    await expect(page.get_by_text("Look at your phone")).to_be_visible()
    await picture("4-preview", "What contacts get")
    await press("Continue")
    await picture("5-send", "Send ")
    await page.get_by_label("Type").fill(await _number(page))
    await press("Send to")
    await _wait_for(page, SHOWN_AT)
    await picture("6-live", "Sending")
    taken.append(await _narrow(context, page.url))
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Finished")
    await picture("7-finished", "Finished")
    await page.goto(link.partition("/sign-in")[0])
    await picture("8-afterwards", "Campaigns")
    return taken


async def _wait_for(page: Page, done: int) -> None:
    bar = page.get_by_role("progressbar")
    while int(await bar.get_attribute("value") or 0) < done:  # noqa: ASYNC110 - what it waits for sets no event
        await asyncio.sleep(0.1)


async def _number(page: Page) -> str:
    """The number of contacts that is to be typed, from the button that wants it."""
    label = await page.get_by_role("button", name="Send to").first.inner_text()
    return "".join(filter(str.isdigit, label))


async def _narrow(context: BrowserContext, url: str) -> Path:
    page = await context.new_page()
    await page.set_viewport_size({"width": NARROW_PX, "height": 640})
    await page.goto(url)
    return await _photograph(page, "6-live-narrow")


async def _photograph(page: Page, name: str) -> Path:
    path = FOLDER / f"{name}.png"
    size = page.viewport_size
    assert size is not None
    height_px = min(await page.evaluate("document.documentElement.scrollHeight"), HEIGHT_MAX_PX)
    await page.screenshot(path=path, full_page=True, clip={"x": 0, "y": 0, "width": size["width"], "height": height_px})
    return path


@contextlib.asynccontextmanager
async def _demo() -> AsyncIterator[str]:
    """The page on a local Studio; its link."""
    with tempfile.TemporaryDirectory() as folder:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "dispatcher", "demo", "--page"),
            stdout=asyncio.subprocess.PIPE,
            cwd=folder,
            # Who made the pictures is of no interest.
            env={**os.environ, "LOGNAME": "anna"},
        )
        assert process.stdout is not None
        try:
            yield (await process.stdout.readline()).decode().strip()
        finally:
            process.send_signal(signal.SIGINT)
            await process.wait()


def main() -> None:
    """Write the pictures."""
    FOLDER.mkdir(exist_ok=True)
    for path in asyncio.run(take()):
        if path.stat().st_size > SIZE_MAX_BYTES:
            sys.exit(f"{path} has {path.stat().st_size:,} bytes, more than {SIZE_MAX_BYTES:,}")
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
