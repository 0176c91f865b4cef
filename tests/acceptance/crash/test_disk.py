"""A full disk, a ledger that is taken away, a file that changes: the program stops, or goes on, and knows."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from dispatcher.errors import ExitCode
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.acceptance.crash.stage import Stage
from tests.chaos.program import Zygote
from tests.support.rehearsal import phone

#: The ledger of the rows below, and some commits of its log.
FILE_SIZE_MAX = 480_000


def settings(**more: Any) -> SandboxSettings:
    return SandboxSettings(limit_per_s=100, window_s=2.0, latency_s=0.02, ends_after_s=0.05, **more)


def create_requests(sandbox: Sandbox) -> int:
    return sandbox.studio.tally.create_requests


def disk_is_full(stage: Stage) -> bool:
    """Whether one of the ledger's files has no room for another page."""
    return max(file.stat().st_size for file in stage.ledger.parent.iterdir()) > FILE_SIZE_MAX - 4096 - 24


async def test_a_full_disk_stops_the_sending(tmp_path: Path, programs: Zygote) -> None:
    """A full disk stops the sending at once, and what is known is written when there is room again."""
    async with Sandbox(settings()) as sandbox:
        stage = Stage(tmp_path, sandbox, programs, rows=600)
        process = await stage.start("--debug", file_size_max=FILE_SIZE_MAX)
        await stage.until(lambda: stage.ledger.exists() and disk_is_full(stage), process)
        # What has left already arrives, and then no request comes any more.
        seen = -1
        while not (0 < seen == create_requests(sandbox)):
            seen = create_requests(sandbox)
            assert process.running, stage.stderr()
            await asyncio.sleep(1.0)
        assert 0 < seen < stage.rows
        # Every request that the server saw had its intent on disk before.
        (intents,) = stage.query("SELECT count(*) FROM attempts")[0]
        assert seen <= intents
        process.allow_files_of_any_size()
        assert await process.wait() == ExitCode.STOPPED
        assert "error[disk_full]" in stage.stderr()
        assert "fix:" in stage.stderr()
        # The answers that had come were kept, and are written: nothing is unknown.
        assert stage.states()["created"] == sandbox.stats()["creates"] == seen
        assert set(stage.states()) == {"created", "planned"}
        assert await stage.run() == ExitCode.OK
        stage.assert_sent_once()
        stage.assert_within_the_limit()
        assert create_requests(sandbox) == stage.rows


async def test_a_full_disk_before_the_first_request(tmp_path: Path, programs: Zygote) -> None:
    """With a full disk before the first request nothing is sent."""
    async with Sandbox(settings()) as sandbox:
        stage = Stage(tmp_path, sandbox, programs, rows=3000)
        assert await stage.run(file_size_max=60_000) == ExitCode.STOPPED
        assert "error[disk_full]" in stage.stderr()
        assert create_requests(sandbox) == 0
        stage.rows = 3000
        # With room again the same command goes on as if nothing had been: here only as far as planning.
        assert await stage.run("--limit", "5") == ExitCode.OK
        assert create_requests(sandbox) == 5


@pytest.mark.chaos
async def test_a_disk_that_stays_full(tmp_path: Path, programs: Zygote) -> None:
    """A disk that stays full ends the run with `unknown` rows, which the next one resolves."""
    async with Sandbox(settings()) as sandbox:
        stage = Stage(tmp_path, sandbox, programs, rows=600)
        assert await stage.run(file_size_max=FILE_SIZE_MAX) == ExitCode.STOPPED
        assert "error[disk_full]" in stage.stderr()
        assert 0 < create_requests(sandbox) < stage.rows
        assert await stage.run() == ExitCode.OK
        stage.assert_sent_once()
        stage.assert_within_the_limit()


async def test_a_ledger_deleted_under_the_run(tmp_path: Path, programs: Zygote) -> None:
    """A ledger that is deleted under the run stops it.

    Whoever sent on would send everything again the next time: nothing would be known of this run.
    """
    async with Sandbox(settings()) as sandbox:
        stage = Stage(tmp_path, sandbox, programs, rows=600)
        process = await stage.start()
        await stage.until_created(50, process)
        shutil.rmtree(tmp_path / ".dispatcher")
        at_the_time = create_requests(sandbox)
        assert await process.wait() == ExitCode.STOPPED
        assert "error[ledger_gone]" in stage.stderr()
        # At most what had been claimed before; all of it is in the ledger that the program has put back.
        assert create_requests(sandbox) < at_the_time + 100
        assert stage.states()["created"] == sandbox.stats()["creates"]
        assert await stage.run() == ExitCode.OK
        stage.assert_sent_once()


async def test_a_ledger_whose_place_was_taken(tmp_path: Path, programs: Zygote) -> None:
    """A ledger whose place another file has taken is kept beside that file."""
    async with Sandbox(settings()) as sandbox:
        stage = Stage(tmp_path, sandbox, programs, rows=600)
        process = await stage.start()
        await stage.until_created(50, process)
        for file in (tmp_path / ".dispatcher").iterdir():
            file.unlink()
        stage.ledger.write_bytes(b"something else")
        assert await process.wait() == ExitCode.STOPPED
        assert "error[ledger_gone]" in stage.stderr()
        assert stage.ledger.read_bytes() == b"something else"
        (rescued,) = (tmp_path / ".dispatcher").glob("rescued-*.sqlite3")
        rescued.rename(stage.ledger)
        assert stage.states()["created"] == sandbox.stats()["creates"]
        assert await stage.run() == ExitCode.OK
        stage.assert_sent_once()


@pytest.mark.parametrize("how", ["deleted", "overwritten", "truncated", "appended"])
async def test_a_file_that_changes_once_it_was_read(tmp_path: Path, programs: Zygote, how: str) -> None:
    """A file that changes once it was read changes nothing."""
    async with Sandbox(settings()) as sandbox:
        stage = Stage(tmp_path, sandbox, programs, rows=200)
        process = await stage.start()
        await stage.until_created(20, process)
        match how:
            case "deleted":
                stage.source.unlink()
            case "overwritten":
                stage.source.write_text(f"phone,first_name\n{phone(9999)},x\n")
            case "truncated":
                stage.source.write_text("")
            case _:
                with stage.source.open("a") as file:
                    file.write(f"{phone(9999)},x\n")
        assert await process.wait() == ExitCode.OK
        stage.assert_sent_once()


async def test_a_campaign_goes_on_without_its_file(tmp_path: Path, programs: Zygote) -> None:
    import signal

    async with Sandbox(settings()) as sandbox:
        stage = Stage(tmp_path, sandbox, programs, rows=200)
        process = await stage.start()
        await stage.until_created(20, process)
        process.signal(signal.SIGKILL)
        await process.wait()
        stage.source.unlink()
        resume = ["resume", "spring", "--yes", "--report", "report.csv", "--config", "config.toml"]
        assert await programs.run(tmp_path, *resume) == ExitCode.OK
        stage.assert_sent_once()


async def test_a_file_that_changes_while_it_is_read(tmp_path: Path, programs: Zygote) -> None:
    """A file that changes while it is read is refused, and nothing is sent."""
    async with Sandbox(settings()) as sandbox:
        stage = Stage(tmp_path, sandbox, programs, rows=150_000)
        process = await stage.start()
        await stage.until(lambda: stage.ledger.exists() and stage.is_loading(), process)
        with stage.source.open("a") as file:
            file.write(f"{phone(999_999)},x\n")
        assert await process.wait() == ExitCode.USAGE
        assert "was changed while it was read" in stage.stderr()
        assert create_requests(sandbox) == 0
