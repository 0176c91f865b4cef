"""Who gets in: by a link that works once, at the page's own address, from the page's own forms."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import aiohttp
from playwright.async_api import Page, expect

from tests.browser.findings import everything
from tests.browser.server import Server
from tests.browser.visitors import Visitor, Visitors


async def answer(
    server: Server, path: str, *, method: str = "GET", data: dict[str, str] | None = None, **headers: str
) -> tuple[int, dict[str, str], str]:
    """What a program gets that is no browser: status, headers, text. Redirections are not followed."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.request(method, server.url + path, data=data, headers=names, allow_redirects=False) as found,
    ):
        return found.status, dict(found.headers), await found.text()


async def enter(page: Page, link: str) -> None:
    """Open a link as a person does."""
    await page.goto(link)
    await page.get_by_role("button", name="Continue").click()


async def test_a_link_lets_one_person_in(server: Server, visitors: Visitors) -> None:
    """The printed link leads to the campaigns, by keyboard alone; the screens on the way are good for everybody."""
    anna = await visitors.come(server, signed_in=False)
    await anna.page.goto(server.printed)
    assert await everything(anna.page) == []
    await anna.keyboard.press(anna.page.get_by_role("button", name="Continue"))
    await expect(anna.page.get_by_role("heading", level=1)).to_have_text("Campaigns")
    assert urlsplit(anna.page.url).query == ""
    assert await everything(anna.page) == []


async def test_a_link_works_once(server: Server, visitors: Visitors) -> None:
    """Looking at it spends nothing; whoever sends it second is told, and is not in."""
    looks, enters, comes_late = [await visitors.come(server, signed_in=False) for _ in range(3)]
    await looks.page.goto(server.printed)
    await enter(enters.page, server.printed)
    await expect(enters.page.get_by_role("heading", level=1)).to_have_text("Campaigns")
    await enter(comes_late.page, server.printed)
    await expect(comes_late.page.get_by_role("alert")).to_contain_text("has been used")
    assert comes_late.page.url.endswith("/sign-in")
    assert await everything(comes_late.page) == []
    await comes_late.page.goto(server.url)
    await expect(comes_late.page.get_by_role("heading", level=1)).to_have_text("Sign in")
    await expect(comes_late.page.get_by_text("Campaigns")).to_have_count(0)


async def test_without_scripts_a_link_works(server: Server, visitors: Visitors) -> None:
    """The way in is a form."""
    anna = await visitors.come(server, signed_in=False, javascript=False)
    await enter(anna.page, server.printed)
    await expect(anna.page.get_by_role("heading", level=1)).to_have_text("Campaigns")


async def test_signing_out_ends_the_session(visitor: Visitor, visitors: Visitors, server: Server) -> None:
    """The cookie that was is worth nothing afterwards, wherever it was copied to."""
    kept = await visitor.context.cookies()
    await visitor.page.goto(server.url)
    await visitor.page.get_by_role("button", name="Sign out").click()
    await expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Sign in")
    thief = await visitors.come(server, signed_in=False)
    await thief.context.add_cookies([{"name": kept[0]["name"], "value": kept[0]["value"], "url": server.url}])
    await thief.page.goto(server.url)
    await expect(thief.page.get_by_role("heading", level=1)).to_have_text("Sign in")


async def test_a_cookie_set_before_is_not_kept(server: Server, visitors: Visitors) -> None:
    """Session fixation: whoever plants a cookie in a browser is not signed in by its owner's signing in."""
    planted = "planted" + "x" * 36
    anna = await visitors.come(server, signed_in=False)
    await anna.context.add_cookies([{"name": f"dispatcher_{server.port}", "value": planted, "url": server.url}])
    await enter(anna.page, server.printed)
    await expect(anna.page.get_by_role("heading", level=1)).to_have_text("Campaigns")
    (cookie,) = await anna.context.cookies()
    assert cookie["value"] != planted
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"


async def test_another_host_name_gets_nothing(server: Server) -> None:
    """A name that somebody leads to this machine (DNS rebinding) is refused before anything is looked at."""
    session = "=".join(await server.cookie())
    for host in ("attacker.invalid", f"attacker.invalid:{server.port}", "127.0.0.1:1"):
        status, _, text = await answer(server, "/", Host=host, Cookie=session)
        assert status == 421
        assert "Campaigns</h1>" not in text
        assert "Sign out" not in text
    status, _, _ = await answer(server, "/", Host=f"localhost:{server.port}")
    assert status == 303


async def test_every_answer_has_the_headers(server: Server) -> None:
    """Pages, files, errors: nothing from elsewhere, no script inside a page, in no frame, kept by no cache."""
    session = "=".join(await server.cookie())
    for path in ("/", "/sign-in", "/nowhere", "/static/page.css", "/healthz"):
        _, headers, _ = await answer(server, path, Cookie=session)
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
        assert not re.search(r"unsafe|\*|http", headers["Content-Security-Policy"])
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert path.startswith("/static/") or headers["Cache-Control"] == "no-store"
        assert headers["Server"] == "dispatcher"


async def test_a_form_of_another_site_is_refused(server: Server) -> None:
    """A change comes from a page of ours, with the token that this session was given; else nothing happens."""
    session = "=".join(await server.cookie())
    _, _, page = await answer(server, "/", Cookie=session)
    token = re.findall(r'name="_token" value="([^"]+)"', page)[0]
    for told in (
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "http://attacker.invalid"},
        {"Origin": "null"},
    ):
        sent = {"_token": token}
        status, _, _ = await answer(server, "/sign-out", method="POST", data=sent, Cookie=session, **told)
        assert status == 403, told
    for wrong in ({}, {"_token": ""}, {"_token": "x" * len(token)}):
        status, _, _ = await answer(server, "/sign-out", method="POST", data=wrong, Cookie=session)
        assert status == 403, wrong
    status, _, page = await answer(server, "/", Cookie=session)
    assert (status, "Sign out" in page) == (200, True)
    status, _, _ = await answer(server, "/sign-out", method="POST", data={"_token": token}, Cookie=session)
    assert status == 303
