"""A person is forgotten while the disk is full: the ledger stays whole, and says what is not done yet."""

from __future__ import annotations

from pathlib import Path

from dispatcher.errors import ExitCode
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.acceptance.crash.stage import Stage
from tests.chaos.program import Zygote
from tests.support.ledgers import flaws
from tests.support.rehearsal import phone


def traces(stage: Stage, number: str) -> list[str]:
    """Which files of the state folder hold a number."""
    return [file.name for file in stage.ledger.parent.iterdir() if number[1:].encode() in file.read_bytes()]


async def test_a_full_disk_while_it_forgets(tmp_path: Path, programs: Zygote) -> None:
    """Whatever room there is: all of the person or nothing, and with room again no byte is left."""
    settings = SandboxSettings(limit_per_s=100, window_s=2.0, latency_s=0.02, ends_after_s=0.05)
    async with Sandbox(settings) as sandbox:
        stage = Stage(tmp_path, sandbox, programs, rows=2000)
        assert await stage.run("--limit", "5") == ExitCode.OK
        number, forget = phone(1), ("campaigns", "forget", phone(1), "--yes")
        size = stage.ledger.stat().st_size
        log = stage.ledger.with_name(f"{stage.ledger.name}-wal")
        assert not log.exists()
        seen = set()
        for room in (40_000, 90_000, 150_000, size // 2):
            process = await programs.start(stage.folder, *forget, file_size_max=room)
            code = await process.wait()
            assert flaws(stage.ledger) == []
            (rows,) = stage.query(f"SELECT count(*) FROM rows WHERE row_key = '{number}'")[0]
            (contacts,) = stage.query(f"SELECT count(*) FROM contacts WHERE contact = '{number}'")[0]
            assert rows == contacts
            assert code in (ExitCode.OK, ExitCode.STOPPED), stage.stderr()
            if code == ExitCode.STOPPED:
                assert "error[disk_full]" in stage.stderr()
                seen.add(rows)
        # Some were too small for the first step, and some for the second alone.
        assert seen == {0, 1}
        assert stage.query("SELECT count(*) FROM erasures WHERE cleaned_at_ms IS NULL")[0] != (0,)
        assert await (await programs.start(stage.folder, *forget)).wait() == ExitCode.OK
        assert traces(stage, number) == []
        assert stage.query("SELECT count(*) FROM erasures WHERE cleaned_at_ms IS NULL") == [(0,)]
        assert await stage.run("--limit", "5") == ExitCode.OK
        assert [create["to"] for create in sandbox.creates(after=-1)["creates"]].count(number) == 1
