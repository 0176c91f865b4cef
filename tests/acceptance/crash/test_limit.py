"""The limit between two runs, by the server's count: whatever clock, spelling, folder or window the second one has."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from dispatcher.errors import ExitCode
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.acceptance.crash.stage import Stage
from tests.chaos.program import Zygote
from tests.guard import home
from tests.support.rehearsal import write_contacts

ACCOUNT_SID = "AC" + "ab" * 16
WINDOW_S = 4.0
#: Of 400 in a window; what one run sends at once.
SPIKE = 280
HOUR_S = 3600


def settings() -> SandboxSettings:
    return SandboxSettings(
        limit_per_s=100, window_s=WINDOW_S, latency_s=0.02, ends_after_s=0.01, account_sid=ACCOUNT_SID
    )


def stage_in(folder: Path, sandbox: Sandbox, programs: Zygote, *, first: int = 1, **changed: Any) -> Stage:
    """A campaign in a folder of its own, with its own ledger and contacts."""
    folder.mkdir()
    stage = Stage(folder, sandbox, programs, rows=SPIKE)
    write_contacts(stage.source, SPIKE, first=first)
    stage.configure(**{"window_s": WINDOW_S, "in_flight": 100, **changed})
    return stage


async def spike(stage: Stage, account_sid: str = ACCOUNT_SID, **order: Any) -> None:
    """A run that sends all its rows as fast as it may."""
    code = await stage.run("--pace", "spike", env={"TWILIO_ACCOUNT_SID": account_sid}, **order)
    assert code == ExitCode.OK, stage.stderr()


def spelled(stage: Stage, base_url: str) -> None:
    """The sandbox's address, written otherwise."""
    path = stage.folder / "config.toml"
    path.write_text(path.read_text().replace(stage.sandbox.base_url, base_url))


def forget_all() -> None:
    """The folder of the user is empty."""
    folder = Path(os.environ[home.VARIABLE])
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.mark.parametrize("second", ["folder", "host", "sid", "clock ahead", "clock behind", "window", "forgotten"])
async def test_two_spikes_one_after_the_other(tmp_path: Path, programs: Zygote, second: str) -> None:
    """The second one waits until the first is out of the window."""
    clock = tmp_path / "clock"
    clock.write_text("0")
    async with Sandbox(settings()) as sandbox:
        one = stage_in(tmp_path / "one", sandbox, programs)
        await spike(one, clock=str(clock))
        changed = {"window_s": 0.5, "headroom": 0.0} if second == "window" else {}
        two = stage_in(tmp_path / "two", sandbox, programs, first=1001, **changed)
        account_sid = "AC" + "AB" * 16 if second == "sid" else ACCOUNT_SID
        if second == "host":
            spelled(two, sandbox.base_url.replace("127.0.0.1", "localhost"))
        if second.startswith("clock"):
            # What the first has sent lies an hour away now, in the same ledger.
            shutil.copytree(one.ledger.parent, two.ledger.parent)
            clock.write_text(str(HOUR_S if second == "clock ahead" else -HOUR_S))
        if second == "forgotten":
            # The ledger knows that something was sent; when, only what is gone could tell.
            shutil.copytree(one.ledger.parent, two.ledger.parent)
            forget_all()
            clock.write_text(str(HOUR_S))
        await spike(two, account_sid, clock=str(clock))
        stats = sandbox.stats()
        assert stats["creates"] == 2 * SPIKE
        assert stats["worst_window_requests"] <= stats["window_limit"] == 400
        assert (tmp_path / "two" / "report.csv").exists()


async def test_a_killed_run_of_another_folder(tmp_path: Path, programs: Zygote) -> None:
    """What it sent until then counts in the next one's window, which has another ledger."""
    async with Sandbox(settings()) as sandbox:
        one = stage_in(tmp_path / "one", sandbox, programs)
        process = await one.start("--pace", "spike", env={"TWILIO_ACCOUNT_SID": ACCOUNT_SID})
        await one.until_created(SPIKE - 60, process)
        process.signal(signal.SIGKILL)
        await process.wait()
        two = stage_in(tmp_path / "two", sandbox, programs, first=1001)
        await spike(two)
        stats = sandbox.stats()
        assert stats["creates"] >= 2 * SPIKE - 60
        assert stats["worst_window_requests"] <= stats["window_limit"]


