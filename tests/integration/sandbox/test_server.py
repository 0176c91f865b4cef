"""The server around Studio: headers, limits, latency, the control endpoints, and being started and stopped."""

from __future__ import annotations

import asyncio
import re
import socket
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
import pytest
from aiohttp import web

from dispatcher.errors import SettingsError
from dispatcher.sandbox import DEFAULT_FLOW_SID, Sandbox, SandboxSettings
from tests.integration.sandbox.conftest import FLOW_PATH, FakeClock, Http, Reply

FROM = "+15550001111"


async def create(http: Http, sandbox: Sandbox, to: str = "+15550000001", **fields: str) -> Reply:
    return await http.call("POST", f"{sandbox.base_url}{FLOW_PATH}/Executions", form={"To": to, "From": FROM, **fields})


async def control(http: Http, sandbox: Sandbox, method: str, path: str, payload: Any = None) -> Reply:
    data = None if payload is None else orjson.dumps(payload)
    return await http.call(method, f"{sandbox.base_url}/_sandbox/{path}", data=data)


async def test_an_answer_has_the_headers_of_a_real_one(http: Http, clock: FakeClock) -> None:
    async with Sandbox(clock=clock) as sandbox:
        headers = (await create(http, sandbox)).headers
        assert headers["Content-Type"] == "application/json; charset=utf-8"
        assert re.fullmatch("RQ[0-9a-f]{32}", headers["Twilio-Request-Id"])
        assert headers["Twilio-Concurrent-Requests"] == "1"
        assert re.fullmatch(r"\d+\.\d{3}", headers["Twilio-Request-Duration"])
        assert parsedate_to_datetime(headers["Date"]).timestamp() == clock.now
        assert (await create(http, sandbox)).headers["Twilio-Request-Id"] != headers["Twilio-Request-Id"]


async def test_a_skewed_clock_shows_in_every_date(http: Http, clock: FakeClock) -> None:
    """A skewed clock shows in the Date header and in every date, but not in the record of creates."""
    async with Sandbox(SandboxSettings(clock_skew_s=-3600), clock=clock) as sandbox:
        reply = await create(http, sandbox)
        assert parsedate_to_datetime(reply.headers["Date"]).timestamp() == clock.now - 3600
        assert reply.json["date_created"] == "2023-11-14T21:13:20Z"
        record = (await control(http, sandbox, "GET", "creates")).json
        assert record["creates"][0]["at"] == clock.now


async def test_two_runs_with_one_seed_give_the_same_sids(http: Http) -> None:
    seen = []
    for seed in (1, 1, 2):
        async with Sandbox(SandboxSettings(seed=seed)) as sandbox:
            seen.append([(await create(http, sandbox, f"+1555000{n:04}")).json["sid"] for n in range(3)])
    assert seen[0] == seen[1]
    assert not set(seen[1]) & set(seen[2])


@pytest.mark.parametrize("authorization", ["", "Basic", "Basic Og==", "Bearer x"])
async def test_without_credentials_all_is_401(http: Http, authorization: str) -> None:
    """Without credentials everything is 401, and nothing happens."""
    async with Sandbox() as sandbox:
        for method, path in (("POST", "/Executions"), ("GET", "/Executions"), ("GET", "")):
            url = f"{sandbox.base_url}{FLOW_PATH}{path}"
            reply = await http.call(method, url, form={}, headers={"Authorization": authorization})
            assert (reply.status, reply.json["code"]) == (401, 20003)
        assert sandbox.stats()["creates"] == 0
        assert sandbox.stats()["requests"] == {"unauthorized": 3}


async def test_wrong_requests_get_twilio_s_errors(http: Http) -> None:
    """Wrong paths, methods and queries get Twilio's errors."""
    async with Sandbox() as sandbox:
        executions = f"{FLOW_PATH}/Executions"
        for method, path, status, code in (
            ("GET", executions.lower(), 404, 20404),
            ("GET", f"{executions}/FN{'0' * 32}", 404, 20404),
            ("GET", f"/v2/Flows/FW{'0' * 32}/Executions", 404, 20404),
            ("PUT", executions, 405, 20004),
            ("DELETE", FLOW_PATH, 405, 20004),
            ("POST", f"/v1/Flows/{DEFAULT_FLOW_SID}/Engagements", 404, 20404),
            ("GET", f"{executions}?PageSize=1001", 400, 20007),
            ("GET", f"{executions}?PageSize=0", 400, 20001),
            ("GET", f"{executions}?PageSize=-1", 400, 20001),
            ("GET", f"{executions}?PageSize=ten", 400, 20001),
            ("GET", f"{executions}?Page=-1", 400, 20001),
            ("GET", f"{executions}?PageToken=PAxyz", 400, 21481),
            ("GET", f"{executions}?DateCreatedFrom=yesterday", 400, 20001),
            ("GET", f"{executions}?status=paused", 400, 20001),
        ):
            reply = await http.call(method, sandbox.base_url + path)
            assert (reply.status, reply.json["code"], reply.json["status"]) == (status, code, status), path
            assert reply.json["more_info"] == f"https://www.twilio.com/docs/errors/{code}"


