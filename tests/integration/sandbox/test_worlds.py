"""Worlds in which nothing proves anything: each shows what it says, and the record keeps the truth."""

from __future__ import annotations

import asyncio
import json
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest

from dispatcher.sandbox import DEFAULT_FLOW_SID, Sandbox, SandboxSettings
from dispatcher.sandbox.distortions import BAD_DATES, BAD_RETRY_AFTERS
from dispatcher.sandbox.settings import CHANGEABLE
from tests.integration.sandbox.conftest import ACCOUNT_SID, FLOW_PATH, FakeClock, Http, Reply

FROM = "+15550001111"


async def create(http: Http, sandbox: Sandbox, to: str = "+15550000001", *, version: str = "v2", **more: str) -> Reply:
    url = f"{sandbox.base_url}/{version}/Flows/{DEFAULT_FLOW_SID}/Executions"
    return await http.call("POST", url, form={"To": to, "From": FROM, **more})


async def listed(http: Http, sandbox: Sandbox, query: str = "", version: str = "v2") -> list[dict[str, Any]]:
    url = f"{sandbox.base_url}/{version}/Flows/{DEFAULT_FLOW_SID}/Executions{query}"
    found: list[dict[str, Any]] = (await http.call("GET", url)).json["executions"]
    return found


async def control(http: Http, sandbox: Sandbox, method: str, path: str, payload: Any = None) -> Reply:
    data = None if payload is None else json.dumps(payload).encode()
    return await http.call(method, f"{sandbox.base_url}/_sandbox/{path}", data=data)


# --- settings ---


async def test_context_lag(http: Http, clock: FakeClock) -> None:
    """The Context comes later than the execution itself."""
    async with Sandbox(SandboxSettings(context_lag_s=5), clock=clock) as sandbox:
        links = (await create(http, sandbox)).json["links"]
        early = await http.call("GET", links["execution_context"])
        assert (early.status, early.json["code"]) == (404, 20404)
        assert (await http.call("GET", links["steps"])).status == 200
        clock.now += 5
        assert (await http.call("GET", links["execution_context"])).status == 200


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_null_addresses(http: Http, version: str) -> None:
    """An address that is null is so in every answer but the Context's; the share is the one asked for."""
    async with Sandbox(SandboxSettings(null_address_share=0.5, limit_per_s=0, seed=1)) as sandbox:
        created = [(await create(http, sandbox, f"+1555000{n:04}", version=version)).json for n in range(100)]
        hidden = [one["sid"] for one in created if one["contact_channel_address"] is None]
        assert 30 < len(hidden) < 70
        found = await listed(http, sandbox, "?PageSize=1000", version)
        assert {one["sid"] for one in found if one["contact_channel_address"] is None} == set(hidden)
        one = next(one for one in created if one["sid"] == hidden[0])
        context = (await http.call("GET", one["links"]["execution_context"])).json["context"]
        assert context["contact"]["channel"]["address"].startswith("+1555000")


async def test_conflicts_without_details(http: Http) -> None:
    """A bare conflict names no execution, in its details or its text."""
    async with Sandbox(SandboxSettings(bare_conflict_share=1, ends_after_s=None)) as sandbox:
        sid = (await create(http, sandbox)).json["sid"]
        busy = await create(http, sandbox)
        assert (busy.status, busy.json["code"]) == (409, 20409)
        assert "details" not in busy.json
        assert sid not in busy.body.decode()


