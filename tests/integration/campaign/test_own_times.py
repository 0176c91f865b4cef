"""Rows' own times, against a clock that is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dispatcher.campaign import open_campaign
from dispatcher.errors import ExitCode
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.support.rehearsal import CREDENTIALS, Rehearsal, phone


async def test_each_run_asks_what_time_it_is(tmp_path: Path) -> None:
    """Also the second one of a process, which has nothing else to ask: a row does not go hours before its own time."""
    overrides: dict[str, dict[str, Any]] = {"campaign": {"repeat_after_h": 0}, "columns": {"not_before": "from"}}
    async with Sandbox(SandboxSettings(limit_per_s=0, clock_skew_s=-7200)) as sandbox:
        spring = Rehearsal(tmp_path, sandbox, overrides=overrides)
        # In an hour, as Studio's clock has it; an hour ago, as this machine's.
        at = datetime.now(UTC) - timedelta(hours=1)
        file = tmp_path / "spring.csv"
        file.write_text(f"phone,from\n{phone(1)},{at:%Y-%m-%dT%H:%M:%SZ}\n", encoding="utf-8")
        async with open_campaign("spring", spring.settings(), CREDENTIALS) as campaign:
            await campaign.plan(file)
            for run in ("first", "second"):
                result = await campaign.send()
                assert (run, result.exit_code, sandbox.creates(after=-1)["creates"]) == (run, ExitCode.WAITING, [])
