"""A campaign that is paused: by whoever looks at it, while another process sends it, and by its guard."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from dispatcher.ledger.sqlite.connection import FILE_NAME
from tests.acceptance.cli.nursery import Nursery
from tests.acceptance.cli.program import (
    Program,
    SandboxProcess,
    finish,
    read_report,
    sandbox_process,
    until,
    write_contacts,
    write_settings,
)
from tests.acceptance.cli.test_terminal import terminal
from tests.support.ledgers import raw

ROWS = 200
PER_S = 40


@pytest.fixture
def paced(ready: Program, sandbox: SandboxProcess) -> Program:
    """A campaign that takes some seconds."""
    write_settings(ready.folder, sandbox.base_url, rate={"per_second": PER_S})
    write_contacts(ready.folder / "spring.csv", ROWS)
    return ready


def check_nobody_twice(sandbox: SandboxProcess, creates: int) -> None:
    stats = sandbox.stats()
    assert (stats["creates"], stats["duplicates"], stats["created_by_dispatch_id_duplicates"]) == (creates, {}, {})


def test_while_a_run_sends(paced: Program, sandbox: SandboxProcess) -> None:
    """The run stops within a lot, with a report and 5; what was in flight is recorded; `resume` sends the rest."""
    process = paced.start("run", "spring.csv", "--yes", "--json")
    until(lambda: sandbox.stats()["creates"] >= 20, "creates", process)
    paused = paced("pause", "spring", "--reason", "wrong price")
    at_pause = sandbox.stats()["creates"]
    assert (paused.code, paused.out.splitlines()[0]) == (0, "spring is paused")
    assert "a run is under way: it stops at its next rows" in paused.err
    result = finish(process)
    assert result.code == 5, result.err
    assert "error[paused]: campaign 'spring' is paused since " in result.err
    assert "wrong price" in result.err
    assert "fix: dispatcher resume spring" in result.err
    rows = result.json["rows"]
    assert (result.json["state"], result.json["paused"]["reason"]) == ("paused", "wrong price")
    # A lot is a quarter of a second's rows; two of them may have been claimed.
    assert rows["created"] == sandbox.stats()["creates"] <= at_pause + PER_S
    assert (rows["planned"], rows["sending"], rows["unknown"]) == (ROWS - rows["created"], 0, 0)
    report = read_report(paced.folder / "spring-report.csv")
    assert [row["dispatch_status"] for row in report].count("created") == rows["created"]

    status = paced("status", "spring")
    assert "paused (since " in status.out
    assert "dispatcher resume spring   lifts the pause and sends the " in status.err
    resumed = paced("resume", "spring", "--yes", "--json")
    assert (resumed.code, resumed.json["rows"]["created"], resumed.json["state"]) == (0, ROWS, "finished")
    assert "paused" not in resumed.json
    check_nobody_twice(sandbox, ROWS)


def test_only_resume_lifts_it(paced: Program, sandbox: SandboxProcess) -> None:
    """A scheduled `run --yes` plans its file and stops; so do `retry`, and a `resume` that is told to."""
    sandbox.faults(reject=1)
    assert paced("run", "spring.csv", "--yes", "--limit", "5").code == 3
    sandbox.faults()
    paused = paced("pause", "spring")
    assert (paused.code, paused.out) == (0, "spring is paused; no run is under way\n")
    first = paced("status", "spring", "--json").json["paused"]
    again = paced("pause", "spring", "--reason", "later")
    assert again.code == 0
    assert "it was paused since " in again.err
    assert paced("status", "spring", "--json").json["paused"] == first

    write_contacts(paced.folder / "spring.csv", ROWS + 7)
    for _ in range(2):
        run = paced("run", "spring.csv", "--yes", "--json")
        assert run.code == 5, run.err
        assert "fix: dispatcher resume spring" in run.err
        assert (run.json["state"], run.json["rows"]["planned"]) == ("paused", ROWS + 2)
        assert len(read_report(paced.folder / "spring-report.csv")) == ROWS + 7
    refused = paced("retry", "spring", "--all-rejected", "--yes")
    assert (refused.code, "error[paused]" in refused.err) == (5, True)
    assert paced("resume", "spring", "--yes", "--unless-paused").code == 5
    assert paced("status", "spring", "--json").json["rows"]["rejected"] == 5
    assert sandbox.stats()["creates"] == 0

    assert paced("resume", "spring", "--yes", "--limit", "5", "--json").json["rows"]["created"] == 5
    assert paced("retry", "spring", "--all-rejected", "--yes", "--limit", "5").code == 0
    check_nobody_twice(sandbox, 10)


def test_nothing_is_left_to_send(ready: Program, sandbox: SandboxProcess) -> None:
    """It is said, and holds for what comes later; what has nothing to send is not refused."""
    write_contacts(ready.folder / "spring.csv", 3)
    assert ready("run", "spring.csv", "--yes").code == 0
    paused = ready("pause", "spring", "--json")
    assert (paused.code, paused.json["state"], paused.json["paused"]["by"]) == (0, "finished", "user")
    assert "no row waits" in paused.err
    assert ready("run", "spring.csv", "--yes").code == 0
    assert ready("resume", "spring", "--yes", "--unless-paused").code == 5
    write_contacts(ready.folder / "spring.csv", 4)
    assert ready("run", "spring.csv", "--yes").code == 5
    assert sandbox.stats()["creates"] == 3
    assert ready("pause", "sprung").code == 2


@pytest.fixture
def refusing(ready: Program, sandbox: SandboxProcess) -> Program:
    """Half of all rows are refused, once the first hundred were not."""
    write_settings(ready.folder, sandbox.base_url, guard={"window_rows": 50}, rate={"per_second": 200, "in_flight": 8})
    write_contacts(ready.folder / "spring.csv", 600)
    sandbox.faults(for_requests=100, then={"reject": 0.5})
    return ready


def test_the_guard(refusing: Program, sandbox: SandboxProcess) -> None:
    """Too many refusals stop the run and pause the campaign; only who accepts that goes on, with a fresh window."""
    result = refusing("run", "spring.csv", "--yes", "--json")
    assert result.code == 5, result.err
    assert "error[guard]: the guard has paused campaign 'spring'" in result.err
    assert "of the last 50 answers were refusals: 21211 11" in result.err
    assert "dispatcher resume spring --accept-guard" in result.err
    rows = result.json["rows"]
    assert (result.json["state"], result.json["paused"]["by"]) == ("paused", "guard")
    assert rows["rejected"] + rows["created"] < 250
    assert (rows["sending"], rows["unknown"]) == (0, 0)
    assert "paused (by the guard since " in refusing("status", "spring").out
    for command in (("resume", "spring", "--yes"), ("run", "spring.csv", "--yes")):
        refused = refusing(*command)
        assert (refused.code, "error[guard]" in refused.err) == (5, True)
        assert "11 of the last 50 answers were refusals" in refused.err
    # Somebody's pause does not stand in for the verdict.
    assert refusing("pause", "spring", "--reason", "lunch").code == 0
    assert refusing("resume", "spring", "--yes").code == 5

    sandbox.faults(reject=0.5)
    before = sum(refusing("status", "spring", "--json").json["rows"][state] for state in ("created", "rejected"))
    again = refusing("resume", "spring", "--yes", "--accept-guard", "--json")
    answered = sum(again.json["rows"][state] for state in ("created", "rejected"))
    assert again.code == 5, again.err
    assert answered - before >= 50, "the window was not a fresh one"
    sandbox.faults()
    last = refusing("resume", "spring", "--yes", "--accept-guard", "--json")
    assert last.code == 3
    assert last.json["rows"]["planned"] == 0
    check_nobody_twice(sandbox, last.json["rows"]["created"])


def test_a_verdict_survives_a_kill(ready: Program, sandbox: SandboxProcess) -> None:
    """Killed when the last refusal is on disk and the run is far from its end: so is the pause."""
    write_settings(
        ready.folder,
        sandbox.base_url,
        guard={"window_rows": 50},
        rate={"per_second": 200, "in_flight": 8},
        timeouts={"answer_s": 600, "stop_s": 600},
    )
    write_contacts(ready.folder / "spring.csv", 300)
    # The first request is never answered: without the kill the run would wait for that.
    refusals = {"reject": 1, "for_requests": 11}
    sandbox.faults(hang_after=1, for_requests=1, then={"for_requests": 60, "then": refusals})
    process = ready.start("run", "spring.csv", "--yes")
    until(lambda: refused_rows(ready) == 11, "the last refusal", process)
    process.kill()
    process.communicate()
    sandbox.faults()
    status = ready("status", "spring", "--json").json
    assert (status["state"], status["paused"]["by"]) == ("paused", "guard")
    assert status["paused"]["reason"] == "11 of the last 50 answers were refusals: 21211 11"
    assert ready("resume", "spring", "--yes").code == 5
    last = ready("resume", "spring", "--yes", "--accept-guard", "--json")
    assert (last.code, last.json["rows"]["created"]) == (3, 289)
    check_nobody_twice(sandbox, 289)


def refused_rows(program: Program) -> int:
    """Rows that the ledger's file has as refused."""
    path = next(program.folder.rglob(FILE_NAME), None)
    if path is None:
        return 0
    with raw(path) as db, contextlib.suppress(sqlite3.OperationalError):  # it is being made
        (found,) = db.execute("SELECT count(*) FROM rows WHERE state = 'rejected'").fetchone()
        return int(found)
    return 0


