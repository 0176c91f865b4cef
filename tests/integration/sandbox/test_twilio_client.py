"""The official Python client drives the sandbox: what it expects of Studio, it finds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from dispatcher.sandbox import (
    DEFAULT_FLOW_SID,
    ContactScript,
    FlowRevision,
    Sandbox,
    SandboxFlow,
    SandboxSettings,
    default_flow,
)
from tests.integration.sandbox.conftest import ACCOUNT_SID, FakeClock

FROM = "+15550001111"
#: Runs a blocking call of the client beside the sandbox's own loop.
off_loop = asyncio.to_thread


def client_of(sandbox: Sandbox, http_client: TwilioHttpClient, password: str = "not-a-real-token") -> Client:
    client = Client(ACCOUNT_SID, password, http_client=http_client)
    client.studio.base_url = sandbox.base_url
    return client


@pytest.fixture
async def http_client() -> AsyncIterator[TwilioHttpClient]:
    http_client = TwilioHttpClient(timeout=10)
    yield http_client
    http_client.session.close()


def executions_of(client: Client, version: str, flow_sid: str = DEFAULT_FLOW_SID) -> Any:
    return getattr(client.studio, version).flows(flow_sid).executions


async def refusal(call: Callable[[], Any]) -> TwilioRestException:
    with pytest.raises(TwilioRestException) as caught:
        await off_loop(call)
    return caught.value


@pytest.mark.parametrize(("version", "status"), [("v1", 200), ("v2", 201)])
async def test_a_create_on_each_version(
    version: str, status: int, http_client: TwilioHttpClient, clock: FakeClock
) -> None:
    """A create is answered with the status and the fields of its version of the API."""
    async with Sandbox(clock=clock) as sandbox:
        executions = executions_of(client_of(sandbox, http_client), version)
        answer = await off_loop(
            executions.create_with_http_info, to="+15550000001", from_=FROM, parameters={"name": "Zeke"}
        )
        created = answer.data
        assert answer.status_code == status
        assert answer.headers["Twilio-Request-Id"].startswith("RQ")
        assert created.sid == sandbox.studio.executions.sids.at(0)
        assert created.account_sid == ACCOUNT_SID
        assert created.flow_sid == DEFAULT_FLOW_SID
        assert created.contact_channel_address == "+15550000001"
        assert str(created.status) == "active"
        assert created.date_created == datetime.fromtimestamp(clock.now, UTC)
        assert created.date_updated is None
        assert created.url == f"{sandbox.base_url}/{version}/Flows/{DEFAULT_FLOW_SID}/Executions/{created.sid}"
        if version == "v2":
            assert created.flow_version == 1
            assert created.initiated_by == answer.headers["Twilio-Request-Id"]


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_listing_over_many_pages(version: str, http_client: TwilioHttpClient, clock: FakeClock) -> None:
    """A listing follows the sandbox's own page URLs, the newest execution first."""
    async with Sandbox(clock=clock) as sandbox:
        executions = executions_of(client_of(sandbox, http_client), version)
        sids = []
        for n in range(23):
            clock.now += 1
            sids.append((await off_loop(executions.create, to=f"+1555000{n:04}", from_=FROM)).sid)
        listed = await off_loop(executions.list, page_size=5)
        assert [one.sid for one in listed] == sids[::-1]
        assert sandbox.stats()["requests"]["list"] == 5
        limited = await off_loop(executions.list, limit=7, page_size=5)
        assert [one.sid for one in limited] == sids[: -7 - 1 : -1]
        page = await off_loop(executions.page, page_size=10)
        following = await off_loop(page.next_page)
        back = await off_loop(following.previous_page)
        assert [one.sid for one in following] == sids[::-1][10:20]
        assert [one.sid for one in back] == sids[::-1][:10]


