"""What must not happen on any page, whatever a test is about: requests elsewhere, failing scripts, numbers in URLs."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from playwright.async_api import BrowserContext, ConsoleMessage, Page, Request, WebError
from playwright.async_api import Error as PlaywrightError

#: The numbers of the tests and the samples, which are all of these; in an address they may be grouped, or quoted.
_NUMBER = re.compile(r"\d{3}5550\d{3}|4152\d{6}")
_GROUPING = re.compile(r"[\s().+-]")
#: Chromium tells of every answer from 400 on; that those come is what some tests are about.
_STATUS = re.compile(r"Failed to load resource: the server responded with a status of \d+")


class Watch:
    """Everything that the pages of a context asked for, and what went wrong there."""

    def __init__(self, context: BrowserContext) -> None:
        self.requests: list[Request] = []
        self.wrong: list[str] = []
        #: Patterns of what a test provokes.
        self.allowed: list[str] = []
        context.on("request", self._on_request)
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)

    def hosts(self) -> set[str]:
        """Whom the pages spoke to."""
        parts = (urlsplit(request.url) for request in self.requests)
        return {part.netloc for part in parts if part.scheme not in ("data", "blob", "about")}

    def posts(self, path: str) -> int:
        """How many POSTs went to paths that match."""
        return sum(
            request.method == "POST" and re.search(path, urlsplit(request.url).path) is not None
            for request in self.requests
        )

    def complaints(self, own: Iterable[str]) -> list[str]:
        """What must not have happened; `own` are the servers (host and port) that were to be spoken to."""
        foreign = [f"asked {host}" for host in sorted(self.hosts() - set(own))]
        numbers = [
            f"a number in {request.url}"
            for request in self.requests
            if _NUMBER.search(_GROUPING.sub("", unquote(request.url)))
        ]
        wrong = [line for line in self.wrong if not any(re.search(pattern, line) for pattern in self.allowed)]
        return [*foreign, *numbers, *wrong]

    def _on_request(self, request: Request) -> None:
        self.requests.append(request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not _STATUS.search(message.text):
            self.wrong.append(f"{message.type} in the console: {message.text}")

    def _on_error(self, error: WebError) -> None:
        self.wrong.append(f"a script failed: {error.error}")


async def keep(page: Page, folder: Path, number: int) -> str:
    """What a page showed when its test failed: a picture and its HTML. Where they lie."""
    path = folder / f"failed-{number}.png"
    # What failed is the test; a page that is just being loaded, or is gone, has nothing more to say.
    with contextlib.suppress(PlaywrightError):
        await page.screenshot(path=path, full_page=True)
        _write(path.with_suffix(".html"), await page.content())
    return f"{page.url}: {path}"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
