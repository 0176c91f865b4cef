"""A campaign that a server is to send: which ends of a run take that back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dispatcher.campaign import open_campaign, view_campaign
from dispatcher.errors import CampaignPaused, StoppedEarly
from dispatcher.model import RowState
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.support.rehearsal import CREDENTIALS, Rehearsal

ROWS = 60
DUE_MS = 1_900_000_000_000


async def order(r: Rehearsal) -> None:
    """As a page does, before anything is sent."""
    async with open_campaign(r.name, r.settings(), CREDENTIALS) as campaign:
        await campaign.plan(r.contacts(ROWS))
        assert await campaign.order(await campaign.wish(), DUE_MS)


async def due_ms(r: Rehearsal) -> int | None:
    """What stands in the ledger."""
    async with view_campaign(r.name, r.settings(), CREDENTIALS) as view:
        assert (await view.status()).due_ms == (await view.wish()).due_ms
        return (await view.wish()).due_ms


async def test_sending_all_takes_the_order_back(tmp_path: Path) -> None:
    """Also by whoever else sends it; a part of it, and rows that Studio refuses for now, do not."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        r = Rehearsal(tmp_path, sandbox)
        await order(r)
        assert (await r.run(limit=10)).remaining == 0
        assert await due_ms(r) == DUE_MS
        r.faults({"401": 1})
        assert (await r.run()).error is not None
        assert await due_ms(r) == DUE_MS
        r.faults({})
        assert (await r.run()).error is None
        assert await due_ms(r) is None
        assert sandbox.stats()["creates"] == ROWS


async def test_rows_in_doubt_leave_the_order(tmp_path: Path) -> None:
    """Where they could not be looked up: whoever goes on does that."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        r = Rehearsal(tmp_path, sandbox, overrides={"campaign": {"repeat_after_h": 0}})
        await order(r)
        r.faults({"reset_after": 1, "read_404": 1})
        result = await r.run()
        assert (result.error, result.reconcile_error is not None) == (None, True)
        assert result.status.rows[RowState.unknown] == ROWS
        assert await due_ms(r) == DUE_MS


@pytest.mark.parametrize("way", ["stop", "pause", "hold"])
async def test_who_stops_a_run_leaves_the_order(tmp_path: Path, way: str) -> None:
    """A server that goes down goes on with it later; so does one whose campaign is paused and lifted."""
    async with Sandbox(SandboxSettings(limit_per_s=0, latency_s=0.02)) as sandbox:
        r = Rehearsal(tmp_path, sandbox, overrides={"rate": {"per_second": 100, "in_flight": 2}})
        await order(r)
        async with open_campaign(r.name, r.settings(), CREDENTIALS, bus=r.bus) as campaign:
            sending = asyncio.create_task(campaign.send(whole_campaign=True))
            async with asyncio.timeout(30):
                while r.bus.snapshot().done < 5:  # noqa: ASYNC110 - what it waits for sets no event
                    await asyncio.sleep(0.005)
            if way == "stop":
                campaign.stop(StoppedEarly("the server goes down"))
            else:
                await (campaign.pause("wrong price") if way == "pause" else campaign.hold("another machine"))
            result = await sending
            assert isinstance(result.error, StoppedEarly if way == "stop" else CampaignPaused)
            assert await due_ms(r) == DUE_MS
            await campaign.lift_pause(await campaign.seen_pause())
            assert (await campaign.send(whole_campaign=True)).error is None
        assert await due_ms(r) is None
        assert sandbox.stats()["creates"] == ROWS