async def test_a_jumping_clock(http: Http, clock: FakeClock) -> None:
    """What was created before a jump keeps its date, by which lists are ordered and asked; the record has the truth."""
    async with Sandbox(SandboxSettings(clock_skew_s=3600), clock=clock) as sandbox:
        first = (await create(http, sandbox, "+1")).json
        assert first["date_created"] == "2023-11-14T23:13:20Z"
        clock.now += 60
        sandbox.change(clock_skew_s=0)
        second = await create(http, sandbox, "+2")
        assert second.json["date_created"] == "2023-11-14T22:14:20Z"
        assert parsedate_to_datetime(second.headers["Date"]).timestamp() == clock.now
        assert [one["sid"] for one in await listed(http, sandbox)] == [first["sid"], second.json["sid"]]
        late = await listed(http, sandbox, "?DateCreatedFrom=2023-11-14T23:00:00Z")
        assert [one["sid"] for one in late] == [first["sid"]]
        record = sandbox.creates()["creates"]
        assert [one["at"] for one in record] == [clock.now - 60, clock.now]
        assert [one["dated"] for one in record] == [clock.now + 3540, clock.now]


async def test_a_clock_that_jumps_does_not_move_the_limit(http: Http, clock: FakeClock) -> None:
    """The window goes by the time that has passed."""
    async with Sandbox(SandboxSettings(limit_per_s=1, window_s=2), clock=clock) as sandbox:
        for n, skew_s in enumerate((0, 3600, -3600, 0)):
            sandbox.change(clock_skew_s=skew_s)
            assert (await create(http, sandbox, f"+{n}")).status == (201 if n < 2 else 429)
        assert sandbox.stats()["worst_window_requests"] == 4


@pytest.mark.parametrize(("header_s", "created_s"), [(-30, 0), (0, 30), (30, -30)])
async def test_only_one_clock_is_wrong(http: Http, clock: FakeClock, header_s: float, created_s: float) -> None:
    """The Date header and date_created may come from machines whose clocks differ."""
    settings = SandboxSettings(date_header_skew_s=header_s, date_created_skew_s=created_s)
    async with Sandbox(settings, clock=clock) as sandbox:
        reply = await create(http, sandbox)
        assert parsedate_to_datetime(reply.headers["Date"]).timestamp() == clock.now + header_s
        assert sandbox.creates()["creates"][0]["dated"] == clock.now + created_s


async def test_a_lag_goes_by_the_time_that_has_passed(http: Http, clock: FakeClock) -> None:
    """A date in the future hides nothing for longer, and one in the past shows nothing earlier."""
    for skew_s in (-3600, 3600):
        async with Sandbox(SandboxSettings(list_lag_s=5, clock_skew_s=skew_s), clock=clock) as sandbox:
            await create(http, sandbox)
            clock.now += 4
            assert await listed(http, sandbox) == []
            clock.now += 1
            assert len(await listed(http, sandbox)) == 1


async def test_what_began_an_execution(http: Http) -> None:
    """A request, a message or a call; v1 and older servers do not say."""
    async with Sandbox() as sandbox:
        await create(http, sandbox)
        for began_by in ("message", "call"):
            order = {"to": f"+{began_by}", "from": FROM, "began_by": began_by}
            assert (await control(http, sandbox, "POST", "executions", order)).status == 201
        found = await listed(http, sandbox)
        assert [one["initiated_by"][:2] for one in found] == ["CA", "SM", "RQ"]
        context = (await http.call("GET", found[1]["links"]["execution_context"])).json["context"]
        assert context["flow"]["data"] == {}
        assert "request" not in context["trigger"]
        assert context["trigger"]["message"]["From"] == "+message"
        assert all("initiated_by" not in one for one in await listed(http, sandbox, version="v1"))
        sandbox.change(initiated_by="null")
        assert {one["initiated_by"] for one in await listed(http, sandbox)} == {None}
        sandbox.change(initiated_by="missing")
        assert all("initiated_by" not in one for one in await listed(http, sandbox))


async def test_other_programs_stand_in_the_record_when_asked_for(http: Http) -> None:
    """Their executions are marked, and counted apart."""
    async with Sandbox() as sandbox:
        await create(http, sandbox, "+1")
        order = {"to": "+2", "from": FROM, "parameters": {"dispatch_id": "d-theirs"}}
        await control(http, sandbox, "POST", "executions", order)
        every = (await control(http, sandbox, "GET", "creates?planted=1")).json["creates"]
        assert [(one["to"], one["planted"], one["dispatch_id"]) for one in every] == [
            ("+1", False, None),
            ("+2", True, "d-theirs"),
        ]
        assert [one["to"] for one in sandbox.creates()["creates"]] == ["+1"]


