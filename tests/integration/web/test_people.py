"""People, passwords and the history on a real server, as a browser without scripts sees them."""

from __future__ import annotations

import asyncio
import csv
import html
import io
import json
import re
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from dispatcher.web.pages.history import LINES
from dispatcher.web.store import AuditLine, Role, User, open_store
from tests.acceptance.cli.program import write_settings
from tests.browser.server import PASSWORD, Server

OTHER = "staple in the hay 9"
_TOKEN = re.compile(r'name="_token" value="([0-9a-f]{64})"')
_WRONG = re.compile(r'<p class="wrong" id="e-(\w+)"><span class="unseen">Error: </span>(.*?)</p>')


@dataclass
class Answer:
    """What a browser got."""

    status: int
    url: str
    text: str
    headers: dict[str, str]

    @property
    def problems(self) -> dict[str, str]:
        """Field → sentence, as it stands beside the field."""
        return {field: html.unescape(text) for field, text in _WRONG.findall(self.text)}


class Person:
    """Somebody with a browser, which follows redirections and has its forms' token."""

    def __init__(self, server: Server) -> None:
        self.url = server.url
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def get(self, path: str) -> Answer:
        async with self.session.get(self.url + path) as found:
            return Answer(found.status, found.url.path, await found.text(), dict(found.headers))

    async def send(self, path: str, **fields: str) -> Answer:
        """A form of a page that this person sees."""
        token = _TOKEN.search((await self.get("/password")).text)
        sent = {"_token": token[1] if token else "", **fields}
        async with self.session.post(self.url + path, data=sent) as found:
            return Answer(found.status, found.url.path, await found.text(), dict(found.headers))

    async def sign_in(self, name: str, password: str = PASSWORD) -> Answer:
        async with self.session.post(
            f"{self.url}/sign-in", data={"to": "/password", "name": name, "password": password}
        ) as found:
            return Answer(found.status, found.url.path, await found.text(), dict(found.headers))

    async def is_in(self) -> bool:
        return (await self.get("/password")).url == "/password"


class Team:
    """A server for a team, and the people before it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.people: list[Person] = []

    def person(self) -> Person:
        self.people.append(Person(self.server))
        return self.people[-1]

    async def signed_in(self, name: str) -> Person:
        person = self.person()
        assert (await person.sign_in(name)).url == "/password"
        return person

    async def lines(self) -> list[AuditLine]:
        """The history, the newest first."""
        store = await open_store(self.server.state)
        found = await store.audit.page(limit=10_000)
        await store.close()
        return found

    async def user(self, name: str) -> User | None:
        store = await open_store(self.server.state)
        found = await store.users.by_name(name)
        await store.close()
        return found

    async def id_of(self, name: str) -> int:
        user = await self.user(name)
        assert user is not None
        return user.user_id


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with people, to be copied: passwords cost what they cost, once."""
    folder = tmp_path_factory.mktemp("founded") / "state"

    async def found() -> None:
        store = await open_store(folder)
        await store.users.add("Sue", Role.sender, PASSWORD, now_ms=1)
        await store.users.add("Pia", Role.preparer, PASSWORD, ["+12025550100"], now_ms=1)
        await store.users.add("Vic", Role.viewer, PASSWORD, now_ms=1)
        await store.close()

    asyncio.run(found())
    return folder


@pytest.fixture
async def team(founded: Path, tmp_path: Path) -> AsyncIterator[Team]:
    """Sue may send, Pia prepares, Vic looks; nobody is signed in."""
    write_settings(tmp_path, "http://127.0.0.1:9", web={"auth": "password"})
    server = Server(tmp_path)
    shutil.copytree(founded, server.state)
    await server.start()
    team = Team(server)
    yield team
    for person in team.people:
        await person.session.close()
    server.end()


async def test_the_right_password_lets_in(team: Team) -> None:
    """However the name is typed; to the page that was asked for; written down."""
    person = team.person()
    assert not await person.is_in()
    assert (await person.sign_in(" sue")).url == "/password"
    assert await person.is_in()
    newest = (await team.lines())[0]
    assert (newest.what, newest.who, newest.source) == ("signed_in", "Sue", "127.0.0.1")


