"""Notices of runs, against a real receiver: signed, delivered at least once under one id, and nobody's exit code."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from tests.acceptance.cli.program import Program, Result, SandboxProcess, finish, until, write_contacts, write_settings
from tests.support.webhooks import HANG, SECRET, free_port, receiver

RUN = ("run", "spring.csv", "--yes", "--json")
TIMEOUT_S = 1.0


@pytest.fixture
def told(program: Program, sandbox: SandboxProcess) -> Program:
    """The command line in a folder with contacts and a secret; `notify` says who is told."""
    program.env["DISPATCHER_NOTIFY_SECRET"] = SECRET
    write_contacts(program.folder / "spring.csv", 3)
    return program


def notify(program: Program, sandbox: SandboxProcess, **settings: Any) -> None:
    tables = {"notify": {"timeout_s": TIMEOUT_S, **settings}}
    write_settings(program.folder, sandbox.base_url, **tables)


def rows(program: Program, sql: str) -> list[tuple[Any, ...]]:
    db = sqlite3.connect(f"file:{program.folder}/.dispatcher/ledger.sqlite3?mode=ro", uri=True)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def open_notices(program: Program) -> int:
    ((count,),) = rows(program, "SELECT count(*) FROM notices WHERE sent_at_ms IS NULL AND gave_up_at_ms IS NULL")
    return int(count)


def test_a_finished_run_is_told(told: Program, sandbox: SandboxProcess) -> None:
    """Once, signed as a stock library verifies it, with the object of `run --json`."""
    with receiver() as hook:
        notify(told, sandbox, webhook=hook.url)
        result = told(*RUN)
        assert result.code == 0
        assert "notice" not in result.err
        (one,) = hook.received
        notice = one.verified()
        with pytest.raises(WebhookVerificationError):
            one.verified("whsec_" + "A" * 44)
        assert (notice["type"], notice["data"]["exit_code"], notice["data"]["error"]) == ("finished", 0, None)
        own = ("schema", "ledger", "duration_s", "rate_per_s", "run", "hours")
        shown = {name: notice["data"][name] for name in result.json if name not in own}
        assert shown == {name: value for name, value in result.json.items() if name in shown} | {
            "report": str(told.folder / "spring-report.csv")
        }
        assert notice["data"]["run"]["requests"] == 3
        assert notice["data"]["rehearsal"] is True
        # Whoever looks every ten minutes whether anything waits does not tell each time that nothing does.
        assert told("resume", "spring", "--yes").code == 0
        assert len(hook.received) == 1
    assert open_notices(told) == 0


def test_a_webhook_that_is_down_changes_nothing(told: Program, sandbox: SandboxProcess) -> None:
    """Down at the end of a run, failing at the next, then taken: one id, and the exit codes of the runs themselves."""
    port = free_port()
    notify(told, sandbox, webhook=f"http://127.0.0.1:{port}/notices")
    down = told(*RUN)
    assert (down.code, down.json["state"]) == (0, "finished")
    (line,) = [line for line in down.err.splitlines() if "not delivered" in line]
    assert line.startswith("warning: 1 notice is not delivered (the webhook cannot be connected to)")
    assert "dispatcher notify flush" in line
    ((notice_id, tries),) = rows(told, "SELECT notice_id, tries FROM notices")
    assert tries == 5
    with receiver(500, 302, HANG, 204, port=port) as hook:
        later = told("resume", "spring", "--yes")
        assert (later.code, "notice" in later.err) == (0, False)
        assert [one.notice_id for one in hook.received] == [notice_id] * 4
        assert len({one.body for one in hook.received}) == 1
        assert hook.received[-1].verified()["type"] == "finished"
    assert open_notices(told) == 0


def test_a_flush_delivers_what_is_left(told: Program, sandbox: SandboxProcess) -> None:
    """It says how many; what is left is an error of its own, and of no run."""
    port = free_port()
    notify(told, sandbox, webhook=f"http://127.0.0.1:{port}/notices")
    assert told(*RUN).code == 0
    failed = told("notify", "flush")
    assert (failed.code, failed.out) == (5, "0 notices delivered, 1 left\n")
    assert "error[notices]: 1 notice is not delivered" in failed.err
    with receiver(port=port) as hook:
        flushed = told("notify", "flush", "--json")
        assert (flushed.code, flushed.found) == (0, {"delivered": 1, "given_up": 0, "left": 0, "others": 0})
        assert told("notify", "flush").out == "0 notices delivered, 0 left\n"
        assert len(hook.received) == 1


def test_a_kill_before_delivery_loses_nothing(told: Program, sandbox: SandboxProcess) -> None:
    """Killed with SIGKILL while the receiver has its request: the same notice, under the same id, by the next flush."""
    with receiver(HANG, 204) as hook:
        notify(told, sandbox, webhook=hook.url, timeout_s=3.0)
        process = told.start(*RUN)
        until(lambda: hook.received, "a notice", process)
        process.kill()
        process.communicate()
        assert open_notices(told) == 1
        assert told("notify", "flush").code == 0
        assert len({one.notice_id for one in hook.received}) == 1
        assert [one.verified()["data"]["rows"]["created"] for one in hook.received] == [3, 3]
    assert open_notices(told) == 0


def test_a_killed_run_is_told(told: Program, sandbox: SandboxProcess) -> None:
    """By the next command that sends, while it still does; and that one is told of at its own end."""
    with receiver() as hook:
        notify(told, sandbox, webhook=hook.url)
        sandbox.faults(hang=1)
        process = told.start(*RUN)
        until(lambda: sandbox.stats()["creates_total_requests"], "a request", process)
        process.kill()
        process.communicate()
        assert hook.received == []
        write_contacts(told.folder / "spring.csv", 6)
        process = told.start(*RUN)
        until(lambda: hook.received, "the first notice", process)
        killed = hook.received[0].verified()
        assert (killed["type"], killed["data"]["error"]["code"], killed["data"]["exit_code"]) == (
            "stopped",
            "killed",
            None,
        )
        assert killed["data"]["rows"]["unknown"] > 0
        assert process.poll() is None
        process.kill()
        process.communicate()
        sandbox.faults()
        assert told("resume", "spring", "--yes").code in (0, 6)
        runs = [one.verified()["data"]["run"]["id"] for one in hook.received]
        assert (len(runs), len(set(runs))) == (3, 3)
        assert hook.received[-1].verified()["type"] == "finished"


def test_a_run_that_stops_early_says_why(told: Program, sandbox: SandboxProcess) -> None:
    """The kind is `stopped`, with the error's code and sentence and the run's own exit code."""
    with receiver() as hook:
        notify(told, sandbox, webhook=hook.url)
        sandbox.faults(_401=1)
        result = told(*RUN, "--no-preflight")
        sandbox.faults()
        assert result.code == 4
        notice = hook.received[-1].verified()
        assert (notice["type"], notice["data"]["exit_code"]) == ("stopped", 4)
        assert notice["data"]["error"]["code"] == "authentication"
        assert f"error[authentication]: {notice['data']['error']['message']}" in result.err


def test_only_what_is_asked_for_is_told(told: Program, sandbox: SandboxProcess) -> None:
    """`on` chooses the kinds, and an unknown one is an error before anything is read."""
    with receiver() as hook:
        notify(told, sandbox, webhook=hook.url, on=["stopped"])
        assert told(*RUN).code == 0
        assert (hook.received, open_notices(told)) == ([], 0)
        notify(told, sandbox, webhook=hook.url, on=["finish"])
        wrong = told(*RUN)
    assert wrong.code == 2
    assert "[notify] on" in wrong.err


def test_a_receiver_that_is_gone_is_left(told: Program, sandbox: SandboxProcess) -> None:
    """410: its notices are given up, after one try."""
    with receiver(410) as hook:
        notify(told, sandbox, webhook=hook.url)
        assert told(*RUN).code == 0
        assert told("resume", "spring", "--yes").code == 0
        assert len(hook.received) == 1
    assert open_notices(told) == 0


def test_without_a_secret_nothing_is_signed(told: Program, sandbox: SandboxProcess) -> None:
    """It is sent all the same, and said once; a secret that is none stops everything before it begins."""
    with receiver() as hook:
        notify(told, sandbox, webhook=hook.url)
        result = told(*RUN, env={"DISPATCHER_NOTIFY_SECRET": None})
        assert (result.code, result.err.count("unsigned")) == (0, 1)
        (one,) = hook.received
        assert "webhook-signature" not in one.headers
        wrong = told("resume", "spring", "--yes", env={"DISPATCHER_NOTIFY_SECRET": "whsec_short"})
        assert wrong.code == 4
        assert "whsec_short" not in wrong.out + wrong.err


def command(folder: Path, body: str) -> list[str]:
    program = folder / "tell"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o700)
    return [str(program), "an argument"]


def test_a_command_has_the_notice_on_its_input(told: Program, sandbox: SandboxProcess) -> None:
    """Its arguments as they are, no shell, none of the secrets in its environment; one that fails is tried again."""
    argv = command(told.folder, 'cat > notice.json; env > env.txt; echo "$1" > argument; test -e ok')
    notify(told, sandbox, command=argv)
    failed = told(*RUN)
    assert failed.code == 0
    assert "1 notice is not delivered (the command ended with 1)" in failed.err
    first = (told.folder / "notice.json").read_text()
    (told.folder / "ok").touch()
    assert told("notify", "flush").out == "1 notice delivered, 0 left\n"
    assert (told.folder / "notice.json").read_text() == first
    assert json.loads(first)["type"] == "finished"
    assert (told.folder / "argument").read_text() == "an argument\n"
    environment = (told.folder / "env.txt").read_text()
    ((notice_id,),) = rows(told, "SELECT notice_id FROM notices")
    assert f"DISPATCHER_NOTICE_ID={notice_id}" in environment
    assert "TWILIO_" not in environment
    assert "NOTIFY_SECRET" not in environment


def test_a_command_that_hangs_is_ended(told: Program, sandbox: SandboxProcess) -> None:
    """With all that it has started; the run ends as it would have."""
    argv = command(told.folder, "sleep 600 & echo $! > pid; wait")
    notify(told, sandbox, command=argv, timeout_s=0.3)
    result = told(*RUN)
    assert result.code == 0
    assert "the command took longer than 0.3 s" in result.err
    pid = int((told.folder / "pid").read_text())
    until(lambda: not alive(pid), "its child's end")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_test_notice_says_how_it_went(told: Program, sandbox: SandboxProcess) -> None:
    """To every channel, at once and once; 5 where one does not take it, 2 where there is none."""
    (told.folder / "ok").touch()
    argv = command(told.folder, "cat > notice.json; test -e ok")
    with receiver(204, 500) as hook:
        notify(told, sandbox, webhook=hook.url, command=argv)
        good = told("notify", "test")
        assert (good.code, good.out) == (0, "webhook: delivered\ncommand: delivered\n")
        assert hook.received[0].verified()["type"] == "test"
        bad = told("notify", "test")
        assert (bad.code, bad.out) == (5, "webhook: the webhook answered HTTP 500\ncommand: delivered\n")
        assert len(hook.received) == 2
    notify(told, sandbox)
    assert told("notify", "test").code == 2


def test_another_folders_notices_are_left(told: Program, sandbox: SandboxProcess) -> None:
    """One ledger, two webhooks: a flush for the one does not tell the other's, unless it is to."""
    with receiver(500) as first, receiver() as second:
        notify(told, sandbox, webhook=first.url)
        assert told(*RUN).code == 0
        notify(told, sandbox, webhook=second.url)
        result = told("notify", "flush")
        assert (result.out, second.received) == ("0 notices delivered, 0 left\n", [])
        assert "1 notice more" in result.err
        assert told("notify", "flush", "--all").out == "1 notice delivered, 0 left\n"
        assert len(second.received) == 1


