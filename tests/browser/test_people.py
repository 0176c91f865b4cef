"""A team: names and passwords, who may what, and two who act at the same moment."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest_asyncio
from playwright.async_api import expect

from dispatcher.web.store import Role
from tests.acceptance.cli.program import SandboxProcess, write_contacts, write_settings
from tests.browser.findings import everything
from tests.browser.server import PASSWORD, Server
from tests.browser.visitors import Visitor, Visitors
from tests.browser.way import Way

ROWS = 30


@pytest_asyncio.fixture(loop_scope="session")
async def team(idle: Server, sandbox: SandboxProcess) -> AsyncIterator[Server]:
    """A page by password: Vera looks, Paul prepares, Sam and Sue send."""
    write_settings(idle.folder, sandbox.base_url, web={"auth": "password"})
    await idle.start()
    await idle.add("vera", Role.viewer)
    await idle.add("paul", Role.preparer, own_numbers=("+12025550999",))
    await idle.add("sam", Role.sender)
    await idle.add("sue", Role.sender)
    yield idle


async def sign_in(visitor: Visitor, name: str, password: str) -> None:
    """Type both; ends where that leads."""
    await visitor.page.get_by_label("Name").fill(name)
    await visitor.page.get_by_label("Password").fill(password)
    await visitor.page.get_by_role("button", name="Sign in").click()


async def test_signing_in_leads_where_one_was_going(team: Server, visitors: Visitors) -> None:
    """A link from a colleague leads to its page once the password is right; a password is no part of any address."""
    sam = await visitors.come(team, signed_in=False)
    await sam.page.goto(f"{team.url}/history")
    assert await everything(sam.page) == []
    await sign_in(sam, "sam", "not the password")
    await expect(sam.page.get_by_role("alert")).to_contain_text("wrong")
    await expect(sam.page.get_by_label("Name")).to_have_value("sam")
    await expect(sam.page.get_by_label("Password")).to_have_value("")
    assert await everything(sam.page) == []
    await sign_in(sam, "sam", PASSWORD)
    await sam.page.wait_for_url("**/history")
    assert not any(PASSWORD.split()[0] in request.url for request in sam.watch.requests)


async def test_guessing_is_made_to_wait(team: Server, visitors: Visitors) -> None:
    """After some wrong passwords even the right one is not looked at; others sign in meanwhile."""
    thief, sue = [await visitors.come(team, signed_in=False) for _ in range(2)]
    await thief.page.goto(team.url)
    for _ in range(8):
        await sign_in(thief, "sam", "not the password")
        await expect(thief.page.get_by_role("alert")).to_be_visible()
        if "Try again in" in await thief.page.get_by_role("alert").inner_text():
            break
    await sign_in(thief, "sam", PASSWORD)
    await expect(thief.page.get_by_role("alert")).to_contain_text("Too many wrong passwords")
    await sue.page.goto(team.url)
    await sign_in(sue, "sue", PASSWORD)
    await expect(sue.page.get_by_role("heading", level=1)).to_have_text("Campaigns")


async def test_two_who_send_at_once_start_one_run(team: Server, sandbox: SandboxProcess, visitors: Visitors) -> None:
    """Both have the question open and press at the same moment: one campaign, and the other person is told."""
    sam, sue = Way(await visitors.come(team, name="sam"), team), Way(await visitors.come(team, name="sue"), team)
    await sam.prepare(write_contacts(team.folder / "spring.csv", ROWS))
    await sue.page.goto(sam.page.url)
    for way in (sam, sue):
        await way.page.get_by_label(re.compile("^Type")).fill(str(ROWS))
    await asyncio.gather(*(way.button(re.compile("^Send to")).click() for way in (sam, sue)))
    for way in (sam, sue):
        told = way.page.get_by_role("alert").filter(visible=True)
        await expect(told.or_(way.page.locator("main .state")).first).to_be_visible()
        # Who was first is there, on a page that may load itself anew.
        if way.page.url != sam.url:
            await way.page.goto(sam.url)
        await way.state("Finished")
    reached = Counter(create["to"] for create in sandbox.creates())
    assert (len(reached), set(reached.values())) == (ROWS, {1})
    await expect(sam.page.get_by_role("listitem").filter(has_text="launched")).to_have_count(1)


async def test_who_prepares_cannot_send(team: Server, sandbox: SandboxProcess, visitors: Visitors) -> None:
    """Neither by a button, nor by an address, nor by a form of his own making; pausing is everybody's who prepares."""
    paul, sam = [Way(await visitors.come(team, name=name), team) for name in ("paul", "sam")]
    await paul.begin(write_contacts(team.folder / "spring.csv", ROWS))
    await paul.check()
    await paul.preview()
    await expect(paul.button(re.compile("^Continue"))).to_have_count(0)
    assert await everything(paul.page) == []
    found = await paul.page.goto(f"{paul.url}/send")
    assert found is not None
    assert found.status == 403
    assert await everything(paul.page) == []
    await paul.page.goto(f"{paul.url}/preview")
    token = await paul.page.locator("main [name=_token]").first.get_attribute("value")
    version = await paul.page.locator("main [name=version]").first.get_attribute("value")
    form: dict[str, str | float | bool] = {
        "_token": token or "",
        "version": version or "",
        "when": "now",
        "count": str(ROWS),
        "password": PASSWORD,
    }
    for what in ("send", "go-on", "stop", "recall", "retry"):
        answer = await paul.visitor.context.request.post(f"{paul.url}/{what}", form=form, max_redirects=0)
        assert answer.status == 403, what
    assert sandbox.creates() == []
    await sam.page.goto(f"{paul.url}/send")
    sam.url = paul.url
    await sam.send(ROWS)
    await sam.state("Finished")


