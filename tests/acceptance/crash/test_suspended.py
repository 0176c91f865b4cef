"""The program stopped for longer than any timeout, killed at its start, started twice, and started after another."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dispatcher.errors import ExitCode
from dispatcher.sandbox import Sandbox, SandboxSettings
from dispatcher.sending.claims import CONFIRMED_FOR_S
from tests.acceptance.crash.stage import NAME, Stage
from tests.chaos.program import ENVIRONMENT, PATIENCE_S, Zygote
from tests.guard import home


def settings(**more: Any) -> SandboxSettings:
    return SandboxSettings(limit_per_s=100, window_s=2.0, latency_s=0.03, ends_after_s=0.05, **more)


async def test_a_program_that_is_suspended_for_longer_than_any_timeout_goes_on_as_if_nothing_had_been(
    tmp_path: Path, programs: Zygote
) -> None:
    async with Sandbox(settings()) as sandbox:
        stage = Stage(tmp_path, sandbox, programs)
        process = await stage.start("--pace", "spike")
        for created in (20, 160):
            await stage.until_created(created, process)
            process.signal(signal.SIGSTOP)
            await asyncio.sleep(2.5)  # connect, answer and window are all shorter
            process.signal(signal.SIGCONT)
        assert await process.wait() == ExitCode.OK
        stage.assert_sent_once()
        stage.assert_within_the_limit()


async def test_suspended_over_the_deadline(tmp_path: Path, programs: Zygote) -> None:
    """Whatever was claimed, permitted or connecting when it stopped: nothing leaves after it, all is in the books."""
    async with Sandbox(settings()) as sandbox:
        stage = Stage(tmp_path, sandbox, programs)
        deadline = datetime.now(UTC) + timedelta(seconds=6)
        process = await stage.start("--pace", "spike", "--deadline", deadline.isoformat())
        await stage.until_created(20, process)
        process.signal(signal.SIGSTOP)
        await asyncio.sleep(max(0.0, (deadline - datetime.now(UTC)).total_seconds()) + 0.5)
        # What had left before that has arrived.
        arrived = sandbox.stats()["creates_total_requests"]
        process.signal(signal.SIGCONT)
        assert await process.wait() == ExitCode.OK
        stats = sandbox.stats()
        assert stats["creates_total_requests"] == arrived < stage.rows
        states = stage.states()
        assert states == {"created": stats["creates"], "skipped": stage.rows - stats["creates"]}, stage.stderr()


async def test_requests_that_were_permitted_before_a_suspension_do_not_crowd_the_window_after_it(
    tmp_path: Path, programs: Zygote
) -> None:
    """Each stop falls into the sending of a spike; what had its permit then must not add to the next window."""
    async with Sandbox(settings()) as sandbox:
        stage = Stage(tmp_path, sandbox, programs, rows=400)
        process = await stage.start("--pace", "spike")
        for created in (20, 60, 150, 170, 300):
            await stage.until_created(created, process)
            process.signal(signal.SIGSTOP)
            await asyncio.sleep(1.9)  # nearly a window
            process.signal(signal.SIGCONT)
        assert await process.wait() == ExitCode.OK
        stage.assert_sent_once()
        stage.assert_within_the_limit()


async def test_a_restart_right_after_a_kill_does_not_start_a_new_window(tmp_path: Path, programs: Zygote) -> None:
    async with Sandbox(settings()) as sandbox:
        stage = Stage(tmp_path, sandbox, programs, rows=400)
        for _ in range(4):
            created = sandbox.studio.tally.creates
            process = await stage.start("--pace", "spike")
            # A spike is 140 requests; nearly all of it has left when the program dies.
            await stage.until_created(min(created + 100, 390), process)
            await asyncio.sleep(0.1)
            process.signal(signal.SIGKILL)
            await process.wait()
        assert await stage.run("--pace", "spike") == ExitCode.OK
        stage.assert_sent_once()
        stage.assert_within_the_limit()


async def test_a_second_process_refuses_and_with_wait_waits_for_its_turn(tmp_path: Path, programs: Zygote) -> None:
    async with Sandbox(settings()) as sandbox:
        stage = Stage(tmp_path, sandbox, programs)
        first = await stage.start()
        await stage.until_created(10, first)
        refused = await stage.start(stderr=str(tmp_path / "refused.txt"), stdout=str(tmp_path / "refused.out"))
        assert await refused.wait() == ExitCode.STOPPED
        assert first.running
        assert "error[account_locked]" in refused.stderr.read_text()
        waiting = await stage.start("--wait", stderr=str(tmp_path / "w.txt"), stdout=str(tmp_path / "w.out"))
        assert not await waiting.ends_within(0.5)
        assert await first.wait() == ExitCode.OK
        assert await waiting.wait() == ExitCode.OK
        stage.assert_sent_once()
        assert sandbox.stats()["creates_total_requests"] == stage.rows


async def test_a_process_that_waits_takes_over_from_one_that_is_killed(tmp_path: Path, programs: Zygote) -> None:
    async with Sandbox(settings()) as sandbox:
        stage = Stage(tmp_path, sandbox, programs)
        first = await stage.start("--pace", "spike")
        await stage.until_created(50, first)
        waiting = await stage.start(
            "--wait", "--pace", "spike", stderr=str(tmp_path / "w.txt"), stdout=str(tmp_path / "w.out")
        )
        await asyncio.sleep(0.3)
        first.signal(signal.SIGKILL)
        assert await waiting.wait() == ExitCode.OK
        stage.assert_sent_once()
        stage.assert_within_the_limit()


async def test_a_suspended_process_whose_account_another_has_taken_over_sends_nothing_more(
    tmp_path: Path, programs: Zygote
) -> None:
    """A lock keeps two processes apart; should it be lost (a network disk, a hand), the ledger's epoch does."""
    async with Sandbox(settings()) as sandbox:
        stage = Stage(tmp_path, sandbox, programs)
        first = await stage.start("--pace", "spike")
        await stage.until_created(20, first)
        first.signal(signal.SIGSTOP)
        stopped_s = time.monotonic()
        lose_locks(tmp_path / ".dispatcher", Path(os.environ[home.VARIABLE]))
        second = await stage.start(stderr=str(tmp_path / "second.txt"), stdout=str(tmp_path / "second.out"))
        assert await second.wait() == ExitCode.OK
        # From here on the first one's word is too old, whatever it had been granted.
        await asyncio.sleep(max(0.0, CONFIRMED_FOR_S + 0.5 - (time.monotonic() - stopped_s)))
        first.signal(signal.SIGCONT)
        assert await first.wait() == ExitCode.STOPPED
        assert "error[lease_lost]" in stage.stderr()
        stage.assert_sent_once()


