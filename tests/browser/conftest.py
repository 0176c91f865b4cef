"""A browser for each worker, a context for each person, a server of its own for each test.

Everything here runs in one loop for the whole session: a browser outlives the test that started it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Playwright, async_playwright, expect

from tests.acceptance.cli.nursery import Nursery
from tests.acceptance.cli.program import TIMEOUT_S, SandboxProcess, sandbox_process, write_settings
from tests.browser import chromium
from tests.browser.server import Server
from tests.browser.visitors import Visitor, Visitors

HERE = Path(__file__).parent
#: Seconds. A browser on a busy machine may hang when it is to close; that is no fault of the page's.
CLOSE_S = 30.0
#: How a test's call ended, kept for its fixtures.
CALL = pytest.StashKey[pytest.CallInfo[None]]()

expect.set_options(timeout=TIMEOUT_S * 1000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of this folder run in the session's loop, where the browser is."""
    for item in items:
        if item.path.is_relative_to(HERE) and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


def pytest_runtest_setup() -> None:
    """Without Chromium these tests are skipped, told in one line; in CI each of them fails."""
    if chromium.find() is None:
        if chromium.is_demanded():
            pytest.fail(chromium.MISSING, pytrace=False)
        pytest.skip(chromium.MISSING)


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Keep whether the test itself failed, for what is to be kept of its pages."""
    if call.when == "call":
        item.stash[CALL] = call


class Keeper:
    """The worker's browser. One that does not close is left alone, and another one is started."""

    def __init__(self, playwright: Playwright) -> None:
        self._playwright = playwright
        self._browser: Browser | None = None

    async def browser(self) -> Browser:
        """The one that is there, else a new one."""
        if self._browser is None:
            path = chromium.find()
            self._browser = await self._playwright.chromium.launch(executable_path=path, args=list(chromium.ARGUMENTS))
        return self._browser

    async def closed(self, closing: Awaitable[object]) -> bool:
        """Whether something of the browser's has closed in time; if not, this browser is not used any more."""
        try:
            await asyncio.wait_for(closing, CLOSE_S)
        except TimeoutError:
            self._browser = None
            return False
        return True


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def keeper() -> AsyncIterator[Keeper]:
    playwright = await async_playwright().start()
    keeper = Keeper(playwright)
    yield keeper
    # Their processes end with this one, whatever they are at.
    await keeper.closed((await keeper.browser()).close())
    await keeper.closed(playwright.stop())


@pytest_asyncio.fixture(loop_scope="session")
async def browser(keeper: Keeper) -> Browser:
    return await keeper.browser()


@pytest_asyncio.fixture(loop_scope="session")
async def visitors(
    keeper: Keeper, browser: Browser, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Visitors]:
    """Nobody yet. At the end nothing may have happened that is wrong on any page."""
    visitors = Visitors(browser)
    yield visitors
    call = request.node.stash.get(CALL, None)
    failed = call is not None and call.excinfo is not None
    complaints = await visitors.complaints(failed=failed, folder=tmp_path)
    await keeper.closed(visitors.leave())
    assert not complaints, "\n".join(complaints)


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    found = Nursery(TIMEOUT_S)
    yield found
    found.close()


@pytest.fixture(scope="session")
def shared_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with sandbox_process(tmp_path_factory.mktemp("sandbox"), "--limit", "500") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: SandboxProcess) -> SandboxProcess:
    """Takes 500 creates a second; faults as the test sets them."""
    shared_sandbox.reset()
    shared_sandbox.settings(ends_after_s=2.0)
    return shared_sandbox


@pytest.fixture
def idle(tmp_path: Path, sandbox: SandboxProcess) -> Iterator[Server]:
    """A server that is not started, with settings for the sandbox: for tests that have some of their own."""
    write_settings(tmp_path, sandbox.base_url)
    server = Server(tmp_path)
    yield server
    # Shown with a test that fails.
    sys.stdout.write(server.said())
    server.end()


@pytest_asyncio.fixture(loop_scope="session")
async def server(idle: Server) -> Server:
    """A server by link, on the sandbox."""
    await idle.start()
    return idle


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(visitors: Visitors, server: Server) -> Visitor:
    """The one person of that server, signed in, in front of an empty window."""
    return await visitors.come(server)
