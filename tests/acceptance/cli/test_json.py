"""`--json` and `--json-events`: one object for every exit, as docs/schemas says, and nothing else on stdout."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from tests.acceptance.cli.program import (
    ACCOUNT_SID,
    CREDENTIALS,
    PROGRAM,
    Program,
    Result,
    SandboxProcess,
    finish,
    phone,
    read_until,
    until,
    write_contacts,
    write_settings,
)
from tests.support.schemas import check

NONE: dict[str, str | None] = dict.fromkeys(CREDENTIALS)
JSON = ("--yes", "--json")


def answer(done: Result, code: int, schema: str = "run") -> dict[str, Any]:
    """Stdout, which is one line, one object, and says how the command ended."""
    assert done.code == code, done.err
    assert done.out.count("\n") == 1, done.out
    found: dict[str, Any] = done.json
    check(schema, found)
    assert (found["schema"], found["exit_code"]) == (1, code)
    return found


def test_all_created(ready: Program) -> None:
    """0: no error, and this run's own counts beside the campaign's."""
    write_contacts(ready.folder / "spring.csv", 5)
    first = answer(ready("run", "spring.csv", *JSON, "--limit", "2"), 0)
    assert (first["error"], first["run"]["created"], first["rows"]["created"]) == (None, 2, 2)
    second = answer(ready("resume", "spring", *JSON), 0)
    assert (second["run"]["created"], second["rows"]["created"], second["attempts"]) == (3, 5, 5)
    assert second["run"]["id"] > first["run"]["id"]
    assert second["hours"]["mode"] == "off"
    none = answer(ready("retry", "spring", "--all-rejected", *JSON), 0)
    assert (none["run"], none["rows"]["created"]) == (None, 5)


def test_a_bug(ready: Program) -> None:
    """1: even then there is an object, with what is known of the campaign; a secret or a number is not in it."""
    write_contacts(ready.folder / "spring.csv", 2)
    script = (
        "import sys\nfrom dispatcher.cli import launching\nfrom dispatcher.cli.app import main\n"
        "async def broken(*a, **k):\n    raise RuntimeError('canary-7f3b9c-token +12025550100')\n"
        "launching.send = broken\nsys.exit(main(['run', 'spring.csv', '--yes', '--json']))\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ready.folder,
        env=ready.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    found = answer(Result(process.returncode, process.stdout, process.stderr), 1)
    assert (found["error"]["code"], found["campaign"], found["rows"]["planned"]) == ("internal", "spring", 2)
    assert "canary" not in process.stdout + process.stderr
    assert "5550100" not in process.stdout + process.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("run",), "usage"),
        (("run", "spring.csv", "--no-such-option"), "usage"),
        (("run", "nowhere.csv"), "input"),
        (("run", "spring.csv", "--rate", "0"), "settings"),
        (("run", "spring.csv", "--config", "nowhere.toml"), "settings"),
        (("run", "spring.csv", "--to", "nowhere"), "column"),
        (("run", "spring.csv", "--profile", "eu"), "settings"),
        (("resume", "nowhere"), "campaign_not_found"),
        (("retry", "nowhere"), "campaign_not_found"),
        (("run", "spring.csv", "--add", "--remove"), "usage"),
    ],
)
def test_what_was_wrongly_asked(ready: Program, arguments: tuple[str, ...], code: str) -> None:
    """2: usage, settings, file, column, campaign; every key is there, null where nothing is known."""
    write_contacts(ready.folder / "spring.csv", 2)
    found = answer(ready(*arguments, *JSON), 2)
    assert found["error"]["code"] == code
    assert found["run"] is None
    assert not any((found["rows"] or {}).values())


def test_no_terminal_to_answer(ready: Program) -> None:
    """2: who asks without --yes and without a terminal gets an object, too; of one command it is named."""
    write_contacts(ready.folder / "spring.csv", 2)
    assert "--yes" in answer(ready("run", "spring.csv", "--json"), 2)["error"]["fix"]


def test_some_refused(ready: Program, sandbox: SandboxProcess) -> None:
    """3: the run came to its end, so that there is no error."""
    write_contacts(ready.folder / "spring.csv", [f"{phone(100)},A", "123,Wrong"])
    found = answer(ready("run", "spring.csv", *JSON), 3)
    assert (found["error"], found["rows"]["invalid"], found["run"]["created"]) == (None, 1, 1)


def test_no_credentials(ready: Program) -> None:
    """4: what is missing, and how to set it."""
    write_contacts(ready.folder / "spring.csv", 2)
    found = answer(ready("run", "spring.csv", *JSON, env=NONE), 4)
    assert found["error"]["code"] == "authentication"
    assert "TWILIO_ACCOUNT_SID" in found["error"]["fix"]


def test_stopped_early(ready: Program) -> None:
    """5: paused by somebody; the report that was written all the same is in it, and how to go on."""
    write_contacts(ready.folder / "spring.csv", 3)
    answer(ready("run", "spring.csv", *JSON, "--limit", "1"), 0)
    answer(ready("pause", "spring", "--json"), 0, "status")
    found = answer(ready("run", "spring.csv", *JSON), 5)
    assert (found["error"]["code"], found["state"], found["rows"]["planned"]) == ("paused", "paused", 2)
    assert found["report"].endswith("spring-report.csv")
    assert "resume spring" in found["error"]["fix"]


def test_no_connection(ready: Program) -> None:
    """5: Studio cannot be reached: the error that ended the run, and counts of a run that sent nothing."""
    write_contacts(ready.folder / "spring.csv", 3)
    write_settings(ready.folder, "http://127.0.0.1:9", retry={"read_attempts": 1, "connect_attempts": 1})
    found = answer(ready("run", "spring.csv", *JSON, "--no-preflight"), 5)
    assert found["error"] is not None
    assert found["rows"]["planned"] == 3


def test_left_unknown(ready: Program, sandbox: SandboxProcess) -> None:
    """6: rows that it has left unknown are this run's own count."""
    write_settings(ready.folder, sandbox.base_url, reconcile={"at_end": False, "settle_s": 30})
    sandbox.faults(reset_after=1)
    write_contacts(ready.folder / "spring.csv", 2)
    found = answer(ready("run", "spring.csv", *JSON), 6)
    assert (found["run"]["unknown"], found["rows"]["unknown"], found["run"]["created"]) == (2, 2, 0)


