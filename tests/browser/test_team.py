"""The pages of a team: people, one's own password, the history; good for everybody, and usable as they are."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import expect

from dispatcher.web.store import Role
from tests.acceptance.cli.program import SandboxProcess, write_settings
from tests.browser.findings import everything
from tests.browser.server import PASSWORD, Server
from tests.browser.visitors import Visitors

OTHER = "staple in the hay 9"


@pytest_asyncio.fixture(loop_scope="session")
async def team(idle: Server, sandbox: SandboxProcess) -> AsyncIterator[Server]:
    """A page by password, of Sue who sends."""
    write_settings(idle.folder, sandbox.base_url, web={"auth": "password"})
    await idle.start()
    await idle.add("Sue", Role.sender, own_numbers=("+12025550100",))
    yield idle


async def test_a_person_from_first_to_last(team: Server, visitors: Visitors) -> None:
    """Added, changed, signs in, is put out and removed, each on a page that is good for everybody."""
    sue = await visitors.come(team, name="Sue")
    page = sue.page
    await page.goto(team.url)
    await page.get_by_role("link", name="People").click()
    assert await everything(page) == []
    await page.get_by_label("Name").fill("Anna")
    await page.get_by_label("First password").fill("short")
    await page.get_by_role("button", name="Add this person").click()
    await expect(page.get_by_role("alert")).to_be_focused()
    await expect(page.get_by_role("alert")).to_contain_text("at least 12 characters")
    await expect(page.get_by_label("Name")).to_have_value("Anna")
    assert await everything(page) == []
    await page.get_by_label("First password").fill(PASSWORD)
    await page.get_by_role("button", name="Add this person").click()
    await expect(page.get_by_role("row", name="Anna")).to_contain_text("Preparer")

    anna = await visitors.come(team, signed_in=False)
    await anna.page.goto(team.url)
    await anna.page.get_by_label("Name").fill("anna")
    await anna.page.get_by_label("Password").fill(PASSWORD)
    await anna.page.get_by_role("button", name="Sign in").click()
    await anna.page.get_by_role("link", name="change your password").click()
    assert await everything(anna.page) == []
    await anna.page.get_by_label("Password until now").fill(PASSWORD)
    await anna.page.get_by_label("New password").fill(OTHER)
    await anna.page.get_by_role("button", name="Change it").click()
    await expect(anna.page.get_by_role("heading", level=1)).to_have_text("Campaigns")

    await page.get_by_role("link", name="Change Anna").click()
    assert await everything(page) == []
    await page.get_by_role("textbox", name="Own numbers").fill("+1 202 555 0101\n+1 202 555 0102")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("row", name="Anna")).to_contain_text("+12025550101, +12025550102")
    await page.get_by_role("link", name="Change Anna").click()
    await page.get_by_role("button", name="Remove Anna").click()
    await expect(page.get_by_role("alert")).to_contain_text("Tick")
    assert await everything(page) == []
    await page.get_by_label("Anna may not sign in any more").check()
    await page.get_by_role("button", name="Remove Anna").click()
    await expect(page.get_by_role("row", name="Anna")).to_have_count(0)
    await anna.page.reload()
    await expect(anna.page.get_by_role("heading", level=1)).to_have_text("Sign in")

    await page.get_by_role("link", name="History").click()
    for text in ("Sue added a person", "Anna signed in", "Sue removed a person: Anna"):
        await expect(page.get_by_role("cell", name=text)).to_have_count(1)
    assert await everything(page) == []


async def test_a_session_that_ends_says_so(team: Server, visitors: Visitors) -> None:
    """Two minutes before; whoever wants to stay keeps what was typed, and is told again in time."""
    sue = await visitors.come(team, name="Sue")
    page = sue.page
    await page.clock.install()
    await page.goto(f"{team.url}/people")
    await page.get_by_label("Name").fill("Half a na")
    stay = page.get_by_role("button", name="Stay signed in")
    await page.clock.fast_forward("11:57:00")
    await expect(stay).to_be_hidden()
    await page.clock.fast_forward("02:00")
    await expect(stay).to_be_visible()
    await stay.click()
    await expect(stay).to_be_hidden()
    await expect(page.get_by_label("Name")).to_have_value("Half a na")
    await page.clock.fast_forward("11:59:00")
    await expect(stay).to_be_visible()


async def test_without_scripts_people_are_managed(team: Server, visitors: Visitors) -> None:
    """Forms and nothing else."""
    sue = await visitors.come(team, name="Sue", javascript=False)
    await sue.page.goto(f"{team.url}/people")
    await sue.page.get_by_label("Name").fill("Anna")
    await sue.page.get_by_label("First password").fill(PASSWORD)
    await sue.page.get_by_role("button", name="Add this person").click()
    await sue.page.get_by_role("link", name="Change Anna").click()
    await sue.page.get_by_role("button", name="Sign Anna out everywhere").click()
    await expect(sue.page.get_by_role("row", name="Anna")).to_have_count(1)
