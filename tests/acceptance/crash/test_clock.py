"""The wall clock stepped by an hour under a running program, and wrong when a program that was killed ran."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dispatcher.errors import ExitCode
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.acceptance.crash.stage import Stage
from tests.chaos.program import Zygote
from tests.support.ledgers import raw

HOUR_S = 3600
#: What makes rows doubtful, both ways: some exist, and some do not.
DOUBT = {"reset_after": 0.1, "reset_before": 0.1}


def settings(**more: Any) -> SandboxSettings:
    """Executions end at once: no 409 would save a row that is sent again. The list shows them late."""
    return SandboxSettings(
        limit_per_s=100, window_s=2.0, latency_s=0.02, ends_after_s=0.01, list_lag_s=0.2, faults=DOUBT, **more
    )


async def killed_twice(stage: Stage, **start: str) -> None:
    """Start the program and kill it while it sends, and once more."""
    for created in (40, 80):
        process = await stage.start(**start)
        await stage.until_created(created, process)
        process.signal(signal.SIGKILL)
        await process.wait()


@pytest.mark.parametrize("step_s", [-HOUR_S, HOUR_S])
@pytest.mark.parametrize("moment", ["sending", "waiting for the list"])
async def test_a_step_of_an_hour_under_a_run(tmp_path: Path, programs: Zygote, step_s: int, moment: str) -> None:
    """A step of an hour under a run loses and repeats nothing, and keeps nobody waiting."""
    clock = tmp_path / "clock"
    clock.write_text("0")
    async with Sandbox(settings()) as sandbox:
        stage = Stage(tmp_path, sandbox, programs, rows=150)
        stage.configure(settle_s=0.8)
        process = await stage.start(clock=str(clock))
        if moment == "sending":
            await stage.until_created(60, process)
        else:
            await stage.until(lambda: stage.ledger.exists() and not stage.left_to_send(), process)
        clock.write_text(str(step_s))
        # Whoever waited by the wall clock would wait an hour.
        assert await process.wait() == ExitCode.OK
        stage.assert_sent_once()
        stage.assert_within_the_limit()
    assert 0 <= stage.result()["duration_s"] < HOUR_S / 2


@pytest.mark.parametrize("wrong_by_s", [-HOUR_S, HOUR_S])
async def test_a_clock_that_was_wrong_at_the_kill(tmp_path: Path, programs: Zygote, wrong_by_s: int) -> None:
    """A clock that was wrong when the program died, and is right when it starts again, costs no row."""
    clock = tmp_path / "clock"
    clock.write_text(str(wrong_by_s))
    async with Sandbox(settings()) as sandbox:
        stage = Stage(tmp_path, sandbox, programs, rows=150)
        await killed_twice(stage, clock=str(clock))
        clock.write_text("0")
        stage.faults({})  # no new doubt, whose time would lead to the old ones
        assert await stage.run(clock=str(clock)) == ExitCode.OK
        stage.assert_sent_once()
        stage.assert_within_the_limit()


@pytest.mark.parametrize("measured", [True, False])
async def test_a_clock_that_was_ahead_at_the_kill(tmp_path: Path, programs: Zygote, measured: bool) -> None:
    """A program that died with its clock ahead, and starts again later than that, sends each row once.

    Its intents lie neither in the future nor where the executions are; it may not even have measured its clock.
    """
    clock = tmp_path / "clock"
    clock.write_text(str(HOUR_S))
    async with Sandbox(settings()) as sandbox:
        stage = Stage(tmp_path, sandbox, programs, rows=150)
        await killed_twice(stage, clock=str(clock))
        if not measured:
            with raw(stage.ledger) as db:
                db.execute("UPDATE runs SET clock_skew_ms = NULL")
        # Two hours later, to Studio as to us.
        clock.write_text(str(2 * HOUR_S))
        sandbox.settings = replace(sandbox.settings, clock_skew_s=2.0 * HOUR_S)
        stage.faults({})
        assert await stage.run(clock=str(clock)) == ExitCode.OK
        stage.assert_sent_once()


async def test_a_clock_that_is_wrong_after_the_kill(tmp_path: Path, programs: Zygote) -> None:
    """A clock that was right when the program died, and is wrong when it starts again, costs no row.

    Set back by an hour in between: what was begun seems to lie in the future.
    """
    clock = tmp_path / "clock"
    clock.write_text("0")
    async with Sandbox(settings()) as sandbox:
        stage = Stage(tmp_path, sandbox, programs, rows=150)
        process = await stage.start(clock=str(clock))
        await stage.until_created(60, process)
        process.signal(signal.SIGKILL)
        await process.wait()
        clock.write_text(str(-HOUR_S))
        stage.faults({})
        assert await stage.run(clock=str(clock)) == ExitCode.OK
        stage.assert_sent_once()


@pytest.mark.parametrize("skew_s", [-HOUR_S, HOUR_S])
async def test_a_server_clock_an_hour_off(tmp_path: Path, programs: Zygote, skew_s: int) -> None:
    """Kills of the program, while the server's clock is an hour off, lose and repeat nothing."""
    async with Sandbox(settings(clock_skew_s=float(skew_s))) as sandbox:
        stage = Stage(tmp_path, sandbox, programs, rows=150)
        await killed_twice(stage)
        assert await stage.run() == ExitCode.OK
        stage.assert_sent_once()
