"""Where requests go, and with them the credentials: only to the host that the settings name."""

from __future__ import annotations

from base64 import b64encode

import orjson
import pytest

from dispatcher.errors import StudioError, StudioUnavailable
from dispatcher.model import Outcome
from dispatcher.studio.client import Studio
from dispatcher.studio.outcomes import classify
from dispatcher.studio.resources import Execution
from tests.integration.network.servers import (
    CREDENTIALS,
    EXECUTION_SID,
    FLOW_SID,
    Connection,
    Handler,
    RawServer,
    http,
    refused_port,
    serve,
)

FORM = b"To=%2B15550000001&From=%2B15550001111"
AUTHORIZATION = b"Authorization: Basic " + b64encode(f"{CREDENTIALS.username}:{CREDENTIALS.password}".encode())


def studio(base_url: str) -> Studio:
    return Studio(CREDENTIALS, base_url=base_url, connect_s=1, answer_s=1)


def page(next_page_url: object, *, key: object = "executions", items: object = None, sid: str = EXECUTION_SID) -> bytes:
    executions = [{"sid": sid}] if items is None else items
    return http(200, orjson.dumps({"meta": {"key": key, "next_page_url": next_page_url}, "executions": executions}))


async def listed(server: RawServer) -> list[Execution]:
    async with studio(server.url) as client:
        return [execution async for execution in client.executions(FLOW_SID)]


def answering(*answers: bytes) -> Handler:
    left = list(answers)

    async def handler(connection: Connection) -> None:
        while True:
            await connection.read_request()
            await connection.answer(left.pop(0) if len(left) > 1 else left[0])

    return handler


async def test_a_next_page_on_another_host() -> None:
    """A next page on another host is asked of our own, and no credentials leave."""
    async with serve(answering(page(None))) as other:
        following = f"{other.url}/v2/Flows/{FLOW_SID}/Executions?PageToken=PA1&Page=1"
        async with serve(answering(page(following), page(None, sid="FN" + "1" * 32))) as server:
            executions = await listed(server)
    assert len(executions) == 2
    assert (other.connections, other.seen) == (0, [])
    assert len(server.seen) == 2
    assert server.seen[1].startswith(f"GET /v2/Flows/{FLOW_SID}/Executions?PageToken=PA1&Page=1 HTTP/1.1".encode())
    assert all(AUTHORIZATION in request for request in server.seen)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirected_read_is_not_followed(status: int) -> None:
    async with serve(answering(page(None))) as other:
        redirect = http(status, b"", f"Location: {other.url}/elsewhere")
        async with serve(answering(redirect)) as server:
            with pytest.raises(StudioError):
                await listed(server)
    assert (other.connections, other.seen) == (0, [])


async def test_pages_that_lead_back_to_themselves_end() -> None:
    """A list whose pages lead back to themselves ends with an error, and is not read for ever."""
    async with serve(answering(page("/v2/again?Page=1"), page("/v2/again?Page=2"), page("/v2/again?Page=1"))) as server:
        with pytest.raises(StudioError, match="leads back"):
            await listed(server)
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    "answer",
    [
        http(200, b"[]"),
        http(200, b"{}"),
        http(200, b'{"meta": [], "executions": [1]}'),
        http(200, b'{"meta": {"key": "other"}, "executions": []}'),
        page(None, items={"sid": EXECUTION_SID}),
        page(None, items="none"),
        page(None, items=[None]),
        page("http://[bad"),
        http(200, b'{"meta": {}, "executions": [{"sid": "FN'),
        # A page that does not say whether another follows may be cut.
        http(200, b'{"executions": []}'),
        http(200, b'{"meta": {}, "executions": []}'),
        http(200, b'{"meta": null, "executions": [{"sid": "FN00000000000000000000000000000000"}]}'),
        http(200, b'{"meta": {"key": "executions", "page": 0}, "executions": []}'),
        page(5),
        page(True),
        page({}),
        page([]),
    ],
)
async def test_a_page_that_cannot_be_used(answer: bytes) -> None:
    """A page that cannot be used is an error, and never an empty list."""
    # An empty list would be the proof that nothing was created.
    async with serve(answering(answer)) as server:
        with pytest.raises(StudioError):
            await listed(server)