async def test_a_wrong_password_is_told(team: Team) -> None:
    """Not whether the name or the password is wrong; what was typed is kept, but for the password."""
    person = team.person()
    for name, password in (("Sue", OTHER), ("Nobody", PASSWORD), ("Sue", f" {PASSWORD}")):
        answer = await person.sign_in(name, password)
        assert (answer.status, answer.problems) == (403, {"password": "The name or the password is wrong."})
        assert f'value="{name}"' in answer.text
        assert password not in answer.text
    empty = await person.sign_in("", "")
    assert set(empty.problems) == {"name", "password"}
    assert not await person.is_in()


async def test_many_wrong_passwords_wait(team: Team) -> None:
    """The right one is not looked at meanwhile, and the page says until when; somebody else gets in."""
    person = team.person()
    for n in range(5):
        answer = await person.sign_in("Sue", OTHER)
        assert answer.status == 403
        assert ("Try again in 32 s." in answer.problems["password"]) == (n == 4)
    refused = await person.sign_in("Sue")
    assert refused.status == 429
    assert re.fullmatch(r"Too many wrong passwords\. Try again in \d+ s\.", refused.problems["password"])
    assert 1 <= int(refused.headers["Retry-After"]) <= 32
    assert (await team.person().sign_in("Vic")).url == "/password"


async def test_many_at_once_are_not_all_looked_at(team: Team) -> None:
    """Thirty passwords at one moment are not thirty guesses."""
    people = [team.person() for _ in range(30)]
    answers = await asyncio.gather(*(person.sign_in("Sue", f"{OTHER} {n}") for n, person in enumerate(people)))
    looked_at = [answer for answer in answers if answer.status == 403]
    assert 1 <= len(looked_at) <= 5
    assert {answer.status for answer in answers} == {403, 429}


async def test_a_planted_cookie_is_nobodys(team: Team) -> None:
    """The session is new with each sign-in, and the one before ends."""
    person = await team.signed_in("Vic")
    before = {cookie.key: cookie.value for cookie in person.session.cookie_jar}
    thief = team.person()
    thief.session.cookie_jar.update_cookies(before, response_url=URL(thief.url))
    assert await thief.is_in()
    assert (await person.sign_in("Sue")).url == "/password"
    assert not await thief.is_in()
    (cookie,) = person.session.cookie_jar
    assert cookie.value not in before.values()


@pytest.mark.parametrize("name", ["Vic", "Pia"])
async def test_people_and_history_are_a_senders(name: str, team: Team) -> None:
    """Neither seen nor changed by others, by address or by form."""
    person, sue = await team.signed_in(name), await team.id_of("Sue")
    paths = ("/people", f"/people/{sue}", "/history", "/history.csv", "/history.jsonl")
    for path in paths:
        assert (await person.get(path)).status == 403, path
    forms = ("/people", *(f"/people/{sue}{rest}" for rest in ("", "/password", "/sign-out", "/remove")))
    for path in forms:
        sent = await person.send(path, name="Eve", role="sender", password=OTHER, sure="yes")
        assert sent.status == 403, path
    assert await team.user("Sue") is not None
    assert await team.user("Eve") is None
    nobody = team.person()
    for path in paths:
        assert (await nobody.get(path)).url == "/sign-in", path


async def test_a_person_is_added(team: Team) -> None:
    """With role and numbers as people write them; they can sign in at once."""
    sue = await team.signed_in("Sue")
    added = await sue.send(
        "/people", name="Anna", role="preparer", password=OTHER, numbers="+1 (202) 555-0123, +49 171 5550123"
    )
    assert (added.status, added.url) == (200, "/people")
    anna = await team.user("anna")
    assert anna is not None
    assert (anna.role, anna.own_numbers) == (Role.preparer, ("+12025550123", "+491715550123"))
    assert (await team.person().sign_in("Anna", OTHER)).url == "/password"


async def test_what_is_wrong_stands_beside_its_field(team: Team) -> None:
    """All of it at once, with what was typed; no password comes back."""
    sue = await team.signed_in("Sue")
    answer = await sue.send("/people", name="PIA", role="boss", password="too short", numbers="0171 5550123")
    assert (answer.status, set(answer.problems)) == (400, {"name", "role", "password", "numbers"})
    assert "<title>Error: " in answer.text
    assert 'value="PIA"' in answer.text
    assert 'value="0171 5550123"' in answer.text
    assert "too short" not in answer.text
    assert "at least 12 characters" in answer.problems["password"]


