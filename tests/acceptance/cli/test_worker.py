"""`worker` as it is installed: what it says, whose campaigns it sends, how it stops, and what it refuses to begin."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.cli.program import (
    ACCOUNT_SID,
    CREDENTIALS,
    TOKEN,
    Program,
    SandboxProcess,
    finish,
    read_until,
    until,
    write_contacts,
    write_settings,
)
from tests.support import postgres

ROWS = 400


@pytest.fixture
def url() -> Iterator[str]:
    with postgres.shared().database() as found:
        yield found


def set_up(program: Program, sandbox: SandboxProcess, url: str, **tables: dict[str, Any]) -> None:
    """Settings of a cluster, and the tables on its server."""
    given: dict[str, dict[str, Any]] = {
        "state": {"dir": None, "url": url},
        "cluster": {"tick_s": 1},
        "rate": {"per_second": 40},
    }
    write_settings(program.folder, sandbox.base_url, **(given | tables))
    result = program("ledger", "migrate")
    assert result.code == 0, result.err


@contextlib.contextmanager
def worker(
    program: Program, *options: str, env: dict[str, str | None] | None = None
) -> Iterator[subprocess.Popen[str]]:
    process = program.start("worker", *options, env=env)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ordered(program: Program) -> subprocess.Popen[str]:
    """A campaign that somebody has ordered, and looks on."""
    write_contacts(program.folder / "spring.csv", ROWS)
    return program.start("run", "spring.csv", "--yes")


def run_hosts(url: str) -> list[int]:
    return [row[0] for row in postgres.query(url, "SELECT pid FROM dispatcher.runs ORDER BY run_id")]


def test_one_stops_and_the_other_goes_on(program: Program, sandbox: SandboxProcess, url: str) -> None:
    """SIGTERM: exit code 0, the account's run goes on elsewhere within a second or so, and nothing is in doubt."""
    set_up(program, sandbox, url)
    with worker(program) as one, worker(program) as other:
        said = {process: read_until(process, "Ctrl-C stops it") for process in (one, other)}
        for text in said.values():
            assert "serves AC…0000, at most 8 accounts at once" in text
            assert "127.0.0.1" in text
            assert ACCOUNT_SID not in text
        looking_on = ordered(program)
        try:
            until(lambda: sandbox.stats()["creates"] >= 40, "it is sent")
            first = one if run_hosts(url)[0] == one.pid else other
            second = other if first is one else one
            first.send_signal(signal.SIGTERM)
            begun_s = time.monotonic()
            until(lambda: len(run_hosts(url)) == 2, "the other goes on")
            assert time.monotonic() - begun_s < 2.0
            result = finish(first)
            assert result.code == 0
            assert "handed over" in result.err
            assert run_hosts(url)[1] == second.pid
            assert postgres.query(url, "SELECT count(*) FROM dispatcher.attempts WHERE outcome = 'unknown'") == [(0,)]
            done = finish(looking_on)
            assert done.code == 0, done.err
        finally:
            looking_on.kill()
        stats = sandbox.stats()
        assert (stats["creates"], stats["duplicates"]) == (ROWS, {})


def test_it_says_every_ten_seconds_how_far_it_is(program: Program, sandbox: SandboxProcess, url: str) -> None:
    """A line for each account; in its log nobody's number, nor a secret."""
    set_up(program, sandbox, url, rate={"per_second": 30})
    with worker(program, "--log-file", "worker.log") as process:
        read_until(process, "Ctrl-C stops it")
        looking_on = ordered(program)
        try:
            line = read_until(process, "/s")
            assert "AC…0000 spring: " in line
            assert f"of {ROWS} rows" in line
        finally:
            looking_on.send_signal(signal.SIGINT)
            finish(looking_on)
        process.send_signal(signal.SIGTERM)
        assert finish(process).code == 0
    log = (program.folder / "worker.log").read_text("utf-8")
    assert TOKEN not in log
    assert "+1202555" not in log
    assert "RunStarted" in log


def test_a_server_that_is_not_there_yet(program: Program, sandbox: SandboxProcess) -> None:
    """It is waited for, said once, and a stop is a stop."""
    state = {"dir": None, "url": "postgresql://postgres@127.0.0.1:1/x"}
    write_settings(program.folder, sandbox.base_url, state=state)
    with worker(program) as process:
        said = read_until(process, "until it is back")
        time.sleep(2.5)
        process.send_signal(signal.SIGTERM)
        result = finish(process, 20)
        assert (result.code, (said + result.err).count("is away")) == (0, 1)


def test_a_server_without_tables_ends_it(program: Program, sandbox: SandboxProcess, url: str) -> None:
    """Nothing that waits would mend that; the command that does is named."""
    write_settings(program.folder, sandbox.base_url, state={"dir": None, "url": url})
    result = program("worker")
    assert result.code == 2
    assert "dispatcher ledger migrate" in result.err


def test_a_ledger_of_one_machine_needs_none(program: Program, sandbox: SandboxProcess) -> None:
    """It is told what does the same there."""
    write_settings(program.folder, sandbox.base_url)
    result = program("worker")
    assert result.code == 2
    assert "[state] url" in result.err
    assert "dispatcher serve" in result.err


def test_nobody_s_credentials(program: Program, sandbox: SandboxProcess) -> None:
    """A worker that could send for nobody is an error; one whose folder is empty waits for files."""
    state = {"dir": None, "url": "postgresql://postgres@127.0.0.1:1/x"}
    write_settings(program.folder, sandbox.base_url, state=state)
    nobody: dict[str, str | None] = dict.fromkeys(CREDENTIALS)
    result = program("worker", env=nobody)
    assert result.code == 4
    assert "credentials_dir" in result.err


def test_a_password_in_the_address(program: Program, sandbox: SandboxProcess) -> None:
    """Is refused, and not shown."""
    write_settings(program.folder, sandbox.base_url, state={"dir": None, "url": f"postgresql://me:{TOKEN}@db/x"})
    result = program("worker")
    assert result.code == 2
    assert "pgpass" in result.err


def test_files_of_credentials(program: Program, sandbox: SandboxProcess, url: str) -> None:
    """One that others may read is told and not used; put right it is, without a restart."""
    folder = program.folder / "accounts"
    folder.mkdir()
    file = folder / "agency.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in CREDENTIALS.items()), encoding="utf-8")
    file.chmod(0o644)
    set_up(program, sandbox, url, cluster={"tick_s": 1, "credentials_dir": str(folder)})
    nobody: dict[str, str | None] = dict.fromkeys(CREDENTIALS)
    with worker(program, env=nobody) as process:
        said = read_until(process, "serves no account")
        assert "others may read the file" in said
        file.chmod(0o600)
        read_until(process, "serves AC…0000")
        write_contacts(program.folder / "spring.csv", 20)
        result = program("run", "spring.csv", "--yes", "--json", env={"TWILIO_AUTH_TOKEN": None})
        assert result.code == 0, result.err
        assert result.json["rows"]["created"] == 20


def test_the_library_of_the_job_queue_is_not_there(
    program: Program, sandbox: SandboxProcess, url: str, tmp_path: Path
) -> None:
    """It is an extra: how it is installed is said."""
    set_up(program, sandbox, url)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "procrastinate.py").write_text("raise ImportError('no procrastinate')\n", encoding="utf-8")
    path = f"{broken}:{program.environment().get('PYTHONPATH', '')}"
    process = program.start("worker", env={"PYTHONPATH": path})
    result = finish(process, 60)
    assert result.code == 2
    assert 'pip install "dispatcher[cluster]"' in result.err
