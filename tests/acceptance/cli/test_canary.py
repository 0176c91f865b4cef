"""A campaign's first rows are sent, looked at, and let the others go or not; whatever kills the run meanwhile."""

from __future__ import annotations

import contextlib
import functools
import re
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dispatcher.ledger.sqlite.connection import FILE_NAME
from tests.acceptance.cli.nursery import Nursery
from tests.acceptance.cli.program import (
    Program,
    SandboxProcess,
    finish,
    phone,
    read_report,
    sandbox_process,
    until,
    write_contacts,
    write_settings,
)
from tests.support.ledgers import raw

ROWS = 300
CANARY = 60


@pytest.fixture
def walking(tmp_path: Path) -> Iterator[SandboxProcess]:
    """A sandbox whose contacts answer at once; some are not reached, and some reply STOP."""
    with sandbox_process(tmp_path, "--limit", "500", "--walk", "--speed", "1000") as sandbox:
        yield sandbox


def prepared(folder: Path, nursery: Nursery, sandbox: SandboxProcess, max_share: float, **canary: Any) -> Program:
    """A campaign whose canary is looked at after half a second."""
    shares = {"max_failed": max_share, "max_opted_out": max_share}
    write_settings(
        folder,
        sandbox.base_url,
        canary={"rows": CANARY, "wait_min": 0.01, **shares, **canary},
        rate={"per_second": 200},
        tracking={"per_second": 1000},
    )
    write_contacts(folder / "spring.csv", ROWS)
    return Program(folder, nursery)


def asked(program: Program, sql: str) -> Any:
    """What the ledger's file says; None: nothing yet."""
    path = next(program.folder.rglob(FILE_NAME), None)
    if path is None:
        return None
    with raw(path) as db, contextlib.suppress(sqlite3.OperationalError):  # it is being made
        found = db.execute(sql).fetchone()
        return found[0] if found else None
    return None


def check_nobody_twice(sandbox: SandboxProcess, creates: int) -> None:
    stats = sandbox.stats()
    assert (stats["creates"], stats["duplicates"], stats["created_by_dispatch_id_duplicates"]) == (creates, {}, {})


def test_it_passes(tmp_path: Path, nursery: Nursery, walking: SandboxProcess) -> None:
    """The others follow by themselves, and neither a second run nor a new file asks again."""
    program = prepared(tmp_path, nursery, walking, 0.9)
    result = program("run", "spring.csv", "--yes", "--json")
    assert result.code == 0, result.err
    assert result.json["rows"]["created"] == ROWS
    assert asked(program, "SELECT verdict FROM canaries") == "passed"
    write_contacts(tmp_path / "spring.csv", 2 * ROWS)
    again = program("run", "spring.csv", "--yes", "--json")
    assert (again.code, again.json["rows"]["created"]) == (0, 2 * ROWS)
    check_nobody_twice(walking, 2 * ROWS)


def test_it_stops(tmp_path: Path, nursery: Nursery, walking: SandboxProcess) -> None:
    """With the numbers, spread over the file; only who accepts that goes on."""
    program = prepared(tmp_path, nursery, walking, 0.001)
    result = program("run", "spring.csv", "--yes", "--json")
    assert result.code == 5, result.err
    assert "error[canary]: the canary has paused campaign 'spring'" in result.err
    numbers = result.json["paused"]["reason"]
    assert re.fullmatch(r"(\d+ of \d\d (failed: .+|opted out); more than 0\.1 %(; )?)+", numbers)
    assert numbers in result.err
    assert "dispatcher resume spring --accept-canary" in result.err
    assert (result.json["state"], result.json["paused"]["by"]) == ("paused", "canary")
    assert (result.json["rows"]["created"], walking.stats()["creates"]) == (CANARY, CANARY)
    report = read_report(tmp_path / "spring-report.csv")
    sent = [at for at, row in enumerate(report) if row["dispatch_status"] == "created"]
    assert sent == [5 * n + 2 for n in range(CANARY)]
    assert "paused (by the canary since " in program("status", "spring").out
    for command in (
        ("resume", "spring", "--yes"),
        ("run", "spring.csv", "--yes"),
        ("resume", "spring", "--yes", "--accept-guard"),
    ):
        refused = program(*command)
        assert (refused.code, "error[canary]" in refused.err, numbers in refused.err) == (5, True, True), refused.err
    assert walking.stats()["creates"] == CANARY
    last = program("resume", "spring", "--yes", "--accept-canary", "--json")
    assert (last.code, last.json["rows"]["created"]) == (0, ROWS), last.err
    check_nobody_twice(walking, ROWS)