async def test_the_last_sender_stays(team: Team) -> None:
    """Neither made less nor removed, and told why; with a second one both can be done."""
    sue, me = await team.signed_in("Sue"), await team.id_of("Sue")
    assert "last one" in (await sue.send(f"/people/{me}", role="viewer", numbers="")).problems["role"]
    assert "last one" in (await sue.send(f"/people/{me}/remove", sure="yes")).problems["sure"]
    await sue.send(f"/people/{await team.id_of('Pia')}", role="sender", numbers="")
    assert (await sue.send(f"/people/{me}", role="viewer", numbers="")).url == "/sign-in"
    found = await team.user("Sue")
    assert found is not None
    assert found.role is Role.viewer


async def test_a_change_of_role_signs_out(team: Team) -> None:
    """What somebody may no longer do is over with the next click; numbers alone change nothing of that."""
    sue, pia = await team.signed_in("Sue"), await team.signed_in("Pia")
    who = await team.id_of("Pia")
    assert (await sue.send(f"/people/{who}", role="preparer", numbers="+12025550199")).url == "/people"
    assert await pia.is_in()
    assert (await sue.send(f"/people/{who}", role="viewer", numbers="+12025550199")).url == "/people"
    assert not await pia.is_in()
    assert [line.what for line in (await team.lines())[:2]] == ["user_changed", "numbers_set"]
    assert "555" not in "".join(str(line.detail) for line in await team.lines())


@pytest.mark.parametrize("what", ["sign-out", "remove", "password"])
async def test_somebody_is_put_out(what: str, team: Team) -> None:
    """Signed out everywhere, removed, or with a password that is not known: at once, in every browser."""
    sue, one, two = [await team.signed_in(name) for name in ("Sue", "Pia", "Pia")]
    who = await team.id_of("Pia")
    if what == "remove":
        assert set((await sue.send(f"/people/{who}/remove")).problems) == {"sure"}
        assert await one.is_in()
    assert (await sue.send(f"/people/{who}/{what}", sure="yes", password=OTHER)).url == "/people"
    assert [await one.is_in(), await two.is_in(), await sue.is_in()] == [False, False, True]
    again = await team.person().sign_in("Pia")
    assert (again.url == "/password") is (what == "sign-out")
    assert (await sue.get(f"/people/{who}")).status == (404 if what == "remove" else 200)


async def test_ones_own_password(team: Team) -> None:
    """Whoever knows it may change it; every other browser of that person is out, this one stays in."""
    here, elsewhere = await team.signed_in("Vic"), await team.signed_in("Vic")
    wrong = await here.send("/password", password=OTHER, new=OTHER)
    assert wrong.problems == {"password": "The password is wrong."}
    assert set((await here.send("/password", password=PASSWORD, new="short")).problems) == {"new"}
    assert (await here.send("/password", password=PASSWORD, new=OTHER)).url == "/"
    assert [await here.is_in(), await elsewhere.is_in()] == [True, False]
    assert (await team.person().sign_in("Vic")).status == 403
    assert (await team.person().sign_in("Vic", OTHER)).url == "/password"


async def test_a_form_without_its_token_changes_nothing(team: Team) -> None:
    """Also for a sender who is signed in."""
    sue = await team.signed_in("Sue")
    for token in ("", "0" * 64):
        answer = await sue.send("/people", _token=token, name="Eve", role="sender", password=OTHER)
        assert answer.status == 403
    assert await team.user("Eve") is None


async def test_staying_signed_in(team: Team) -> None:
    """A script is told how long there is now; without scripts one is where one was."""
    vic = await team.signed_in("Vic")
    assert (await vic.send("/stay", to="/password")).url == "/password"
    assert (await vic.send("/stay", to="https://elsewhere.invalid/")).url == "/"
    page = (await vic.get("/password")).text
    token = _TOKEN.search(page)
    assert token is not None
    assert int(re.findall(r'data-ends-in-s="(\d+)"', page)[0]) == pytest.approx(12 * 3600, abs=120)
    async with vic.session.post(
        f"{vic.url}/stay", data={"_token": token[1]}, headers={"Accept": "application/json"}
    ) as answer:
        assert (await answer.json())["ends_in_s"] == pytest.approx(12 * 3600, abs=120)


