"""What is told before the question of rows whose contacts were reached as often as they may be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dispatcher.campaign import open_campaign
from dispatcher.errors import ExitCode
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.support.machine import Machine
from tests.support.rehearsal import CREDENTIALS, Rehearsal, write_contacts

NOON = datetime(2026, 11, 25, 20, tzinfo=UTC)
HOURS = {"mode": "wait", "presets": [], "open": "00:00-24:00", "close_early_min": 0}


async def test_the_end_is_that_of_the_held_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last row leaves when its cool-off is over, not before: what is told is what the runs do."""
    machine = Machine(monkeypatch)
    machine.put_to(NOON)
    overrides: dict[str, dict[str, Any]] = {
        "campaign": {"repeat_after_h": 0},
        "cooloff": {"max": 1, "period_h": 48},
        "hours": HOURS,
    }
    async with Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=0.01), clock=machine) as sandbox:
        spring, alert = (Rehearsal(tmp_path, sandbox, name, overrides=overrides) for name in ("spring", "alert"))
        assert (await spring.run(spring.contacts(2))).exit_code == ExitCode.OK
        machine.put_to(NOON + timedelta(hours=1))
        # Before a claim has held any of them, and after.
        for run, open_now in (("first", 3), ("second", 0)):
            async with open_campaign("alert", alert.settings(), CREDENTIALS) as campaign:
                if run == "first":
                    await campaign.plan(write_contacts(tmp_path / "alert.csv", 5))
                waiting, found = await campaign.ahead()
                assert await campaign.waiting() == waiting
                assert await campaign.prospect() == found
                assert [one.rows for one in waiting] == [2]
                assert found is not None
                assert found.estimate.open_now == open_now
                assert found.estimate.done_ms is not None
                ends = datetime.fromtimestamp(found.estimate.done_ms / 1000, UTC)
                assert timedelta(hours=48) < ends - NOON < timedelta(hours=48, minutes=3)
                assert (await campaign.send()).exit_code == ExitCode.WAITING
        machine.put_to(ends + timedelta(seconds=1))
        assert (await alert.run()).exit_code == ExitCode.OK
        assert len(sandbox.creates(after=-1)["creates"]) == 7