def test_too_little_is_known(ready: Program, sandbox: SandboxProcess, nursery: Nursery) -> None:
    """Executions that do not end tell nothing: five looks, and it stops."""
    program = prepared(ready.folder, nursery, sandbox, 0.9, wait_min=0.002)
    result = program("run", "spring.csv", "--yes", "--json")
    assert result.code == 5, result.err
    assert "what became of only 0 of 60 is known; less than 80 %" in result.err
    assert (asked(program, "SELECT looks FROM canaries"), sandbox.stats()["creates"]) == (4, CANARY)


def test_a_wait_is_interrupted(tmp_path: Path, nursery: Nursery, walking: SandboxProcess) -> None:
    """130 at once; the next run goes on with the wait, and whoever accepts does not wait at all."""
    program = prepared(tmp_path, nursery, walking, 0.9, wait_min=10)
    for n, command in enumerate((("run", "spring.csv", "--yes"), ("resume", "spring", "--yes", "--canary", "0"))):
        process = program.start(*command)
        waits = f"SELECT count(*) = {n + 1} AND (SELECT sent_at_ms FROM canaries) FROM runs"
        until(functools.partial(asked, program, waits), "the wait", process)
        process.send_signal(signal.SIGINT)
        assert finish(process).code == 130
        assert walking.stats()["creates"] == CANARY
        shown = [row["dispatch_waits_for"] for row in read_report(tmp_path / "spring-report.csv")]
        assert sorted(shown) == [""] * CANARY + ["canary"] * (ROWS - CANARY)
    last = program("resume", "spring", "--yes", "--accept-canary", "--json")
    assert (last.code, last.json["rows"]["created"]) == (0, ROWS), last.err
    check_nobody_twice(walking, ROWS)
    assert {row["dispatch_waits_for"] for row in read_report(tmp_path / "spring-report.csv")} == {""}


@pytest.mark.parametrize(
    ("when", "by"),
    [
        ("SELECT count(*) FROM canaries", 0),
        ("SELECT count(*) >= 10 FROM attempts WHERE outcome = 'created'", 0),
        ("SELECT sent_at_ms FROM canaries", 0),
        ("SELECT count(*) FROM executions", 0),
        ("SELECT verdict = 'passed' FROM canaries", None),
    ],
)
def test_killed(tmp_path: Path, nursery: Nursery, walking: SandboxProcess, when: str, by: int | None) -> None:
    """At the choice, while it is sent, in the wait, in the look, behind the verdict: no other leaves before."""
    program = prepared(tmp_path, nursery, walking, 0.9, wait_min=0.02)
    write_settings(
        tmp_path,
        walking.base_url,
        canary={"rows": CANARY, "wait_min": 0.02, "max_failed": 0.9, "max_opted_out": 0.9},
        rate={"per_second": 50},
        tracking={"per_second": 100},
    )
    process = program.start("run", "spring.csv", "--yes")
    until(lambda: asked(program, when), when, process)
    process.kill()
    process.communicate()
    is_settled = asked(program, "SELECT verdict FROM canaries") is not None
    assert is_settled or walking.stats()["creates"] <= CANARY
    sent_at_ms = asked(program, "SELECT sent_at_ms FROM canaries")
    last = program("resume", "spring", "--yes", "--canary", "0", "--json")
    assert (last.code, last.json["rows"]["created"]) == (0, ROWS), last.err
    assert asked(program, "SELECT verdict FROM canaries") == "passed"
    first = f"SELECT count(*) FROM attempts WHERE begun_at_ms < {asked(program, 'SELECT sent_at_ms FROM canaries')}"
    assert asked(program, first + " AND outcome = 'created'") <= CANARY
    assert by is None or sent_at_ms in (None, asked(program, "SELECT sent_at_ms FROM canaries"))
    check_nobody_twice(walking, ROWS)


def test_a_limit_comes_first(tmp_path: Path, nursery: Nursery, walking: SandboxProcess) -> None:
    """What it leaves of the canary is sent by the next run; then the others."""
    program = prepared(tmp_path, nursery, walking, 0.9)
    assert program("run", "spring.csv", "--yes", "--limit", "10").code == 0
    assert (walking.stats()["creates"], asked(program, "SELECT sent_at_ms FROM canaries")) == (10, None)
    last = program("resume", "spring", "--yes", "--json")
    assert (last.code, last.json["rows"]["created"]) == (0, ROWS), last.err
    assert phone(100) in (tmp_path / "spring-report.csv").read_text()
    check_nobody_twice(walking, ROWS)
