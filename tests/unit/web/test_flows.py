"""Flows of an account: asked of a real sandbox, kept a minute, and asked again at once where there was no answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dispatcher.campaign.setup import Variables
from dispatcher.errors import DispatcherError, FlowNotFound
from dispatcher.sandbox import DEFAULT_FLOW_SID, Sandbox, SandboxSettings
from dispatcher.sandbox.faults import parse_phases
from dispatcher.settings import LoadedSettings, load
from dispatcher.web import flows as module
from dispatcher.web.accounts import Accounts
from dispatcher.web.flows import KEPT_S, FlowChoice, Flows
from tests.support.rehearsal import ACCOUNT_SID, CREDENTIALS


@dataclass
class Clock:
    """The time that passes."""

    now_s: float = 1_000.0

    def monotonic(self) -> float:
        """As `time`'s."""
        return self.now_s


@dataclass
class Desk:
    """A sandbox, its flows as the page keeps them, and a clock."""

    sandbox: Sandbox
    flows: Flows
    clock: Clock

    def asked(self) -> int:
        """Requests so far."""
        return sum(self.sandbox.stats()["requests"].values())

    def fails(self, is_down: bool) -> None:
        """Have Studio answer nothing useful, or well again."""
        table = {"read_403": 1.0} if is_down else {}
        self.sandbox.fault_plan.replace(parse_phases(table), self.sandbox.now_us())


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    async with Sandbox(SandboxSettings(account_sid=ACCOUNT_SID)) as sandbox:

        def loaded(profile: str | None, over: Mapping[str, Any]) -> LoadedSettings:
            flags = {"account.base_url": sandbox.base_url, "state.dir": str(tmp_path), **over}
            return load(no_file=True, profile=profile, flags=flags, environ={})

        clock = Clock()
        monkeypatch.setattr(module, "time", clock)
        yield Desk(sandbox, Flows(Accounts(loaded, credentials=CREDENTIALS)), clock)


async def test_flows_are_asked_for_once_a_minute(desk: Desk) -> None:
    """However many pages are open, also all at once; after a minute a new one is seen."""
    first, *others = await asyncio.gather(*(desk.flows.of(None) for _ in range(10)))
    assert all(one is first for one in others)
    once = desk.asked()
    assert once <= 2  # pages of one list
    assert any(flow.sid == DEFAULT_FLOW_SID and flow.is_published for flow in first)
    desk.clock.now_s += KEPT_S - 0.1
    assert await desk.flows.of(None) is first
    assert desk.asked() == once
    desk.clock.now_s += 0.2
    assert await desk.flows.of(None) == first
    assert desk.asked() == 2 * once


async def test_variables_are_asked_for_once_a_minute(desk: Desk) -> None:
    """Each flow's by itself, each account's by itself."""
    found = await desk.flows.variables(None, DEFAULT_FLOW_SID)
    assert found.names
    once = desk.asked()
    assert await desk.flows.variables(None, DEFAULT_FLOW_SID) is found
    assert desk.asked() == once
    assert await desk.flows.variables("uk", DEFAULT_FLOW_SID) == found
    assert desk.asked() == 2 * once


async def test_no_answer_is_kept_by_nobody(desk: Desk) -> None:
    """What Studio refuses is told, and asked again with the next page; those who wait get answers of their own."""
    desk.fails(is_down=True)
    told = await asyncio.gather(*(desk.flows.of(None) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(one, DispatcherError) for one in told)
    assert await desk.flows.variables_if_known(None, DEFAULT_FLOW_SID) == Variables()
    assert await desk.flows.name(None, DEFAULT_FLOW_SID) == DEFAULT_FLOW_SID
    desk.fails(is_down=False)
    assert await desk.flows.of(None)
    assert (await desk.flows.variables_if_known(None, DEFAULT_FLOW_SID)).names


async def test_what_is_kept_outlives_an_outage(desk: Desk) -> None:
    """For the rest of its minute, and no longer."""
    found = await desk.flows.of(None)
    desk.fails(is_down=True)
    assert await desk.flows.of(None) is found
    desk.clock.now_s += KEPT_S
    with pytest.raises(DispatcherError):
        await desk.flows.of(None)


async def test_a_page_that_is_left_blocks_no_other(desk: Desk) -> None:
    """A browser that leaves while Studio is asked: the next one gets its answer."""
    asking = asyncio.create_task(desk.flows.of(None))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(desk.flows.of(None))
    await asyncio.sleep(0)
    asking.cancel()
    async with asyncio.timeout(20):
        assert await waiting


async def test_a_flow_that_is_not_there(desk: Desk) -> None:
    """It is told; its name is what it was called by; of a known one it is the name, by SID or by itself."""
    gone = "FW" + "f" * 32
    with pytest.raises(FlowNotFound):
        await desk.flows.variables(None, gone)
    assert await desk.flows.name(None, gone) == gone
    name = await desk.flows.name(None, DEFAULT_FLOW_SID)
    assert name != DEFAULT_FLOW_SID
    assert await desk.flows.name(None, name) == name


def test_a_flow_that_starts_nothing_says_so() -> None:
    """Where one is chosen."""
    assert FlowChoice(sid="FW1", name="A", is_published=True).label == "A"
    assert FlowChoice(sid="FW1", name="A", is_published=False).label == "A (not published: starts nothing)"