def test_two_deliver_at_once_without_doubles(told: Program, sandbox: SandboxProcess) -> None:
    """Each notice is sent by one of them."""
    port = free_port()
    notify(told, sandbox, webhook=f"http://127.0.0.1:{port}/notices")
    for n in range(3):
        write_contacts(told.folder / "spring.csv", 3 + n)
        write = told.start(*RUN, "--report", "report.csv")
        until(lambda n=n: made(told) == n + 1, "a notice", write)  # type: ignore[misc]
        write.kill()
        write.communicate()
    time.sleep(TIMEOUT_S + 2.1)
    with receiver(port=port) as hook:
        both = [told.start("notify", "flush") for _ in range(2)]
        results: list[Result] = [finish(process) for process in both]
        assert [result.code for result in results] == [0, 0]
        assert len(hook.received) == len({one.notice_id for one in hook.received}) == 3


def made(program: Program) -> int:
    try:
        ((count,),) = rows(program, "SELECT count(*) FROM notices")
    except sqlite3.OperationalError:
        return 0
    return int(count)


def test_ctrl_c_ends_the_delivery_too(told: Program, sandbox: SandboxProcess) -> None:
    """Whoever presses it while a receiver hangs waits no longer; the run's exit code stands."""
    with receiver(HANG) as hook:
        notify(told, sandbox, webhook=hook.url, timeout_s=100.0)
        process = told.start(*RUN)
        until(lambda: hook.received, "a notice", process)
        os.kill(process.pid, 2)
        result = finish(process, 20)
        assert (result.code, result.json["state"]) == (0, "finished")
        assert "1 notice is not delivered" in result.err