async def test_the_password_is_asked_again(team: Server, sandbox: SandboxProcess, visitors: Visitors) -> None:
    """A quarter of an hour after it was typed, a wrong one or none sends nothing."""
    sam = Way(await visitors.come(team, name="sam", minutes_ago=20), team)
    await sam.prepare(write_contacts(team.folder / "spring.csv", ROWS))
    assert await everything(sam.page) == []
    again = sam.page.get_by_label("Your password again")
    for wrong, told in (("", "Type your password again"), ("not the password", "wrong")):
        await sam.page.get_by_label(re.compile("^Type")).fill(str(ROWS))
        await again.fill(wrong)
        await sam.button(re.compile("^Send to")).click()
        await expect(sam.page.get_by_role("alert")).to_contain_text(told)
        await expect(again).to_have_value("")
    assert sandbox.creates() == []
    await again.fill(PASSWORD)
    await sam.send(ROWS)
    await sam.state("Finished")


async def test_a_preparer_tests_to_own_numbers(team: Server, sandbox: SandboxProcess, visitors: Visitors) -> None:
    """The page offers the numbers that are Paul's, and refuses others whatever form asks for them."""
    paul = Way(await visitors.come(team, name="paul"), team)
    await paul.begin(write_contacts(team.folder / "spring.csv", ROWS))
    await paul.check()
    await paul.preview()
    await paul.button("Send test to me").click()
    await expect(paul.page.get_by_text(re.compile("^Test today .* started, execution"))).to_be_visible()
    token = await paul.page.locator("main [name=_token]").first.get_attribute("value")
    version = await paul.page.locator("main [name=version]").first.get_attribute("value")
    form: dict[str, str | float | bool] = {
        "_token": token or "",
        "version": version or "",
        "row": "2",
        "to": "+12025550998",
    }
    answer = await paul.visitor.context.request.post(f"{paul.url}/test", form=form, max_redirects=0)
    assert answer.status == 422
    assert [create["to"] for create in sandbox.creates()] == ["+12025550999"]


async def test_who_looks_sees_counts_alone(team: Server, sandbox: SandboxProcess, visitors: Visitors) -> None:
    """Vera sees how a campaign stands and no button; files, reports and people are not hers."""
    sam, vera = [Way(await visitors.come(team, name=name), team) for name in ("sam", "vera")]
    await sam.prepare(write_contacts(team.folder / "spring.csv", ROWS))
    await sam.send(ROWS)
    await sam.state("Finished")
    await vera.page.goto(team.url)
    await expect(vera.button("New campaign")).to_have_count(0)
    await vera.page.goto(sam.url)
    await vera.state("Finished")
    assert await everything(vera.page) == []
    await expect(vera.page.locator("main form:visible")).to_have_count(0)
    await expect(vera.page.locator("main").get_by_role("link", name=re.compile("Download|Recall|Stop"))).to_have_count(
        0
    )
    for path in (
        "/new",
        "/people",
        "/history",
        "/health",
        *(f"{urlsplit(sam.url).path}{end}" for end in ("/report.csv", "/report.xlsx", "/recall", "/left-out.csv")),
    ):
        answer = await vera.visitor.context.request.get(team.url + path, max_redirects=0)
        assert answer.status == 403, path


async def test_a_changed_role_holds_at_once(team: Server, visitors: Visitors) -> None:
    """Whoever is signed in and may no more is asked to sign in again, with the next click."""
    sam = await visitors.come(team, name="sam")
    await sam.page.goto(f"{team.url}/history")
    await expect(sam.page.get_by_role("heading", level=1)).to_have_text("History")
    await team.change("sam", Role.viewer)
    await sam.page.goto(f"{team.url}/history")
    await expect(sam.page.get_by_role("heading", level=1)).to_have_text("Sign in")
