"""What a client sees of each fault, on a real socket, and whether the execution is there afterwards."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import aiohttp
import orjson
import pytest

from dispatcher.sandbox import DEFAULT_FLOW_SID, FAULTS, Sandbox, SandboxSettings
from dispatcher.sandbox.faults import Effect

ACCOUNT_SID = "AC" + "0" * 32
AUTHORIZATION = {"Authorization": aiohttp.encode_basic_auth(ACCOUNT_SID, "not-a-real-token")}
TIMEOUT = aiohttp.ClientTimeout(total=10)
EXECUTIONS = f"/v2/Flows/{DEFAULT_FLOW_SID}/Executions"
UNANSWERED = {Effect.HANG, Effect.SLOW, Effect.DRIP}


@dataclass
class Seen:
    """One exchange: a status and body, or the exception that the client raised."""

    status: int | None = None
    body: bytes = b""
    error: type[BaseException] | None = None


async def request(sandbox: Sandbox, method: str, path: str, data: dict[str, str] | None) -> Seen:
    async with aiohttp.ClientSession(headers=AUTHORIZATION, timeout=TIMEOUT) as session:
        status = None
        try:
            async with session.request(method, sandbox.base_url + path, data=data, allow_redirects=False) as response:
                status = response.status
                return Seen(status, await response.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            return Seen(status, error=type(error))


async def exchange(sandbox: Sandbox, method: str, path: str, data: dict[str, str] | None = None) -> Seen:
    """One request; given up as a client's timeout would, once a fault that never answers has struck."""
    task = asyncio.create_task(request(sandbox, method, path, data))
    while not task.done():
        struck = any(FAULTS[name].effect in UNANSWERED for name in sandbox.stats()["faults"])
        await asyncio.wait({task}, timeout=0.02)
        if struck and not task.done():
            task.cancel()
            await asyncio.wait({task})
            return Seen(error=TimeoutError)
    return task.result()


async def create(sandbox: Sandbox, to: str = "+15550000001") -> Seen:
    return await exchange(sandbox, "POST", EXECUTIONS, {"To": to, "From": "+15550001111"})


#: The effect, without before/after → what the client sees: a status, or an exception class.
SEEN: dict[str, int | type[BaseException]] = {
    "429": 429,
    "bad_retry_after": 429,
    "reject": 400,
    "401": 401,
    "403": 403,
    "404": 404,
    "500": 500,
    "503": 503,
    "html_502": 502,
    "redirect_307": 307,
    "page_token": 400,
    "reset": aiohttp.ClientOSError,
    "reset_late": aiohttp.ClientOSError,
    "disconnect": aiohttp.ServerDisconnectedError,
    "hang": TimeoutError,
    "garbage": aiohttp.ClientResponseError,
    "slow": TimeoutError,
    "drip": TimeoutError,
    "cut_head": aiohttp.ServerDisconnectedError,
    "cut_body": aiohttp.ClientPayloadError,
}


#: The status is right, and what is wrong is in the answer: test_worlds.py looks at it.
DISTORTED = {
    "bad_sid",
    "other_sid",
    "other_to",
    "other_flow",
    "other_account",
    "other_context",
    "no_meta",
    "empty_list",
    "bad_date",
    "huge",
    "second_answer",
}


def assert_seen(seen: Seen, effect: str, success: int) -> None:
    if effect == "unparsable":
        assert seen.status == success
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(seen.body)
    elif effect == "no_sid":
        assert seen.status == success
        assert "sid" not in orjson.loads(seen.body)
    elif effect in DISTORTED:
        assert seen.status == success
    else:
        expected = SEEN[effect]
        assert expected == (seen.status if isinstance(expected, int) else seen.error), seen


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.target == ""])
async def test_each_fault_of_a_create(name: str) -> None:
    """Each fault of a create shows the client its effect, and creates only if it strikes after."""
    settings = SandboxSettings(faults={name: 1.0}, drip_s=0.01, late_s=0.2, retry_after_s=3, huge_bytes=5_000)
    async with Sandbox(settings) as sandbox:
        seen = await create(sandbox)
        fault = FAULTS[name]
        assert_seen(seen, fault.effect.value, 201)
        created = sandbox.stats()["creates"]
        assert created == (1 if fault.after else 0)
        assert sandbox.stats()["faults"] == {name: 1}


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.target == "read_"])
async def test_each_fault_of_a_read(name: str) -> None:
    """Each fault of a read shows the client its effect, and leaves creates alone."""
    async with Sandbox(SandboxSettings(faults={name: 1.0}, drip_s=0.01, huge_bytes=5_000)) as sandbox:
        assert (await create(sandbox)).status == 201
        token = "PA" + "f" * 32 if name == "read_page_token" else ""
        seen = await exchange(sandbox, "GET", f"{EXECUTIONS}?PageToken={token}")
        assert_seen(seen, FAULTS[name].effect.value, 200)


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.target == "update_"])
async def test_each_fault_of_an_update(name: str) -> None:
    """Each fault of an update shows the client its effect, and ends the execution only if it strikes after."""
    settings = SandboxSettings(faults={name: 1.0}, drip_s=0.01, ends_after_s=None, huge_bytes=5_000)
    async with Sandbox(settings) as sandbox:
        await create(sandbox)
        sid = sandbox.studio.executions.sids.at(0)
        seen = await exchange(sandbox, "POST", f"{EXECUTIONS}/{sid}", {"Status": "ended"})
        fault = FAULTS[name]
        assert_seen(seen, fault.effect.value, 200)
        assert sandbox.stats()["active"] == (0 if fault.after else 1)


async def test_a_create_that_appears_late() -> None:
    """A late create appears some time after the client was reset, and not before."""
    now = 1_000_000.0
    settings = SandboxSettings(faults={"reset_late": 1.0}, late_s=30, ends_after_s=None)
    async with Sandbox(settings, clock=lambda: now) as sandbox:
        assert (await create(sandbox)).error is aiohttp.ClientOSError
        now += 29.9
        assert sandbox.stats()["creates"] == 0
        now += 0.1
        assert sandbox.stats()["creates"] == 1
        listed = await exchange(sandbox, "GET", EXECUTIONS)
        assert b'"date_created":"1970-01-12T13:47:10Z"' in listed.body


async def test_stopping_ends_connections_that_hang() -> None:
    """Stopping the sandbox ends the connections that hang on purpose."""
    sandbox = Sandbox(SandboxSettings(faults={"hang_before": 0.5, "hang_after": 0.5}))
    await sandbox.start()
    forms = [{"To": f"+1555000{n:04}", "From": "+15550001111"} for n in range(10)]
    hanging = [asyncio.create_task(request(sandbox, "POST", EXECUTIONS, form)) for form in forms]
    while sandbox.stats()["creates_total_requests"] < 10:  # noqa: ASYNC110 - the sandbox has no event for it
        await asyncio.sleep(0.005)
    await asyncio.wait_for(sandbox.stop(), 1)
    assert {seen.error for seen in await asyncio.gather(*hanging)} <= {
        aiohttp.ClientOSError,
        aiohttp.ServerDisconnectedError,
    }