def test_a_notice_shows_nothing_personal(told: Program, sandbox: SandboxProcess) -> None:
    """Neither numbers, names, cells nor secrets, whatever a run meets: in the body, nor in what the ledger keeps."""
    canaries = ["+12025550142", "2025550142", "Canaryname", "Cellcanary", SECRET, told.env["TWILIO_AUTH_TOKEN"]]
    (told.folder / "spring.csv").write_text(
        "phone,first_name,Canarycolumn\n+12025550142,Canaryname,Cellcanary\nCellcanary,Canaryname,2\n+12025550142,x,y\n"
    )
    with receiver(500, 204) as hook:
        notify(told, sandbox, webhook=hook.url + "?token=" + "Urlcanary0123456789")
        for fault in ({"reject": 1}, {"_500": 1}, {"_403": 1}, {}):
            sandbox.faults(**fault)
            told(*RUN, "--no-preflight", "--report", "report.csv")
            told("retry", "spring", "--all-rejected", "--yes", "--report", "report.csv")
        sandbox.faults()
        bodies = "".join(one.body for one in hook.received)
        assert len({one.notice_id for one in hook.received}) > 1
    kept = json.dumps(rows(told, "SELECT * FROM notices"))
    assert "spring" in bodies
    for canary in (*canaries, "Canarycolumn", "Urlcanary"):
        assert canary not in bodies + kept, canary


