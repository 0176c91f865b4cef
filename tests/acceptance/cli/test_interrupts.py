"""Ctrl-C, SIGTERM, a closed terminal, a killed process: what is known is kept, and nobody is sent to twice."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.acceptance.cli.program import (
    PROGRAM,
    TIMEOUT_S,
    Program,
    Result,
    SandboxProcess,
    finish,
    read_report,
    read_until,
    sandbox_process,
    until,
    write_contacts,
    write_settings,
)

ROWS = 120


@pytest.fixture
def slow(program: Program) -> Iterator[SandboxProcess]:
    """Each answer takes a while, so that something is always in flight."""
    with sandbox_process(program.folder, "--latency", "0.15", "--limit", "500", "--ends-after", "600") as sandbox:
        write_settings(program.folder, sandbox.base_url, rate={"per_second": 500, "in_flight": 4})
        write_contacts(program.folder / "spring.csv", ROWS)
        yield sandbox


def interrupted(program: Program, sandbox: SandboxProcess, *signals: signal.Signals, after: int = 8) -> Result:
    """Run, and signal when so many executions are there."""
    process = program.start("run", "spring.csv", "--yes", "--json")
    until(lambda: sandbox.stats()["creates"] >= after, "creates", process)
    said = ""
    for n, number in enumerate(signals):
        if n:
            # Signals that come before the first is taken would be one with it.
            said += read_until(process, "Ctrl-C again")
        process.send_signal(number)
    result = finish(process)
    return replace(result, err=said + result.err)


def check_rest(program: Program, sandbox: SandboxProcess) -> None:
    """What is left is sent, each row once."""
    rest = program("resume", "spring", "--yes", "--json")
    assert rest.code == 0, rest.err
    assert rest.json["rows"]["created"] == ROWS
    stats = sandbox.stats()
    assert (stats["creates"], stats["duplicates"], stats["created_by_dispatch_id_duplicates"]) == (ROWS, {}, {})
    assert {row["dispatch_status"] for row in read_report(program.folder / "spring-report.csv")} == {"created"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_and_resume(program: Program, slow: SandboxProcess, number: signal.Signals) -> None:
    """The first signal finishes what is in flight, reports, and leaves 130; `resume` completes the run."""
    result = interrupted(program, slow, number)
    assert result.code == 130, result.err
    assert "Ctrl-C again leaves at once" in result.err
    assert "dispatcher resume spring" in result.err
    rows = result.json["rows"]
    # Each answer that was on its way has been waited for: nothing is in doubt.
    assert rows["created"] == slow.stats()["creates"] < ROWS
    assert (rows["planned"], rows["sending"], rows["unknown"]) == (ROWS - rows["created"], 0, 0)
    report = read_report(program.folder / "spring-report.csv")
    assert [row["dispatch_status"] for row in report].count("created") == rows["created"]
    assert len(report) == ROWS
    check_rest(program, slow)


def test_the_second_signal_and_resume(program: Program) -> None:
    """The second signal leaves without the answers, and `resume` finds out what became of the requests."""
    with sandbox_process(program.folder, "--limit", "500", "--ends-after", "600") as sandbox:
        write_contacts(program.folder / "spring.csv", ROWS)
        # After a while each request creates and is never answered.
        sandbox.faults(for_requests=20, then={"hang_after": 1})
        # An answer is waited for longer than this test would wait for the end.
        write_settings(
            program.folder,
            sandbox.base_url,
            rate={"per_second": 500, "in_flight": 4},
            timeouts={"answer_s": 600, "stop_s": 600},
        )
        result = interrupted(program, sandbox, signal.SIGINT, signal.SIGINT, after=24)
        assert result.code == 130, result.err
        assert (result.json["rows"]["created"], result.json["rows"]["unknown"]) == (20, 4)
        sandbox.faults()
        check_rest(program, sandbox)


def test_a_run_that_was_killed(program: Program, slow: SandboxProcess) -> None:
    """A run that was killed is shown as interrupted, and `resume` completes it."""
    process = program.start("run", "spring.csv", "--yes")
    until(lambda: slow.stats()["creates"] >= 8, "creates", process)
    process.kill()
    process.communicate()
    assert program("status", "spring", "--json").json["state"] == "interrupted"
    check_rest(program, slow)


def test_a_signal_while_the_file_is_read(ready: Program, sandbox: SandboxProcess) -> None:
    """A signal while the file is read leaves nothing sent, and the next run does it all."""
    # Standard input that never ends: the reading cannot be over before the signal.
    process = subprocess.Popen(
        [*PROGRAM, "run", "-", "--campaign", "spring", "--yes"],
        cwd=ready.folder,
        env=ready.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write("phone,first_name\n")
    process.stdin.flush()
    until((ready.folder / ".dispatcher" / "ledger.sqlite3").exists, "the ledger", process)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    process.stdin.write("".join(f"+1202555{n:04d},A\n" for n in range(100, 110)))
    process.stdin.close()
    process.stdin = None
    result = finish(process)
    assert result.code == 130, result.err
    assert sandbox.stats()["creates_total_requests"] == 0
    contacts = write_contacts(ready.folder / "spring.csv", 10)
    again = ready("run", contacts, "--yes", "--json")
    assert again.code == 0, again.err
    assert again.json["rows"]["created"] == sandbox.stats()["creates"] == 10


def test_a_reader_of_stderr_that_goes_away(program: Program, slow: SandboxProcess) -> None:
    """A reader of stderr that goes away does not stop the run."""
    process = program.start("run", "spring.csv", "--yes", "--json")
    assert process.stderr is not None
    process.stderr.readline()
    process.stderr.close()
    process.stderr = None
    out, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0
    assert f'"created": {ROWS}' in out
    assert slow.stats()["creates"] == ROWS


def test_the_sandbox_stops_at_ctrl_c(program: Program) -> None:
    """The sandbox stops at Ctrl-C, and shows what it saw."""
    process = program.start("sandbox", "--limit", "20")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert (result.code, result.out) == (0, "")
    assert "worst window" in result.err