async def test_lists_filtered_by_date_and_status(http_client: TwilioHttpClient, clock: FakeClock) -> None:
    """Lists are filtered by date, and on v2 by status."""
    async with Sandbox(SandboxSettings(ends_after_s=15), clock=clock) as sandbox:
        client = client_of(sandbox, http_client)
        executions = executions_of(client, "v2")
        start = clock.now
        created = []
        for n in range(5):
            created.append((await off_loop(executions.create, to=f"+1555000{n:04}", from_=FROM)).sid)
            clock.now += 10
        since = datetime.fromtimestamp(start + 10, UTC)
        until = datetime.fromtimestamp(start + 30, UTC)
        between = await off_loop(executions.list, date_created_from=since, date_created_to=until)
        assert [one.sid for one in between] == [created[2], created[1]]
        active = await off_loop(executions.list, status="active")
        assert [one.sid for one in active] == [created[4]]
        ended = await off_loop(executions.list, status="ended", page_size=2)
        assert [one.sid for one in ended] == created[3::-1]


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_an_execution_fetched_ended_deleted(
    version: str, http_client: TwilioHttpClient, clock: FakeClock
) -> None:
    """An execution can be fetched, ended once, and deleted."""
    async with Sandbox(SandboxSettings(ends_after_s=None), clock=clock) as sandbox:
        executions = executions_of(client_of(sandbox, http_client), version)
        sid = (await off_loop(executions.create, to="+15550000001", from_=FROM)).sid
        one = executions(sid)
        assert str((await off_loop(one.fetch)).status) == "active"
        clock.now += 5
        ended = await off_loop(one.update, status="ended")
        assert str(ended.status) == "ended"
        assert ended.date_updated == datetime.fromtimestamp(clock.now, UTC)
        twice = await refusal(lambda: one.update(status="ended"))
        assert (twice.status, twice.code) == (409, 20409)
        assert await off_loop(one.delete) is True
        gone = await refusal(one.fetch)
        assert (gone.status, gone.code) == (404, 20404)
        assert await off_loop(executions.list) == []


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_the_context_gives_parameters_back(version: str, http_client: TwilioHttpClient) -> None:
    """The Context gives the Parameters back in both places: `flow.data` and the trigger's request."""
    async with Sandbox() as sandbox:
        executions = executions_of(client_of(sandbox, http_client), version)
        sent = {"first_name": "Ann", "dispatch_id": "d-1", "n": 1}
        sid = (await off_loop(executions.create, to="+15550000001", from_=FROM, parameters=sent)).sid
        context = (await off_loop(executions(sid).execution_context().fetch)).context
        assert context["flow"]["data"] == sent
        assert context["trigger"]["request"] == {"to": "+15550000001", "from": FROM, "parameters": sent}
        assert context["contact"]["channel"]["address"] == "+15550000001"
        assert context["flow"]["channel"]["address"] == FROM


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_the_steps_of_a_walked_flow(version: str, http_client: TwilioHttpClient, clock: FakeClock) -> None:
    """The steps of a walked flow are listed and fetched, and have Contexts."""
    settings = SandboxSettings(
        flows=(default_flow(walks=True),), contacts=ContactScript(replies={"Yes": 1}, delivery_errors={})
    )
    async with Sandbox(settings, clock=clock) as sandbox:
        executions = executions_of(client_of(sandbox, http_client), version)
        sid = (await off_loop(executions.create, to="+15550000001", from_=FROM)).sid
        one = executions(sid)
        assert [step.transitioned_to for step in await off_loop(one.steps.list)] == ["ask_yes_no"]
        waiting = (await off_loop(one.execution_context().fetch)).context["widgets"]["ask_yes_no"]
        assert (waiting["outbound"]["To"], "inbound" in waiting) == ("+15550000001", False)
        clock.now += 3600
        steps = await off_loop(one.steps.list, page_size=2)
        assert [step.transitioned_to for step in steps] == [
            "Ended",
            "note_coming",
            "say_see_you",
            "yes_or_no",
            "ask_yes_no",
        ]
        assert all(step.execution_sid == sid for step in steps)
        answered = await off_loop(one.steps(steps[3].sid).fetch)
        assert (answered.name, answered.transitioned_from, answered.type) == (
            "incomingMessage",
            "ask_yes_no",
            "send-and-wait-for-reply",
        )
        context = (await off_loop(one.steps(steps[3].sid).step_context().fetch)).context
        assert context["widgets"]["ask_yes_no"]["inbound"]["Body"] == "Yes"
        assert "say_see_you" not in context["widgets"]
        assert str((await off_loop(one.fetch)).status) == "ended"
        missing = await refusal(one.steps("FT" + "0" * 32).fetch)
        assert (missing.status, missing.code) == (404, 20404)


async def test_flows_are_listed_and_fetched_on_both_versions(http_client: TwilioHttpClient) -> None:
    published = [default_flow(sid=f"FW{n:032x}") for n in range(1, 5)]
    flows = (*published, default_flow(sid="FW" + "f" * 32, status="draft"))
    async with Sandbox(SandboxSettings(flows=flows)) as sandbox:
        client = client_of(sandbox, http_client)
        for version in ("v1", "v2"):
            resource = getattr(client.studio, version).flows
            listed = await off_loop(resource.list, page_size=2)
            assert [flow.sid for flow in listed] == [flow.sid for flow in flows]
            assert [str(flow.status) for flow in listed] == ["published"] * 4 + ["draft"]
        assert all(flow.definition is None and flow.valid is None for flow in listed)
        fetched = await off_loop(client.studio.v2.flows(flows[0].sid).fetch)
        assert fetched.definition["initial_state"] == "Trigger"
        assert (fetched.revision, fetched.valid, fetched.errors) == (1, True, [])
        assert (await off_loop(client.studio.v1.flows(flows[0].sid).fetch)).version == 1
        unknown = await refusal(client.studio.v2.flows("FW" + "e" * 32).fetch)
        assert (unknown.status, unknown.code) == (404, 20404)
        assert unknown.msg.endswith(f"The requested resource /Flows/FW{'e' * 32} was not found")


