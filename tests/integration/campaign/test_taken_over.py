"""An account that is taken over in a pause after 429s: whoever looks on from another machine sees what it waits for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dispatcher.campaign import open_campaign
from dispatcher.clock import now_ms
from dispatcher.errors import ExitCode
from dispatcher.ledger.records import RunTotals
from dispatcher.ledger.sqlite.ledger import SqliteLedger
from dispatcher.sandbox import Sandbox, SandboxSettings
from dispatcher.sending import pulse
from tests.support.rehearsal import CREDENTIALS, Rehearsal

HOLD_S = 3.0


async def test_the_pause_is_seen_before_anything_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its first moments on: the look at the flow and at the list waits for the pause, too."""
    monkeypatch.setattr(SqliteLedger, "is_shared", True)
    monkeypatch.setattr(pulse, "PULSE_S", 0.1)
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox, asyncio.timeout(30):
        rehearsal = Rehearsal(tmp_path, sandbox)
        async with open_campaign(rehearsal.name, rehearsal.settings(), CREDENTIALS) as campaign:
            await campaign.plan(rehearsal.contacts(5))
        ledger = SqliteLedger.open(tmp_path / "state")
        run = await ledger.start_run(campaign.record, window_limit=200, now_ms=now_ms())
        until_ms = now_ms() + round(HOLD_S * 1000)
        totals = RunTotals(requests=1, throttled=1, hold_until_ms=until_ms)
        await ledger.stop_run(run, now_ms=now_ms(), reason="killed", totals=totals)

        async def seen() -> tuple[str, int]:
            while True:
                found = (await ledger.status(campaign.record)).run
                if found is not None and found.run_id > run.run_id and found.waits and found.waits_until_ms:
                    return found.waits, found.waits_until_ms
                await asyncio.sleep(0.02)

        sending = asyncio.create_task(rehearsal.run())
        reason, seen_until_ms = await asyncio.wait_for(seen(), HOLD_S)
        assert sandbox.stats()["creates_total_requests"] == 0
        assert "429" in reason
        assert seen_until_ms == pytest.approx(until_ms, abs=300)
        assert (await sending).exit_code is ExitCode.OK
        ((first_ms,),) = rehearsal.query("SELECT min(sent_at_ms) FROM attempts")
        assert first_ms >= until_ms - 50
        await ledger.close()