def test_only_waiting_rows(ready: Program) -> None:
    """7: until when they wait, and no error."""
    write_contacts(ready.folder / "spring.csv", 2)
    found = answer(ready("run", "spring.csv", *JSON, "--start-at", "2090-01-01T00:00Z"), 7)
    assert (found["error"], found["next_at"], found["waiting"][0]["rows"]) == (None, "2090-01-01T00:00:00Z", 2)
    assert found["waiting"][0]["why"] == "start"
    status = answer(ready("status", "spring", "--json"), 0, "status")
    assert status["rows"]["planned"] == 2


def slow(program: Program, sandbox: SandboxProcess, *arguments: str) -> subprocess.Popen[str]:
    """A run of some minutes, once it sends."""
    write_settings(program.folder, sandbox.base_url, rate={"per_second": 2})
    write_contacts(program.folder / "spring.csv", 300)
    process = program.start("run", "spring.csv", "--yes", *arguments)
    until(lambda: sandbox.stats()["creates"], "the first execution", process)
    return process


def test_interrupted(ready: Program, sandbox: SandboxProcess) -> None:
    """130: with what it has done until then."""
    process = slow(ready, sandbox, "--json")
    process.send_signal(signal.SIGINT)
    found = answer(finish(process), 130)
    assert found["error"]["code"] == "interrupted"
    assert found["run"]["created"] == found["rows"]["created"] == sandbox.stats()["creates"]


def test_interrupted_before_the_first_row(ready: Program, sandbox: SandboxProcess) -> None:
    """130: at the question for the account, say; nothing is known of its rows."""
    first = slow(ready, sandbox)
    process = ready.start("resume", "spring", "--yes", "--json", "--wait")
    read_until(process, "waits:")
    process.send_signal(signal.SIGTERM)
    found = answer(finish(process), 130)
    assert (found["campaign"], found["run"], found["error"]["code"]) == ("spring", None, "interrupted")
    first.send_signal(signal.SIGINT)
    finish(first)


def test_left_at_once(ready: Program, sandbox: SandboxProcess) -> None:
    """130: the second signal gives up what is in flight, and there is an object as well."""
    sandbox.faults(slow_after=1)
    process = slow(ready, sandbox, "--json")
    process.send_signal(signal.SIGINT)
    read_until(process, "Ctrl-C again leaves at once")
    process.send_signal(signal.SIGINT)
    found = answer(finish(process), 130)
    assert found["error"]["code"] == "interrupted"