def test_opt_outs_while_it_sends(tmp_path: Path, nursery: Nursery) -> None:
    """What `track` sees during the run stops it, where too many contacts have opted out."""
    program = Program(tmp_path, nursery)
    with sandbox_process(tmp_path, "--limit", "500", "--walk", "--speed", "1000") as sandbox:
        watched = {"window_rows": 50, "max_opted_out": 0.001, "track_every_min": 0.01}
        settings: dict[str, Any] = {"guard": watched, "tracking": {"per_second": 1000}}
        write_settings(tmp_path, sandbox.base_url, rate={"per_second": 50}, **settings)
        write_contacts(tmp_path / "spring.csv", 800)
        result = program("run", "spring.csv", "--yes", "--json")
        assert result.code == 5, result.err
        assert "executions tracked ended in an opt-out" in result.err
        assert (result.json["state"], result.json["paused"]["by"]) == ("paused", "guard")
        assert result.json["rows"]["planned"] > 0
        assert program("resume", "spring", "--yes").code == 5
        write_settings(tmp_path, sandbox.base_url)
        assert program("resume", "spring", "--yes", "--accept-guard").code == 0
        check_nobody_twice(sandbox, program("status", "spring", "--json").json["rows"]["created"])


def test_what_a_server_is_to_send(paced: Program, sandbox: SandboxProcess) -> None:
    """`status` and the launch say so, and why it is held; `resume` lifts that, and sending all takes the order back."""
    assert paced("run", "spring.csv", "--yes", "--limit", "5").code == 0
    with raw(paced.folder / ".dispatcher" / FILE_NAME) as ledger:
        ledger.execute("UPDATE campaigns SET due_ms = 1900000000000, version = version + 1")
        ledger.commit()
        assert "its server is to send it, from 2030-03-17 " in paced("status", "spring").out
        assert paced("status", "spring", "--json").json["due_at"] == "2030-03-17T17:46:40Z"
        ledger.execute(
            "UPDATE campaigns SET wish = 'pause', wished_by = 'held', wish_reason = 'it was off', wished_at_ms = 1"
        )
        ledger.commit()
    assert "paused (held by its server since 1970-01-01" in paced("status", "spring").out
    assert "error[paused]: campaign 'spring' is held by its server" in paced("run", "spring.csv", "--yes").err
    done = paced("resume", "spring", "--yes", "--json")
    assert ": it was off. Going on lifts that" in done.err
    assert "its server is to send it, from 2030-03-17 " in done.err
    assert (done.code, "due_at" in done.json, "paused" in done.json) == (0, False, False)
    check_nobody_twice(sandbox, ROWS)


def test_a_server_does_not_send_what_nobody_agreed_to(paced: Program, sandbox: SandboxProcess) -> None:
    """A file that is planned at a terminal and refused there holds what a page's server is to send, with the reason."""
    assert paced("run", "spring.csv", "--yes", "--limit", "5").code == 0
    with raw(paced.folder / ".dispatcher" / FILE_NAME) as ledger:
        ledger.execute("UPDATE campaigns SET due_ms = 1900000000000, version = version + 1")
        ledger.commit()
    write_contacts(paced.folder / "more.csv", 20, first=5000)
    asked = terminal(paced, "run", "more.csv", "--campaign", "spring", "--add")
    asked.read("to send: ")
    asked.type("no\n")
    code, shown = asked.end()
    assert code == 2
    assert "its server sends nothing more" in shown
    found = paced("status", "spring", "--json").json["paused"]
    assert (found["by"], "nobody has agreed" in found["reason"]) == ("held", True)
    assert sandbox.stats()["creates"] == 5
