"""Every address of the page, asked by every role and by nobody: who is let in is what `access` says."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import aiohttp
import pytest
from multidict import CIMultiDict

from dispatcher.web.access import Action, may
from dispatcher.web.app import ROUTES
from dispatcher.web.routes import Route
from dispatcher.web.store import Role, open_store
from dispatcher.web.store.connection import FILE_NAME
from tests.acceptance.cli.program import write_settings
from tests.browser.server import PASSWORD, Server

#: Nobody has to have signed in for these, and for no others.
OPEN = {
    ("GET", "/static/{name}"),
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("GET", "/healthz"),
    ("GET", "/metrics"),
}
#: What changes something and may be asked by whoever may look: one's own session and password.
OWN = {"/sign-out", "/stay", "/password"}
#: Role → who has it.
PEOPLE = {Role.viewer: "Vic", Role.preparer: "Pia", Role.sender: "Sue"}
_TOKEN = re.compile(r'name="_token" value="([0-9a-f]{64})"')
_PLACE = re.compile(r"\{\w+\}")
_NOBODYS = "0" * 22


def _browser(cookie: Mapping[str, str]) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(headers={"Cookie": "; ".join(f"{name}={value}" for name, value in cookie.items())})


def _path(route: Route) -> str:
    """The address with ids that nothing has: whoever is let in is told that there is no such page."""
    return _PLACE.sub(_NOBODYS, route.path)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A page by password, with somebody of each role."""
    folder = tmp_path_factory.mktemp("team")
    write_settings(folder, "http://127.0.0.1:9", web={"auth": "password"}, state={"dir": str(folder / "state")})
    server = Server(folder)

    async def begin() -> None:
        await server.start()
        for role, name in PEOPLE.items():
            await server.add(name, role)

    asyncio.run(begin())
    yield server
    server.end()


async def _asked(server: Server, cookie: Mapping[str, str], token: str, route: Route) -> tuple[int, str]:
    """Status and where to, of a request as this page's own forms send it."""
    async with _browser(cookie) as session:
        sent: dict[str, object] = {}
        if route.method == "POST" and route.path.endswith(("/uploads", "/corrected")):
            sent["data"] = aiohttp.FormData({"_token": token}, default_to_multipart=True)
        elif route.method == "POST":
            sent["data"] = {"_token": token}
        async with session.request(
            route.method,
            server.url + _path(route),
            allow_redirects=False,
            **sent,  # type: ignore[arg-type]
        ) as found:
            return found.status, found.headers.get("Location", "")


async def _token(server: Server, cookie: Mapping[str, str]) -> str:
    async with _browser(cookie) as session, session.get(f"{server.url}/password") as found:
        token = _TOKEN.search(await found.text())
    assert token is not None
    return token[1]


def test_only_these_doors_are_open() -> None:
    """What needs no sign-in is written down here; every other address has an action."""
    assert {(one.method, one.path) for one in ROUTES if one.action is None} == OPEN


def test_who_may_look_changes_nothing() -> None:
    """What a viewer may send is a viewer's own."""
    assert {one.path for one in ROUTES if one.method == "POST" and one.action is Action.look} == OWN


def test_every_action_has_a_door() -> None:
    """An action that no address asks for is a permission that does nothing."""
    asked_within = {Action.test_anybody}
    assert {one.action for one in ROUTES} - {None} == set(Action) - asked_within


async def test_nobody_gets_to_any_page(team: Server) -> None:
    """Without a session every other address leads to the sign-in, whatever is sent along."""
    for route in ROUTES:
        if route.action is None:
            continue
        status, to = await _asked(team, {}, "0" * 64, route)
        assert (status, to.partition("?")[0]) == (303, "/sign-in"), (route.method, route.path)


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_gets_what_it_may(team: Server, role: Role) -> None:
    """Each address, with a good token: 403 where `access` says no, and anything else where it says yes."""
    # The last one ends the session.
    routes = sorted(ROUTES, key=lambda one: one.path == "/sign-out")
    name, value = await team.cookie(PEOPLE[role])
    cookie = {name: value}
    token = await _token(team, cookie)
    for route in routes:
        status, to = await _asked(team, cookie, token, route)
        is_let_in = status != 403 and not (to.startswith("/sign-in") and route.path != "/sign-out")
        if route.action is not None:
            assert is_let_in == may(role, route.action), (route.method, route.path, status)
        assert status < 500, (route.method, route.path, status)