@pytest.mark.parametrize("is_read", [True, False])
def test_left_without_waiting_for_anything(ready: Program, is_read: bool) -> None:
    """130: where nothing is waited for any more, not a reader either; the object is written if there is one."""
    full = "" if is_read else "sys.stdout.write('x' * 65536)\nsys.stdout.flush()\n"
    script = (
        f"import sys\nfrom dispatcher.cli import interrupts\nfrom dispatcher.cli.render import answers\n{full}"
        "answers.begin(['run', 'spring.csv', '--json'])\nanswers.know(campaign='spring')\ninterrupts._leave()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ready.folder)
    assert process.wait(60) == 130
    assert process.stdout is not None
    out = process.stdout.read()
    process.stdout.close()
    if is_read:
        assert answer(Result(130, out, ""), 130)["campaign"] == "spring"


@pytest.mark.parametrize(
    ("arguments", "env", "code"),
    [
        (("status", "nowhere"), {}, 2),
        (("check", "nowhere.csv"), {}, 2),
        (("run", "nowhere.csv", "--dry-run"), {}, 2),
        (("run", "spring.csv", "--test-to", "1"), {}, 2),
        (("flows",), NONE, 4),
        (("executions", "list"), NONE, 4),
        (("executions", "show", "FN1"), {}, 2),
        (("track", "nowhere"), {}, 2),
        (("recall", "nowhere", "--yes"), {}, 2),
        (("reconcile", "nowhere"), {}, 2),
        (("cancel", "nowhere", "--reason", "why", "--yes"), {}, 2),
        (("pause", "nowhere"), {}, 2),
        (("summary", "nowhere"), {}, 2),
        (("suppress", "check", "what"), {}, 2),
        (("hours", "what"), {}, 2),
        (("config", "show", "--config", "nowhere.toml"), {}, 2),
        (("doctor", "--config", "nowhere.toml"), {}, 2),
        (("login",), NONE, 2),
        (("nonsense",), {}, 2),
        (("notify", "flush", "--config", "nowhere.toml"), {}, 2),
    ],
)
def test_every_command_says_its_error(
    ready: Program, arguments: tuple[str, ...], env: dict[str, str | None], code: int
) -> None:
    """Of whatever command: one object with the error, and the same words on stderr."""
    write_contacts(ready.folder / "spring.csv", 2)
    found = answer(ready(*arguments, "--json", env=env), code, "answer")
    if arguments[0] != "doctor":
        assert f"error[{found['error']['code']}]" in ready(*arguments, "--json", env=env).err


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "spring"),
        ("summary", "spring"),
        ("check", "spring.csv"),
        ("run", "spring.csv", "--dry-run"),
        ("track", "spring"),
        ("recall", "spring", "--yes"),
        ("reconcile", "spring"),
        ("cancel", "spring", "--reason", "why", "--yes"),
        ("config", "show"),
        ("hours",),
        ("doctor",),
        ("pause", "spring"),
        ("login", "--remove"),
    ],
)
def test_every_object_has_its_frame(ready: Program, arguments: tuple[str, ...]) -> None:
    """Where all is well: `schema`, `exit_code`, and an error that is null."""
    write_contacts(ready.folder / "spring.csv", 2)
    assert ready("run", "spring.csv", "--yes").code == 0
    done = ready(*arguments, "--json")
    found = answer(done, done.code, "answer")
    assert (done.code, found["error"]) in ((0, None), (3, None))


def test_lists_stay_lists(ready: Program) -> None:
    """What was a list is one; and help is no JSON."""
    assert ready("status", "--json").json == []
    assert isinstance(ready("flows", "--json").json, list)
    assert "Usage" in ready("run", "--json", "--help").out