async def test_one_account_under_many_names(http: Http) -> None:
    """Every spelling leads to one account and its one limit, and URLs keep the client's spelling."""
    async with Sandbox(SandboxSettings(ipv6=True, limit_per_s=1, window_s=10)) as sandbox:
        base_urls = await sandbox.base_urls()
        assert len(base_urls) >= 3
        for n, base_url in enumerate(base_urls):
            url = f"{base_url}{FLOW_PATH}/Executions"
            reply = await http.call("POST", url, form={"To": f"+1555000000{n}", "From": FROM})
            assert reply.json["url"].lower().startswith(base_url.lower())
        assert sandbox.stats()["worst_window_requests"] == len(base_urls)


async def test_settings_are_shown_and_changed(http: Http) -> None:
    """What can be changed while it runs, and only that."""
    async with Sandbox() as sandbox:
        assert set((await control(http, sandbox, "GET", "settings")).json) == CHANGEABLE
        changes = {"list_lag_s": 3, "retry_after_s": 1.5, "ends_after_s": None}
        assert (await control(http, sandbox, "POST", "settings", changes)).status == 200
        shown = (await control(http, sandbox, "GET", "settings")).json
        assert {name: shown[name] for name in changes} == changes
        await create(http, sandbox)
        assert await listed(http, sandbox) == []
        for wrong in (
            {"seed": 1},
            {"list_lag_s": -1},
            {"list_lag_s": "3"},
            {"list_lag_s": True},
            {"null_address_share": 2},
            {"clock_skew_s": None},
            {"initiated_by": "us"},
        ):
            assert (await control(http, sandbox, "POST", "settings", wrong)).status == 400, wrong


# --- faults ---


async def spoiled(http: Http, sandbox: Sandbox, *faults: str) -> None:
    await control(http, sandbox, "POST", "faults", dict.fromkeys(faults, 1))


async def test_bad_sids(http: Http) -> None:
    """An SID that is none, in the answer to a create, in a conflict, and in a list."""
    async with Sandbox(SandboxSettings(faults={"bad_sid": 1, "read_bad_sid": 1}, ends_after_s=None)) as sandbox:
        true = sandbox.studio.executions.sids
        sid = (await create(http, sandbox)).json["sid"]
        assert true.index(sid) is None
        busy = (await create(http, sandbox)).json["details"]["conflicting_execution_sid"]
        (one,) = await listed(http, sandbox)
        assert (busy, one["sid"]) == (sid, sid)
        spellings = {(await create(http, sandbox, f"+{n}")).json["sid"].startswith("FN/") for n in range(20)}
        assert spellings == {True, False}


async def test_sids_of_other_executions(http: Http) -> None:
    """A well-formed SID, and not this execution's."""
    async with Sandbox(SandboxSettings(ends_after_s=None)) as sandbox:
        first = (await create(http, sandbox, "+1")).json["sid"]
        await spoiled(http, sandbox, "other_sid")
        assert (await create(http, sandbox, "+2")).json["sid"] == first
        true = sandbox.studio.executions.sids.at(1)
        conflict = (await create(http, sandbox, "+2")).json["details"]["conflicting_execution_sid"]
        assert (conflict, true != first) == (first, True)


@pytest.mark.parametrize(
    ("fault", "field"),
    [("other_to", "contact_channel_address"), ("other_flow", "flow_sid"), ("other_account", "account_sid")],
)
@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_answers_about_somebody_else(http: Http, fault: str, field: str, version: str) -> None:
    """One field is another's, of the same form; the rest is true, and the execution is there."""
    async with Sandbox(SandboxSettings(faults={fault: 1}, ends_after_s=None)) as sandbox:
        wrong = (await create(http, sandbox, version=version)).json
        (true,) = await listed(http, sandbox, version=version)
        assert {name for name in true if true[name] != wrong[name]} == {field}
        assert (wrong[field][:2], len(wrong[field])) == (true[field][:2], len(true[field]))