async def test_killed_in_a_pause_after_429s(tmp_path: Path, programs: Zygote) -> None:
    """The next run waits until that pause is over, and begins at what 429s had left of the rate."""
    # Others leave half of the rate that is set.
    limits = SandboxSettings(limit_per_s=50, window_s=WINDOW_S, latency_s=0.02, retry_after_s=3.0)
    async with Sandbox(limits) as sandbox:
        stage = Stage(tmp_path, sandbox, programs, rows=400)
        stage.configure(window_s=WINDOW_S, headroom=0.0)

        def kept() -> tuple[int | None, float | None]:
            with contextlib.suppress(sqlite3.OperationalError):
                for hold_until_ms, ceiling_per_s in stage.query("SELECT hold_until_ms, ceiling_per_s FROM accounts"):
                    return hold_until_ms, ceiling_per_s
            return None, None

        first = await stage.start()
        await stage.until(lambda: None not in kept(), first)
        first.signal(signal.SIGKILL)
        await first.wait()
        (until_ms, ceiling_per_s), sent = kept(), sandbox.stats()["creates"]
        assert until_ms is not None
        assert ceiling_per_s is not None
        assert until_ms > time.time() * 1000 + 1000
        assert 40 <= ceiling_per_s <= 60

        def ceilings() -> list[float | None]:
            told = "SELECT ceiling_per_s FROM runs JOIN accounts USING (account_id) WHERE run_id > 1 AND requests > 0"
            return [ceiling for (ceiling,) in stage.query(told)]

        second = await stage.start()
        await stage.until(lambda: bool(ceilings()), second)
        assert ceilings()[0] == pytest.approx(ceiling_per_s, rel=0.1)
        assert await second.wait() == ExitCode.OK
        creates = sorted(create["at"] for create in sandbox.creates(page_size=1000)["creates"])
        assert creates[sent] * 1000 >= until_ms - 50
        stage.assert_sent_once()


async def test_two_folders_at_once(tmp_path: Path, programs: Zygote) -> None:
    """One process for the account: the second is refused, or waits where it is told to."""
    environment = {"TWILIO_ACCOUNT_SID": ACCOUNT_SID}
    async with Sandbox(settings()) as sandbox:
        one = stage_in(tmp_path / "one", sandbox, programs)
        two = stage_in(tmp_path / "two", sandbox, programs, first=1001)
        spelled(two, sandbox.base_url.replace("127.0.0.1", "localhost"))
        first = await one.start("--rate", "60", env=environment)
        await one.until_created(10, first)
        assert await two.run(env=environment) == ExitCode.STOPPED
        assert "error[account_locked]" in two.stderr()
        assert first.running
        assert await two.run("--wait", env=environment) == ExitCode.OK
        assert await first.wait() == ExitCode.OK
        stats = sandbox.stats()
        assert stats["creates"] == 2 * SPIKE
        assert stats["worst_window_requests"] <= stats["window_limit"]


async def test_a_key_of_another_account(tmp_path: Path, programs: Zygote) -> None:
    """Studio answers for another account than the one that is named: nothing is sent, whatever is skipped."""
    async with Sandbox(settings()) as sandbox:
        for number, more in enumerate(((), ("--no-preflight",))):
            stage = stage_in(tmp_path / str(number), sandbox, programs)
            code = await stage.run(*more, env={"TWILIO_ACCOUNT_SID": "AC" + "cd" * 16})
            assert code == ExitCode.AUTHENTICATION
            assert "error[authentication]: the credentials are another account's" in stage.stderr()
            assert sandbox.stats()["creates_total_requests"] == 0