async def test_revisions_and_test_users(http_client: TwilioHttpClient) -> None:
    """Revisions are found by number and by name, and test users are shown."""
    definition = default_flow().latest.definition
    flow = SandboxFlow(
        sid=DEFAULT_FLOW_SID,
        friendly_name="Two",
        revisions=(
            FlowRevision(revision=1, status="published", definition=definition, commit_message="first"),
            FlowRevision(revision=2, status="draft", definition=definition),
        ),
        test_users=("+15550009999",),
    )
    async with Sandbox(SandboxSettings(flows=(flow,))) as sandbox:
        one = client_of(sandbox, http_client).studio.v2.flows(DEFAULT_FLOW_SID)
        assert [found.revision for found in await off_loop(one.revisions.list)] == [2, 1]
        for name, number in (("1", 1), ("2", 2), ("LatestPublished", 1), ("LatestRevision", 2)):
            found = await off_loop(one.revisions(name).fetch)
            assert (found.revision, found.definition) == (number, definition)
        assert (await off_loop(one.revisions("1").fetch)).commit_message == "first"
        wrong = await refusal(one.revisions("Newest").fetch)
        assert (wrong.status, wrong.code) == (400, 81021)
        missing = await refusal(one.revisions("3").fetch)
        assert (missing.status, missing.code) == (404, 20404)
        assert (await off_loop(one.test_users().fetch)).test_users == ["+15550009999"]


async def test_a_busy_contact_on_each_version(http_client: TwilioHttpClient, clock: FakeClock) -> None:
    """A busy contact is a 409 on v2, and silently the old execution on v1."""
    async with Sandbox(SandboxSettings(ends_after_s=None), clock=clock) as sandbox:
        client = client_of(sandbox, http_client)
        first = await off_loop(
            executions_of(client, "v2").create, to="+15550000001", from_=FROM, parameters={"dispatch_id": "old"}
        )
        clock.now += 100
        busy = await refusal(lambda: executions_of(client, "v2").create(to="+15550000001", from_=FROM))
        assert (busy.status, busy.code) == (409, 20409)
        assert busy.details == {"conflicting_execution_sid": first.sid}
        assert f"Execution {first.sid} is already active for this contact" in busy.msg
        old = await off_loop(executions_of(client, "v1").create, to="+15550000001", from_=FROM)
        assert (old.sid, old.date_created) == (first.sid, first.date_created)
        other_sender = await off_loop(executions_of(client, "v2").create, to="+15550000001", from_="+15550002222")
        assert other_sender.sid != first.sid
        assert sandbox.stats()["creates"] == 2


async def test_refusals_have_twilio_s_codes(http_client: TwilioHttpClient, clock: FakeClock) -> None:
    settings = SandboxSettings(limit_per_s=1, window_s=10, retry_after_s=7, credentials={ACCOUNT_SID: "right"})
    async with Sandbox(settings, clock=clock) as sandbox:
        wrong = await refusal(client_of(sandbox, http_client, "wrong").studio.v2.flows(DEFAULT_FLOW_SID).fetch)
        assert (wrong.status, wrong.code, "Authenticate" in wrong.msg) == (401, 20003, True)
        client = client_of(sandbox, http_client, "right")
        executions = executions_of(client, "v2")
        unknown = await refusal(lambda: executions_of(client, "v2", "FW" + "9" * 32).create(to="+1", from_=FROM))
        assert (unknown.status, unknown.code) == (404, 20404)
        missing = await refusal(lambda: executions.create(to="", from_=FROM))
        assert (missing.status, missing.code) == (400, 20001)
        assert "Missing required parameter To in the post body" in missing.msg
        long = await refusal(lambda: executions.create(to="é" * 145, from_=FROM))
        assert (long.status, long.code) == (400, 81023)
        # For a list the client raises its base exception, with the answer as its second argument.
        with pytest.raises(TwilioException) as caught:
            await off_loop(lambda: executions.list(page_size=1001))
        assert (caught.value.args[1].status_code, '"code":20007' in caught.value.args[1].text) == (400, True)
        for n in range(7):
            await off_loop(executions.create, to=f"+1555000{n:04}", from_=FROM)
        throttled = await refusal(lambda: executions.create(to="+15550009999", from_=FROM))
        assert (throttled.status, throttled.code) == (429, 20429)
        clock.now += 10
        assert (await off_loop(executions.create, to="+15550009999", from_=FROM)).sid
        assert sandbox.stats()["worst_window"] == 10
        assert sandbox.stats()["throttled"] == 1