async def test_the_form_of_a_create_is_checked(http: Http) -> None:
    async with Sandbox() as sandbox:
        url = f"{sandbox.base_url}{FLOW_PATH}/Executions"
        for data, said in (
            (b"", "Missing required parameter To in the post body"),
            (b"To=%2B1&From=+", "Missing required parameter From in the post body"),
            (b'{"To": "+1", "From": "+2"}', "Missing required parameter To in the post body"),
            (b"To=%ff&From=1", "not a valid form"),
            (b"To=1&From=2&Parameters=%7B", "not valid JSON"),
            (b"To=1&From=2&Parameters=%5B%5D", "not a JSON object"),
        ):
            reply = await http.call("POST", url, data=data)
            assert (reply.status, reply.json["code"]) == (400, 20001)
            assert said in reply.json["message"]
        assert sandbox.stats()["creates"] == 0


async def test_how_long_a_contact_may_be(http: Http) -> None:
    """A contact of 300 bytes, To and From together, passes, and one of 301 does not."""
    async with Sandbox() as sandbox:
        assert (await create(http, sandbox, "c" * (300 - len(FROM)))).status == 201
        reply = await create(http, sandbox, "c" * (301 - len(FROM)))
        assert (reply.status, reply.json["code"]) == (400, 81023)


async def test_a_body_that_is_too_large_is_413(http: Http) -> None:
    async with Sandbox(SandboxSettings(max_body_bytes=2_000)) as sandbox:
        assert (await create(http, sandbox, Parameters='{"x": "%s"}' % ("y" * 1_000))).status == 201
        reply = await create(http, sandbox, "+15550000002", Parameters='{"x": "%s"}' % ("y" * 3_000))
        assert reply.status == 413
        assert sandbox.stats()["creates"] == 1


async def test_the_limit_is_an_exact_average_over_the_window(http: Http, clock: FakeClock) -> None:
    async with Sandbox(SandboxSettings(limit_per_s=2, window_s=10), clock=clock) as sandbox:
        statuses = [(await create(http, sandbox, f"+1555000{n:04}")).status for n in range(21)]
        assert statuses == [201] * 20 + [429]
        clock.now += 9.999999
        assert (await create(http, sandbox, "+15550009999")).status == 429
        clock.now += 0.000001
        assert (await create(http, sandbox, "+15550009999")).status == 201
        stats = sandbox.stats()
        assert (stats["creates"], stats["creates_total_requests"], stats["throttled"]) == (21, 23, 2)
        assert (stats["worst_window"], stats["worst_window_requests"], stats["window_limit"]) == (20, 22, 20)


async def test_refused_creates_and_the_window(http: Http, clock: FakeClock) -> None:
    """Refused creates count against the window only where that is set."""
    for count_refused, expected in ((False, 201), (True, 429)):
        settings = SandboxSettings(limit_per_s=1, window_s=2, count_refused=count_refused)
        async with Sandbox(settings, clock=clock) as sandbox:
            await create(http, sandbox, "+15550000001")
            await create(http, sandbox, "+15550000002")
            clock.now += 1.5
            for n in (3, 4):
                assert (await create(http, sandbox, f"+1555000000{n}")).status == 429
            clock.now += 0.6
            assert (await create(http, sandbox, "+15550000005")).status == expected


async def test_reads_are_not_limited(http: Http, clock: FakeClock) -> None:
    async with Sandbox(SandboxSettings(limit_per_s=0.1), clock=clock) as sandbox:
        await create(http, sandbox)
        for _ in range(20):
            assert (await http.call("GET", f"{sandbox.base_url}{FLOW_PATH}/Executions")).status == 200


async def test_retry_after_is_sent_only_where_it_is_set(http: Http) -> None:
    for retry_after_s, expected in ((None, None), (3, "3"), (0.5, "0.5")):
        async with Sandbox(SandboxSettings(faults={"429": 1}, retry_after_s=retry_after_s)) as sandbox:
            assert (await create(http, sandbox)).headers.get("Retry-After") == expected