async def test_a_form_without_a_token_does_nothing(team: Server) -> None:
    """Of whoever may everything: another session's token, and none, are refused by every form."""
    name, value = await team.cookie("Sue")
    others = await _token(team, dict([await team.cookie("Sue")]))
    for route in ROUTES:
        if route.method != "POST" or route.action is None:
            continue
        for token in ("", others):
            status, _ = await _asked(team, {name: value}, token, route)
            # A draft that is not there is told before the body is read.
            assert status == 403 or (status == 404 and route.path.endswith("/corrected")), (route.path, status)


async def test_looking_changes_nothing(team: Server) -> None:
    """All pages looked at by whoever may everything: people, drafts and uploads are as they were."""
    name, value = await team.cookie("Sue")
    before = _kept(team.state)
    for route in ROUTES:
        if route.method == "GET":
            await _asked(team, {name: value}, "", route)
    assert _kept(team.state) == before


def _kept(folder: Path) -> list[object]:
    db = sqlite3.connect(folder / FILE_NAME)
    try:
        return [db.execute(f"SELECT * FROM {table}").fetchall() for table in ("users", "drafts", "uploads", "links")]
    finally:
        db.close()


async def test_numbers_no_id_can_have(team: Server) -> None:
    """A number of a person that is larger than any is nobody's, and no fault of the server's."""
    cookie = dict([await team.cookie("Sue")])
    async with _browser(cookie) as session:
        for text in ("9" * 19, "9" * 30, "9" * 5000, "0" * 5000):
            for path in ("/people/{}", "/t/{}", "/history?before={}"):
                async with session.get(team.url + path.format(text)) as found:
                    assert found.url.path != "/sign-in"
                    assert found.status in (200, 404), (path, len(text), found.status)


async def test_a_browser_that_leaves_is_no_fault(team: Server) -> None:
    """An answer that is cut off by the browser is no bug in the log."""
    name, value = await team.cookie("Sue")
    for path in ("/history.csv", "/history.jsonl", "/history", "/health"):
        for _ in range(5):
            _, writer = await asyncio.open_connection("127.0.0.1", team.port)
            request = f"GET {path} HTTP/1.1\r\nHost: {team.host}\r\nCookie: {name}={value}\r\n\r\n"
            writer.write(request.encode())
            await writer.drain()
            writer.transport.abort()
    async with _browser({name: value}) as session, session.get(f"{team.url}/health") as found:
        assert found.status == 200
    assert "failed, number" not in team.said()


async def test_the_last_hop_is_the_source(tmp_path: Path, unused_tcp_port: int) -> None:
    """Behind a proxy: what it adds counts, in a line of its own, too, and nothing that the client says."""
    write_settings(tmp_path, "http://127.0.0.1:9", web={"auth": "password", "public_url": "http://127.0.0.1:9"})
    server = Server(tmp_path, port=unused_tcp_port)
    await server.start()
    await server.add("Sue", Role.sender)
    headers = [("X-Forwarded-For", "1.1.1.1, 2.2.2.2"), ("X-Forwarded-For", "3.3.3.3"), ("Host", "127.0.0.1:9")]
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"http://127.0.0.1:{unused_tcp_port}/sign-in",
            data={"name": "Sue", "password": PASSWORD},
            headers=CIMultiDict(headers),
            allow_redirects=False,
        ) as found,
    ):
        assert found.status == 303
    store = await open_store(server.state)
    (line,) = await store.audit.page()
    await store.close()
    server.end()
    assert (line.what, line.source) == ("signed_in", "3.3.3.3")


async def test_what_is_no_request_is_not_logged(team: Server) -> None:
    """Whoever sends what is no HTTP is told so, and nothing of what was sent stands in the log."""
    sent = (
        b"GET /\x00+12025550123 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nbad +12025550123: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: +12025550123" + b"a" * 100_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: +12025550123\r\n\r\n",
        b"\x16\x03\x01+12025550123\r\n\r\n",
    )
    for request in sent:
        reader, writer = await asyncio.open_connection("127.0.0.1", team.port)
        writer.write(request)
        assert (await reader.readline()).startswith(b"HTTP/1.0 400"), request[:60]
        writer.close()
        await writer.wait_closed()
    assert "12025550123" not in team.said()
    assert "Traceback" not in team.said()