@pytest.mark.parametrize("last", [None, ""])
async def test_the_last_page_says_so(last: object) -> None:
    """A page without a next one ends the list."""
    async with serve(answering(page(last))) as server:
        assert len(await listed(server)) == 1


async def test_texts_that_are_none() -> None:
    """What Studio gives in the place of a text is as good as not told."""
    item = {"sid": EXECUTION_SID, "contact_channel_address": ["+1"], "initiated_by": 7, "flow_sid": {}}
    async with serve(answering(page(None, items=[item]))) as server:
        (execution,) = await listed(server)
    assert (execution.contact_channel_address, execution.initiated_by, execution.flow_sid) == (None, None, None)


@pytest.mark.parametrize("sid", ["FN1", "../Flows/FW1", "FN" + "0" * 31 + "?", "FN" + "0" * 33, "", "FN" + "٣" * 32])
async def test_a_sid_that_is_none(sid: str) -> None:
    """It never gets into an address."""
    async with serve(answering(page(None, sid=sid))) as server, studio(server.url) as client:
        (execution,) = [execution async for execution in client.executions(FLOW_SID)]
        for ask in (client.execution_context, client.execution, client.end_execution):
            with pytest.raises(StudioError, match="no SID"):
                await ask(FLOW_SID, execution.sid)
    assert len(server.seen) == 1


# --- proxies ---


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"])
async def test_a_proxy_and_a_rehearsal(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment does not see a rehearsal."""
    async with serve(answering(http(500, b""))) as proxy, serve(answering(http())) as server:
        monkeypatch.setenv(name, proxy.url)
        async with studio(server.url) as client:
            verdict = classify(await client.create(FLOW_SID, FORM), api_version="v2")
    assert verdict.outcome is Outcome.created
    assert (proxy.connections, len(server.seen)) == (0, 1)


async def test_without_its_proxy_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that cannot be reached is not gone around: nothing is sent."""
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{refused_port()}")
    async with studio("https://studio.invalid") as client:
        verdict = classify(await client.create(FLOW_SID, FORM), api_version="v2")
    assert verdict.outcome is Outcome.not_sent


@pytest.mark.parametrize("status", [403, 407, 502, 503])
async def test_a_proxy_that_refuses(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that refuses the way to the host has not passed the request on."""
    async with serve(answering(http(status, b""))) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        async with studio("https://studio.invalid") as client:
            verdict = classify(await client.create(FLOW_SID, FORM), api_version="v2")
    assert verdict.outcome is Outcome.not_sent
    assert verdict.message == f"no connection: the proxy refused ({status})"
    assert proxy.seen[0].startswith(b"CONNECT studio.invalid:443 ")
    assert AUTHORIZATION not in proxy.seen[0]


# --- what a read raises ---


@pytest.mark.parametrize("data", [http(500, b""), http(503, b"<html>"), http(429, b""), http(200, b"<html>"), b"x\r\n"])
async def test_a_read_that_may_go_better_next_time_says_so(data: bytes) -> None:
    """A read that may go better the next time raises `StudioUnavailable`."""
    async with serve(answering(data)) as server, studio(server.url) as client:
        with pytest.raises(StudioUnavailable):
            await client.flow(FLOW_SID)


async def test_another_execution_s_context() -> None:
    """Another execution's Context is not taken for the one that was asked for."""
    body = orjson.dumps({"execution_sid": "FN" + "9" * 32, "context": {"flow": {"data": {"dispatch_id": "d-1"}}}})
    async with serve(answering(http(200, body))) as server, studio(server.url) as client:
        with pytest.raises(StudioUnavailable):
            await client.execution_context(FLOW_SID, EXECUTION_SID)


@pytest.mark.parametrize("how", ["reset", "close"])
async def test_a_proxy_that_breaks_off(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that breaks off before the tunnel stands has not passed the request on."""

    async def handler(connection: Connection) -> None:
        await connection.reader.readuntil(b"\r\n\r\n")
        getattr(connection, how)()

    asked = 0

    def leaving() -> bool:
        nonlocal asked
        asked += 1
        return True

    async with serve(handler) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        async with studio("https://studio.invalid") as client:
            answer = await client.create(FLOW_SID, FORM, leaving)
    assert answer is not None
    assert (classify(answer, api_version="v2").outcome, asked) == (Outcome.not_sent, 0)