async def test_the_limit_of_requests_at_once(http: Http) -> None:
    """More requests at once than the concurrency limit are 429."""
    async with Sandbox(SandboxSettings(concurrency_limit=3, latency_s=0.05)) as sandbox:
        replies = await asyncio.gather(*(create(http, sandbox, f"+1555000{n:04}") for n in range(8)))
        assert sorted(reply.status for reply in replies) == [201] * 3 + [429] * 5
        assert max(int(reply.headers["Twilio-Concurrent-Requests"]) for reply in replies) == 8
        assert sandbox.stats()["worst_concurrency"] == 8


async def test_latency_delays_the_answer_but_not_the_create(http: Http) -> None:
    async with Sandbox(SandboxSettings(latency_s=30)) as sandbox:
        waiting = asyncio.create_task(create(http, sandbox))
        async with asyncio.timeout(5):
            while not sandbox.stats()["creates"]:  # noqa: ASYNC110 - the sandbox has no event for it
                await asyncio.sleep(0.005)
        assert not waiting.done()
        waiting.cancel()


async def test_an_idle_connection_is_closed() -> None:
    """An idle connection is closed after the keep-alive time."""
    async with Sandbox(SandboxSettings(keepalive_timeout_s=0.05)) as sandbox:
        host, port = sandbox.base_url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET /_sandbox/stats HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        async with asyncio.timeout(5):
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            await reader.read()
        writer.close()
        await writer.wait_closed()


async def test_stats_tell_duplicates(http: Http, clock: FakeClock) -> None:
    """The stats tell duplicates by contact and by dispatch_id."""
    async with Sandbox(SandboxSettings(ends_after_s=1), clock=clock) as sandbox:
        for to, dispatch_id in (("+1", "a"), ("+1", "b"), ("+2", "b"), ("+3", "c")):
            await create(http, sandbox, to, Parameters=f'{{"dispatch_id":"{dispatch_id}"}}')
            clock.now += 1
        stats = (await control(http, sandbox, "GET", "stats")).json
        assert stats == sandbox.stats()
        assert stats["created_by_to"] == {"+1": 2, "+2": 1, "+3": 1}
        assert stats["duplicates"] == {"+1": 2}
        assert stats["created_by_dispatch_id_duplicates"] == {"b": 2}
        assert (stats["creates"], stats["active"]) == (4, 0)
        assert "created_by_to" not in (await control(http, sandbox, "GET", "stats?brief=1")).json


async def test_creates_page_by_page(http: Http, clock: FakeClock) -> None:
    """The record of creates can be paged through, and joined by dispatch_id."""
    async with Sandbox(SandboxSettings(ends_after_s=None), clock=clock) as sandbox:
        sids = []
        for n in range(7):
            reply = await create(http, sandbox, f"+{n}", Parameters=f'{{"dispatch_id":"d{n}"}}')
            sids.append(reply.json["sid"])
            if n == 2:
                await control(http, sandbox, "POST", "executions", {"to": "+99", "from": FROM})
        await http.call("DELETE", f"{sandbox.base_url}{FLOW_PATH}/Executions/{sids[3]}")
        found: list[dict[str, Any]] = []
        after: int | None = -1
        pages = 0
        while after is not None:
            page = (await control(http, sandbox, "GET", f"creates?after={after}&page_size=3")).json
            found += page["creates"]
            after, pages = page["next"], pages + 1
        assert pages == 3
        assert [one["sid"] for one in found] == sids
        assert [one["dispatch_id"] for one in found] == [f"d{n}" for n in range(7)]
        assert [one["deleted"] for one in found] == [n == 3 for n in range(7)]
        assert {one["at"] for one in found} == {clock.now}
        assert (found[0]["to"], found[0]["from"], found[0]["flow_sid"]) == ("+0", FROM, DEFAULT_FLOW_SID)
        assert sandbox.creates()["creates"] == found


async def test_another_program_s_execution(http: Http, clock: FakeClock) -> None:
    """Another program's execution is in the way and in the lists, but not in the counts."""
    async with Sandbox(clock=clock) as sandbox:
        order = {"to": "+15550000001", "from": FROM, "age_s": 86_400, "parameters": {"by": "someone else"}}
        planted = await control(http, sandbox, "POST", "executions", order)
        assert planted.status == 201
        busy = await create(http, sandbox)
        assert (busy.status, busy.json["details"]["conflicting_execution_sid"]) == (409, planted.json["sid"])
        listed = (await http.call("GET", f"{sandbox.base_url}{FLOW_PATH}/Executions")).json["executions"]
        assert [(one["sid"], one["date_created"]) for one in listed] == [(planted.json["sid"], "2023-11-13T22:13:20Z")]
        context = (await http.call("GET", listed[0]["links"]["execution_context"])).json["context"]
        assert context["flow"]["data"] == {"by": "someone else"}
        assert (sandbox.stats()["creates"], sandbox.stats()["planted"]) == (0, 1)
        assert (await control(http, sandbox, "POST", "executions", order)).status == 409