async def test_the_history_in_pages(team: Team) -> None:
    """The newest first, further back by a link, of one campaign, and whatever names there are stay text."""
    hostile = '=cmd|"/c calc"<script>alert(1)</script>\u202e'
    store = await open_store(team.server.state)
    for name in ("spring", hostile):
        await store.drafts.create(name, created_by="Sue", now_ms=1)
    for n in range(LINES + 20):
        campaign = hostile if n % 2 else "spring"
        await store.audit.write(
            AuditLine(
                at_ms=int(time.time() * 1000),
                who="Pia",
                source="::1",
                what="tested",
                campaign=campaign,
                detail={"row_number": n},
            )
        )
    drafts = {draft.name: draft.draft_id for draft in await store.drafts.list()}
    await store.close()
    sue = await team.signed_in("Sue")
    first = (await sue.get("/history")).text
    assert "Sue signed in" in first
    assert f"Pia sent a test: row {LINES + 19}<" in first
    assert "<script>alert" not in first
    assert "U+202E" in first
    further = re.findall(r'href="(/history\?before=\d+)"', first)
    second = (await sue.get(further[0])).text
    rows = re.findall(r"row (\d+)<", first) + re.findall(r"row (\d+)<", second)
    assert rows == [str(n) for n in range(LINES + 19, -1, -1)]
    chosen = (await sue.get(f"/history?campaign={drafts['spring']}")).text
    assert {int(n) % 2 for n in re.findall(r"row (\d+)<", chosen)} == {0}
    for wrong in ("before=x", "before=-1", "campaign=x", f"before={'9' * 400}"):
        assert (await sue.get(f"/history?{wrong}")).status == 200


async def test_the_history_as_a_file(team: Team) -> None:
    """Every line, the oldest first; as a table in which nothing is a formula, and as an object a line; written down."""
    store = await open_store(team.server.state)
    await store.audit.write(
        AuditLine(
            at_ms=1_000, who="=Pia", source="", what="paused", draft_id="d", campaign="@sum", detail={"reason": "x"}
        )
    )
    for n in range(2_000):
        await store.audit.write(AuditLine(at_ms=n, who="Pia", source="", what="tested"))
    await store.close()
    sue = await team.signed_in("Sue")
    table = await sue.get("/history.csv")
    assert table.headers["Content-Disposition"] == 'attachment; filename="history.csv"'
    assert table.headers["Cache-Control"] == "no-store"
    assert table.headers["X-Content-Type-Options"] == "nosniff"
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert len(rows) == len(await team.lines())
    assert rows[0] == {
        "line": "1",
        "at": "1970-01-01T00:00:01Z",
        "who": "'=Pia",
        "from": "",
        "what": "paused",
        "campaign": "'@sum",
        "draft": "d",
        "detail": '{"reason":"x"}',
    }
    assert rows[-1]["what"] == "history_downloaded"
    lines = [json.loads(text) for text in (await sue.get("/history.jsonl")).text.splitlines()]
    assert lines[0] == {
        "line": 1,
        "at": "1970-01-01T00:00:01Z",
        "who": "=Pia",
        "from": "",
        "what": "paused",
        "campaign": "@sum",
        "draft": "d",
        "detail": {"reason": "x"},
    }
    assert [line["line"] for line in lines] == list(range(1, len(lines) + 1))


async def test_a_page_of_one_person_has_no_people(tmp_path: Path) -> None:
    """It says so; nobody is added where nobody could sign in, and there is no password to change."""
    write_settings(tmp_path, "http://127.0.0.1:9")
    server = Server(tmp_path)
    await server.start()
    person = Person(server)
    try:
        name, value = await server.cookie()
        person.session.cookie_jar.update_cookies({name: value}, response_url=URL(server.url))
        page = await person.get("/people")
        assert "one person at this machine" in page.text
        assert 'action="/people"' not in page.text
        assert (await person.get("/password")).status == 404
        token = _TOKEN.search(page.text)
        assert token is not None
        data = {"_token": token[1], "name": "Eve", "role": "sender", "password": OTHER}
        async with person.session.post(f"{server.url}/people", data=data) as answer:
            assert answer.status == 404
    finally:
        await person.session.close()
        server.end()