async def test_another_executions_context(http: Http) -> None:
    """The Context is whole and true, of the wrong execution; where there is only one, it is the right one."""
    async with Sandbox() as sandbox:
        first = (await create(http, sandbox, "+1", Parameters='{"dispatch_id":"d-1"}')).json
        await spoiled(http, sandbox, "read_other_context")
        right = (await http.call("GET", first["links"]["execution_context"])).json
        assert right["execution_sid"] == first["sid"]
        second = (await create(http, sandbox, "+2", Parameters='{"dispatch_id":"d-2"}')).json
        for asked, answered, dispatch_id in ((first, second, "d-2"), (second, first, "d-1")):
            wrong = (await http.call("GET", asked["links"]["execution_context"])).json
            assert wrong["execution_sid"] == answered["sid"]
            assert wrong["context"]["flow"]["data"] == {"dispatch_id": dispatch_id}
        assert (await http.call("GET", first["url"])).json["sid"] == first["sid"]


async def test_lists_that_are_no_lists(http: Http) -> None:
    """Without meta, with what is in it or without; a fetch is left alone."""
    async with Sandbox() as sandbox:
        one = (await create(http, sandbox)).json
        url = f"{sandbox.base_url}{FLOW_PATH}/Executions"
        await spoiled(http, sandbox, "read_no_meta")
        assert list((await http.call("GET", url)).json) == ["executions"]
        await spoiled(http, sandbox, "read_empty_list")
        assert (await http.call("GET", url)).json == {"executions": []}
        assert (await http.call("GET", one["url"])).json["sid"] == one["sid"]


async def test_headers_that_are_none(http: Http) -> None:
    """Every wrong spelling comes in turn; what the fault strikes is otherwise true."""
    async with Sandbox(SandboxSettings(faults={"bad_retry_after": 1, "read_bad_date": 1})) as sandbox:
        refused = [await create(http, sandbox) for _ in BAD_RETRY_AFTERS]
        assert {reply.status for reply in refused} == {429}
        assert {reply.headers["Retry-After"] for reply in refused} == set(BAD_RETRY_AFTERS)
        assert sandbox.stats()["creates"] == 0
        url = f"{sandbox.base_url}{FLOW_PATH}/Executions"
        dates = [(await http.call("GET", url)).headers["Date"] for _ in BAD_DATES]
        assert set(dates) == set(BAD_DATES)


async def test_huge_answers(http: Http) -> None:
    """As long as it was set, and the same JSON."""
    async with Sandbox(SandboxSettings(faults={"huge": 1, "read_huge": 1}, huge_bytes=2 << 20)) as sandbox:
        reply = await create(http, sandbox)
        assert len(reply.body) == 2 << 20
        assert (await listed(http, sandbox))[0]["sid"] == reply.json["sid"]


@pytest.mark.parametrize("second_answer_s", [0.0, 0.05])
async def test_second_answers(second_answer_s: float) -> None:
    """The same answer twice on one connection, for one request."""
    settings = SandboxSettings(faults={"second_answer": 1}, second_answer_s=second_answer_s)
    async with Sandbox(settings) as sandbox:
        host, port = sandbox.base_url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        body = b"To=%2B1&From=%2B2"
        authorization = aiohttp.encode_basic_auth(ACCOUNT_SID, "not-a-real-token")
        writer.write(
            f"POST {FLOW_PATH}/Executions HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        seen = b""
        async with asyncio.timeout(5):
            while seen.count(b'"initiated_by"') < 2:
                seen += await reader.read(65_536)
        assert seen.count(b"HTTP/1.1 201 Created") == 2
        assert sandbox.stats()["creates"] == 1
        writer.close()
        await writer.wait_closed()