async def test_faults_replaced_while_it_runs(http: Http, clock: FakeClock) -> None:
    """Faults can be replaced while the sandbox runs, and scheduled."""
    async with Sandbox(SandboxSettings(faults={"429": 1}), clock=clock) as sandbox:
        assert (await create(http, sandbox)).status == 429
        schedule = {"503": 1, "for_s": 60, "then": {"500_after": 1, "for_requests": 1}}
        assert (await control(http, sandbox, "POST", "faults", schedule)).status == 200
        assert (await create(http, sandbox)).status == 503
        clock.now += 60
        assert (await create(http, sandbox)).status == 500
        assert (await create(http, sandbox, "+15550000002")).status == 201
        assert sandbox.stats()["creates"] == 2
        assert sandbox.stats()["faults"] == {"429": 1, "503_before": 1, "500_after": 1}


async def test_a_refused_create_suffers_no_fault(http: Http, clock: FakeClock) -> None:
    """A create that the limit refuses suffers no fault."""
    async with Sandbox(SandboxSettings(faults={"500_after": 1}, limit_per_s=0.2), clock=clock) as sandbox:
        statuses = [(await create(http, sandbox, f"+1555000000{n}")).status for n in range(4)]
        assert statuses == [500, 500, 429, 429]
        assert sandbox.stats()["faults"] == {"500_after": 2}


async def test_reset_forgets_everything_and_starts_over(http: Http) -> None:
    async with Sandbox(SandboxSettings(faults={"429": 1})) as sandbox:
        await control(http, sandbox, "POST", "faults", {})
        first = (await create(http, sandbox)).json["sid"]
        await control(http, sandbox, "POST", "reset")
        assert sandbox.stats()["creates"] == 0
        assert (await create(http, sandbox)).status == 429
        await control(http, sandbox, "POST", "faults", {})
        assert (await create(http, sandbox)).json["sid"] == first


@pytest.mark.parametrize(
    ("method", "path", "payload", "status"),
    [
        ("POST", "faults", {"no_such": 1}, 400),
        ("POST", "faults", [1], 400),
        ("POST", "executions", {"to": "+1"}, 400),
        ("POST", "executions", {"to": "+1", "from": "+2", "flow": "FW"}, 400),
        ("POST", "executions", {"to": "+1", "from": "+2", "flow_sid": "FW"}, 400),
        ("POST", "executions", {"to": "+1", "from": "+2", "age_s": -1}, 400),
        ("GET", "creates?after=x", None, 400),
        ("GET", "reset", None, 405),
        ("POST", "stats", {}, 405),
        ("GET", "nothing", None, 404),
    ],
)
async def test_a_wrong_control_request_is_told_what_is_wrong(
    http: Http, method: str, path: str, payload: Any, status: int
) -> None:
    async with Sandbox() as sandbox:
        reply = await control(http, sandbox, method, path, payload)
        assert reply.status == status
        assert reply.json["error"]


async def test_control_is_for_this_machine_only(monkeypatch: pytest.MonkeyPatch, http: Http) -> None:
    async with Sandbox() as sandbox:
        monkeypatch.setattr(web.BaseRequest, "remote", "192.0.2.7")
        assert (await control(http, sandbox, "GET", "stats")).status == 403
        monkeypatch.setattr(web.BaseRequest, "remote", "::1")
        assert (await control(http, sandbox, "GET", "stats")).status == 200


async def test_a_port_that_is_taken_is_refused_with_the_fix() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SettingsError) as caught:
            await Sandbox(SandboxSettings(port=taken.getsockname()[1])).start()
        assert "another port" in str(caught.value.fix)


async def test_stopped_and_started_again(http: Http) -> None:
    """A sandbox that was stopped can be started again, and still knows what happened."""
    sandbox = Sandbox()
    with pytest.raises(SettingsError):
        _ = sandbox.base_url
    await sandbox.start()
    await create(http, sandbox)
    await sandbox.stop()
    await sandbox.stop()
    assert sandbox.stats()["creates"] == 1
    await sandbox.start()
    assert (await create(http, sandbox, "+15550000002")).status == 201
    await sandbox.stop()
