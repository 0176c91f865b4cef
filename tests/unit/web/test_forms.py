"""What a browser sends with a form, and what somebody sends who is none: a real server reads it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlencode

import pytest
from aiohttp import ClientSession, web

from dispatcher.web.forms import FORM_MAX_BYTES, Form, form_token, is_token, read_form, whole

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A server that says what it has read."""

    async def answer(request: web.Request) -> web.Response:
        form = await read_form(request)
        return web.json_response({name: form.every(name) for name in form})

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}/"
    await runner.cleanup()


async def sent(url: str, body: bytes, kind: str | None = FORM) -> tuple[int, Mapping[str, list[str]]]:
    """Status, and what was read."""
    headers = {} if kind is None else {"Content-Type": kind}
    async with (
        ClientSession(skip_auto_headers=["Content-Type"]) as session,
        session.post(url, data=body, headers=headers) as found,
    ):
        return found.status, await found.json() if found.status == 200 else {}


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b"", {}),
        (b"a=1&b=", {"a": ["1"], "b": [""]}),
        (b"a=1&a=+2+&a=", {"a": ["1", "2", ""]}),
        (b"a", {"a": [""]}),
        (b"=1", {"": ["1"]}),
        (b"a=1;b=2", {"a": ["1;b=2"]}),
        ("name=Zoë%20%2B&ü=1".encode(), {"name": ["Zoë +"], "ü": ["1"]}),
        (b"a=%00%0d%0a", {"a": ["\0"]}),
        # A page of another charset: no letter is guessed.
        (b"a=caf%E9", {"a": ["caf\N{REPLACEMENT CHARACTER}"]}),
        (b"a=%ED%A0%80", {"a": ["\N{REPLACEMENT CHARACTER}" * 3]}),
    ],
)
async def test_fields_as_they_were_typed(url: str, body: bytes, read: Mapping[str, list[str]]) -> None:
    """UTF-8, blanks around a text taken off, several of one name in their order."""
    assert await sent(url, body) == (200, read)
    assert await sent(url, body, f"{FORM.upper()}; charset=UTF-8") == (200, read)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"a=\xe9", FORM, 400),
        (b"a=\xff\xfe", f"{FORM}; charset=utf-16", 400),
        (b"&".join([b"a=1"] * 600), FORM, 200),
        (b"&".join([b"a=1"] * 601), FORM, 400),
        (b"&" * 10_000, FORM, 400),
        (urlencode({f"f{n}": "1" for n in range(10_000)}).encode()[: FORM_MAX_BYTES - 1], FORM, 400),
        (b"a=" + b"x" * (FORM_MAX_BYTES - 2), FORM, 200),
        (b"a=" + b"x" * (FORM_MAX_BYTES - 1), FORM, 413),
        (b"a=" + b"x" * 1_000_000, FORM, 413),
        (b'{"a": 1}', "application/json", 415),
        (b"a=1", "text/plain", 415),
        (b"a=1", None, 415),
        (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x", 415),
    ],
)
async def test_what_is_no_form_of_ours(url: str, body: bytes, kind: str | None, status: int) -> None:
    """Too many fields, too many bytes, other letters, or what a page elsewhere may send unasked (text/plain)."""
    assert (await sent(url, body, kind))[0] == status


def test_the_last_of_one_name_counts() -> None:
    """A text's blanks are taken off but where they are a part of it; a tick is there or is not."""
    form = Form([("n", " 1 "), ("n", " 2 "), ("password", "  a b "), ("box", "")])
    assert (form["n"], form.text("n"), form.every("n"), form.whole("n")) == ("2", "2", ["1", "2"], 2)
    assert (form.typed("password"), form.text("password")) == ("  a b ", "a b")
    assert (form.ticked("box"), form.ticked("other"), form.text("other"), form.typed("other")) == (True, False, "", "")
    assert (list(form), len(form)) == (["n", "password", "box"], 3)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("007", 7),
        ("9" * 17, 10**17 - 1),
        ("9" * 18, None),
        ("0" * 5_000, None),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1,234", None),
        ("1_0", None),
        ("1.0", None),
        ("1e3", None),
        (" 1", None),
        ("٣", None),
        ("²", None),
    ],
)
def test_whole_numbers_of_pages(text: str, number: int | None) -> None:
    """Digits alone, as a page has written them, and no more than a store's column holds."""
    assert whole(text) == number


def test_a_token_of_this_session_alone() -> None:
    """Another session's, a part of one, one in other letters, and what is no ASCII are none."""
    mine, others = form_token(b"m" * 32), form_token(b"o" * 32)
    assert is_token(b"m" * 32, mine)
    for sent in (others, "", mine[:-1], mine + "0", mine.upper(), "é" * 64, mine.replace(mine[0], "０")):  # noqa: RUF001
        assert not is_token(b"m" * 32, sent), sent