def lose_locks(*folders: Path) -> None:
    """Whoever locks next makes and locks other files."""
    for folder in folders:
        for lock in folder.rglob("*.lock"):
            lock.unlink()


async def test_kills_from_the_interpreter_s_first_instruction_on(tmp_path: Path, programs: Zygote) -> None:
    """Processes of their own, from `python -m dispatcher` on: also what is killed while it still imports."""
    async with Sandbox(settings()) as sandbox:
        stage = Stage(tmp_path, sandbox, programs, rows=100)
        arguments = ["run", stage.source.name, "--campaign", NAME, "--yes", "--json", "--report", "report.csv"]
        started = time.monotonic()
        takes_s = 0.0
        for life_s in (0.1, None, 0.5, 0.8, 0.95):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "dispatcher",
                *arguments,
                cwd=tmp_path,
                env={**os.environ, **ENVIRONMENT},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            if life_s is None:
                # Once until it sends: how long a start takes here.
                started = time.monotonic()
                while not sandbox.studio.tally.creates:
                    assert time.monotonic() - started < PATIENCE_S
                    await asyncio.sleep(0.02)
                takes_s = time.monotonic() - started
            else:
                await asyncio.sleep(life_s * (takes_s or 1.0))
            # A start that was slow only once made its time longer than a whole run takes.
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        assert await stage.run() == ExitCode.OK
        stage.assert_sent_once()