def test_stdout_that_cannot_be_written(ready: Program) -> None:
    """A full disk, a reader that has gone, no stdout at all: the exit code is the run's, and nothing is a bug."""
    write_contacts(ready.folder / "spring.csv", [f"{phone(100)},A", "123,Wrong"])
    for number, ending in enumerate((">/dev/full", "| true", ">&-")):
        run = f"{' '.join(PROGRAM)} run spring.csv --campaign s{number} --yes --json --again"
        line = f"{{ {run}; echo $? >code; }} {ending}" if ending == "| true" else f"{run} {ending}; echo $? >code"
        done = subprocess.run(
            ["sh", "-c", line], cwd=ready.folder, env=ready.environment(), capture_output=True, text=True, check=False
        )
        assert (ready.folder / "code").read_text().strip() == "3", (ending, done.stderr)
        assert "internal" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("campaigns", "list"), 2),
        (("status", "spring"), 2),
        (("run", "good.csv", "--dry-run"), 2),
        (("status", "nowhere"), 2),
        (("retry", "spring", "--all-rejected", "--yes"), 0),
        (("run", "good.csv", "--test-to", phone(7), "--yes"), 0),
    ],
)
def test_json_that_nobody_got_is_no_success(ready: Program, arguments: tuple[str, ...], code: int) -> None:
    """Where the object is all that a command gives, a full disk is told by the exit code; what was sent, was sent."""
    write_contacts(ready.folder / "good.csv", 2)
    write_contacts(ready.folder / "spring.csv", [f"{phone(100)},A", "123,Wrong"])
    assert ready("run", "spring.csv", "--yes").code == 3
    line = f"{shlex.join((*PROGRAM, *arguments))} --json >/dev/full"
    done = subprocess.run(
        ["sh", "-c", line], cwd=ready.folder, env=ready.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert "the JSON cannot be written" in done.stderr


# --- events ---


def lines_of(out: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in out.splitlines()]
    for line in found:
        check("events", line)
    return found


def moments(lines: list[dict[str, Any]]) -> list[datetime]:
    return [datetime.fromisoformat(line["at"]) for line in lines if line["event"] == "state"]


def test_events_of_a_run(ready: Program, sandbox: SandboxProcess) -> None:
    """The first names the schema, the states grow, the last is the object of --json; four a second, and no contact."""
    write_settings(ready.folder, sandbox.base_url, rate={"per_second": 30})
    write_contacts(ready.folder / "spring.csv", 60)
    done = ready("run", "spring.csv", "--yes", "--json-events")
    assert done.code == 0, done.err
    lines = lines_of(done.out)
    assert (lines[0]["event"], lines[0]["schema"], lines[0]["command"]) == ("begin", 1, "run")
    assert [line["event"] for line in lines[1:-1]] == ["state"] * (len(lines) - 2)
    end = {name: value for name, value in lines[-1].items() if name != "event"}
    check("run", end)
    assert (end["exit_code"], end["run"]["created"]) == (0, 60)
    done_rows = [line["done"] for line in lines[1:-1]]
    assert done_rows == sorted(done_rows)
    assert done_rows[-1] == 60
    assert any(0 < n < 60 for n in done_rows)
    times = moments(lines)
    gaps = [(after - before).total_seconds() for before, after in pairwise(times[:-1])]
    assert all(gap > 0.2 for gap in gaps), gaps
    assert re.search(r"\+?1?202555\d{4}|Name \d", done.out) is None
    assert ACCOUNT_SID not in done.out


@pytest.mark.parametrize(
    ("arguments", "code"), [(("nowhere.csv",), 2), (("spring.csv", "--rate", "0"), 2), ((), 2), (("spring.csv",), 4)]
)
def test_events_of_what_did_not_begin(ready: Program, arguments: tuple[str, ...], code: int) -> None:
    """The last line is the end with its error, however early that is."""
    write_contacts(ready.folder / "spring.csv", 2)
    done = ready("run", *arguments, "--yes", "--json-events", env=NONE if code == 4 else {})
    assert done.code == code
    end = lines_of(done.out)[-1]
    assert (end["event"], end["exit_code"], end["error"] is not None) == ("end", code, True)


def test_a_reader_that_is_slow_holds_nothing_up(ready: Program, sandbox: SandboxProcess) -> None:
    """Nobody reads, and the pipe is full: all is sent all the same, and once it is read the last line is the end."""
    write_settings(ready.folder, sandbox.base_url, rate={"per_second": 30})
    write_contacts(ready.folder / "spring.csv", 150)
    reading, writing = os.pipe()
    import fcntl

    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    process = subprocess.Popen(
        [*PROGRAM, "run", "spring.csv", "--yes", "--json-events"],
        cwd=ready.folder,
        env=ready.environment(),
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    os.close(writing)
    until(lambda: sandbox.stats()["creates"] == 150, "all rows", process)
    until(lambda: (ready.folder / "spring-report.csv").exists(), "the report", process)
    with os.fdopen(reading, encoding="utf-8") as file:
        lines = lines_of(file.read())
    assert process.wait() == 0
    assert (lines[0]["event"], lines[-1]["event"]) == ("begin", "end")


def test_a_reader_that_goes_holds_nothing_up(ready: Program, sandbox: SandboxProcess) -> None:
    """Whoever has seen enough: the run goes on to its end, with its own exit code."""
    write_settings(ready.folder, sandbox.base_url, rate={"per_second": 30})
    write_contacts(ready.folder / "spring.csv", 60)
    line = f"{{ {' '.join(PROGRAM)} run spring.csv --yes --json-events; echo $? >code; }} | head -n 2"
    done = subprocess.run(
        ["sh", "-c", line], cwd=ready.folder, env=ready.environment(), capture_output=True, text=True, check=False
    )
    assert ((ready.folder / "code").read_text().strip(), sandbox.stats()["creates"]) == ("0", 60), done.stderr
    assert "error" not in done.stderr


def test_events_of_an_interrupted_run(ready: Program, sandbox: SandboxProcess) -> None:
    """The last line says so."""
    process = slow(ready, sandbox, "--json-events")
    process.send_signal(signal.SIGINT)
    done = finish(process)
    end = lines_of(done.out)[-1]
    assert (done.code, end["event"], end["error"]["code"]) == (130, "end", "interrupted")
