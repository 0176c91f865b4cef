"""What the real API leaves undocumented is a switch: each position of each does what it says."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.sandbox import DEFAULT_FLOW_SID, Sandbox, SandboxSettings, default_flow
from tests.integration.sandbox.conftest import FLOW_PATH, FakeClock, Http, Reply

FORM = {"To": "+15550000001", "From": "+15550001111"}
DRAFT = (default_flow(status="draft"),)


async def create(http: Http, sandbox: Sandbox, path: str = FLOW_PATH, **fields: str) -> Reply:
    return await http.call("POST", f"{sandbox.base_url}{path}/Executions", form=FORM | fields)


@pytest.mark.parametrize(
    ("changed", "fields", "status", "code"),
    [
        ({"parameters_check": "object"}, {"Parameters": "{"}, 400, 20001),
        ({"parameters_check": "object"}, {"Parameters": "[]"}, 400, 20001),
        ({"parameters_check": "json"}, {"Parameters": "{"}, 400, 20001),
        ({"parameters_check": "json"}, {"Parameters": "[]"}, 201, None),
        ({"parameters_check": "none"}, {"Parameters": "{"}, 201, None),
        ({"parameters_max_bytes": 10}, {"Parameters": '{"a":"bcd"}'}, 400, 20001),
        ({"parameters_max_bytes": 11}, {"Parameters": '{"a":"bcd"}'}, 201, None),
        ({"unpublished_flow": "reject", "flows": DRAFT}, {}, 400, 20001),
        ({"unpublished_flow": "not_found", "flows": DRAFT}, {}, 404, 20404),
        ({"unpublished_flow": "end", "flows": DRAFT}, {}, 201, None),
        ({"external_id": "ignore"}, {"ExternalId": "x"}, 201, None),
        ({"external_id": "reject"}, {"ExternalId": "x"}, 400, 20001),
    ],
)
async def test_creates(http: Http, changed: dict[str, Any], fields: dict[str, str], status: int, code: Any) -> None:
    """Parameters, an unpublished flow and ExternalId are accepted or refused as their switches say."""
    async with Sandbox(SandboxSettings(**changed)) as sandbox:
        reply = await create(http, sandbox, **fields)
        assert (reply.status, reply.json.get("code")) == (status, code)
        assert sandbox.stats()["creates"] == (1 if status == 201 else 0)
        if changed.get("unpublished_flow") == "end":
            assert reply.json["status"] == "ended"
            steps = (await http.call("GET", reply.json["links"]["steps"])).json["steps"]
            assert [step["transitioned_to"] for step in steps] == ["Ended"]


@pytest.mark.parametrize(("mode", "status"), [("reject", 400), ("ignore", 200)])
async def test_an_update_to_active(http: Http, mode: Any, status: int) -> None:
    """An update to `active` is refused or ignored, as the switch says; the execution stays active."""
    async with Sandbox(SandboxSettings(status_active_update=mode, ends_after_s=None)) as sandbox:
        url = (await create(http, sandbox)).json["url"]
        assert (await http.call("POST", url, form={"Status": "active"})).status == status
        assert (await http.call("POST", url, form={"Status": "paused"})).status == 400
        assert (await http.call("POST", url, form={})).status == 400
        assert sandbox.stats()["active"] == 1


@pytest.mark.parametrize(("mode", "status"), [("delete", 204), ("reject", 409)])
async def test_deleting_an_active_execution(http: Http, mode: Any, status: int) -> None:
    """An active execution is deleted at once, or only after it has ended, as the switch says."""
    async with Sandbox(SandboxSettings(delete_active=mode, ends_after_s=None)) as sandbox:
        url = (await create(http, sandbox)).json["url"]
        assert (await http.call("DELETE", url)).status == status
        if mode == "reject":
            await http.call("POST", url, form={"Status": "ended"})
            assert (await http.call("DELETE", url)).status == 204
        assert (await http.call("GET", url)).status == 404


@pytest.mark.parametrize(("includes_flow", "status"), [(True, 201), (False, 409)])
async def test_a_contact_that_is_active_in_another_flow(http: Http, includes_flow: bool, status: int) -> None:
    """A contact that is active in another flow is free or busy here, as the switch says."""
    other = default_flow(sid="FW" + "1" * 32)
    settings = SandboxSettings(
        flows=(default_flow(), other), conflict_key_includes_flow=includes_flow, ends_after_s=None
    )
    async with Sandbox(settings) as sandbox:
        await create(http, sandbox)
        assert (await create(http, sandbox, f"/v2/Flows/{other.sid}")).status == status


async def test_lists_lag_behind_and_fetches_do_not(http: Http, clock: FakeClock) -> None:
    async with Sandbox(SandboxSettings(list_lag_s=5), clock=clock) as sandbox:
        created = (await create(http, sandbox)).json
        listing = f"{sandbox.base_url}/v1/Flows/{DEFAULT_FLOW_SID}/Executions"
        assert (await http.call("GET", listing)).json["executions"] == []
        assert (await http.call("GET", created["url"])).status == 200
        clock.now += 5
        assert [one["sid"] for one in (await http.call("GET", listing)).json["executions"]] == [created["sid"]]


async def test_after_thirty_days_an_execution_is_gone(http: Http, clock: FakeClock) -> None:
    async with Sandbox(SandboxSettings(ends_after_s=None), clock=clock) as sandbox:
        created = (await create(http, sandbox)).json
        clock.now += 30 * 86_400
        assert (await http.call("GET", created["links"]["execution_context"])).status == 404
        listing = await http.call("GET", f"{sandbox.base_url}{FLOW_PATH}/Executions")
        assert listing.json["executions"] == []
        assert (await create(http, sandbox)).status == 201