def test_hooks_are_never_followed(told: Program, sandbox: SandboxProcess) -> None:
    """A redirect is no delivery: what is behind it was not chosen."""
    with receiver(307) as hook:
        notify(told, sandbox, webhook=hook.url)
        result = told(*RUN)
        assert (result.code, "HTTP 307" in result.err) == (0, True)
        assert len(hook.received) == 5


def test_what_waits_is_told_once(told: Program, sandbox: SandboxProcess) -> None:
    """With when it goes on; the next looks through the night are silent, and the end is told."""
    now = datetime.now(UTC)
    before, opens, closes = ((now + timedelta(hours=h)).strftime("%H:%M") for h in (-1, 3, 5))
    hours = {"mode": "wait", "presets": [], "close_early_min": 0}
    (told.folder / "spring.csv").write_text("phone,first_name,zone\n+12025550142,Ann,UTC\n")
    with receiver() as hook:
        tables = {"notify": {"webhook": hook.url}, "columns": {"zone": "zone"}}
        write_settings(told.folder, sandbox.base_url, hours=hours | {"open": f"{opens}-{closes}"}, **tables)
        run = told(*RUN)
        assert run.code == 7
        (one,) = hook.received
        notice = one.verified()
        assert (notice["type"], notice["data"]["exit_code"]) == ("waiting", 7)
        assert (notice["data"]["next_at"], notice["data"]["waiting"]) == (run.json["next_at"], run.json["waiting"])
        assert [told("resume", "spring", "--yes").code for _ in range(2)] == [7, 7]
        assert len(hook.received) == 1
        write_settings(told.folder, sandbox.base_url, hours=hours | {"open": f"{before}-{opens}"}, **tables)
        assert told("resume", "spring", "--yes").code == 0
        assert [one.verified()["type"] for one in hook.received] == ["waiting", "finished"]


def test_the_guards_verdict_is_told(told: Program, sandbox: SandboxProcess) -> None:
    """With its numbers, and as a kind of its own."""
    write_contacts(told.folder / "spring.csv", 300)
    with receiver() as hook:
        tables: dict[str, dict[str, Any]] = {"notify": {"webhook": hook.url}, "guard": {"window_rows": 50}}
        write_settings(told.folder, sandbox.base_url, rate={"per_second": 200, "in_flight": 8}, **tables)
        sandbox.faults(reject=0.5)
        assert told(*RUN).code == 5
        sandbox.faults()
        (one,) = hook.received
        notice = one.verified()
        assert (notice["type"], notice["data"]["exit_code"], notice["data"]["state"]) == ("guard", 5, "paused")
        assert "of the last 50 answers were refusals" in notice["data"]["paused"]["reason"]
