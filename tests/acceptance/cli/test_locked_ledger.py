"""Another program holds the ledger, a viewer with unsaved changes: who it is is told, and two signals end the wait."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.cli.program import (
    Program,
    SandboxProcess,
    finish,
    read_until,
    sandbox_process,
    until,
    write_contacts,
    write_settings,
)

ROWS = 200


@pytest.fixture
def slow(program: Program) -> Iterator[SandboxProcess]:
    """Two rows at a time, each with a while to its answer."""
    with sandbox_process(program.folder, "--latency", "0.1", "--limit", "500", "--ends-after", "600") as sandbox:
        write_settings(program.folder, sandbox.base_url, rate={"per_second": 500, "in_flight": 2})
        write_contacts(program.folder / "spring.csv", ROWS)
        yield sandbox


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """This process holds the ledger's write lock."""
    path = folder / ".dispatcher" / "ledger.sqlite3"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield


def test_the_true_reason_and_two_signals(program: Program, slow: SandboxProcess) -> None:
    """Who holds the ledger stands on the screen; a second Ctrl-C ends at once, and nobody is sent to twice."""
    process = program.start("run", "spring.csv", "--yes")
    until(lambda: slow.stats()["creates"] >= 4, "creates", process)
    with locked(program.folder):
        said = read_until(process, "keeps the ledger locked")
        assert f"process {os.getpid()}" in said or not Path("/proc/locks").exists()
        created = slow.stats()["creates"]
        process.send_signal(signal.SIGINT)
        said = read_until(process, "Ctrl-C again")
        second_s = time.monotonic()
        process.send_signal(signal.SIGINT)
        result = finish(process)
        assert time.monotonic() - second_s < 5
        assert result.code == 130
        assert slow.stats()["creates"] <= created + 2  # what was on its way
    rest = program("resume", "spring", "--yes", "--json")
    assert rest.code == 0, rest.err
    assert rest.json["rows"]["created"] == ROWS
    assert slow.stats()["creates"] == ROWS
    assert slow.stats()["created_by_dispatch_id_duplicates"] == {}


def test_a_run_goes_on_when_it_is_free_again(program: Program, slow: SandboxProcess) -> None:
    """A lock of some seconds costs these seconds: nothing is unknown afterwards, nothing is sent twice."""
    process = program.start("run", "spring.csv", "--yes", "--json")
    until(lambda: slow.stats()["creates"] >= 4, "creates", process)
    with locked(program.folder):
        read_until(process, "keeps the ledger locked")
    result = finish(process)
    assert result.code == 0, result.err
    assert result.json["rows"]["created"] == ROWS
    assert slow.stats()["creates"] == ROWS


def test_a_lock_before_the_campaign_is_open(program: Program, slow: SandboxProcess) -> None:
    """The reason is told while the program is still opening; a signal ends it."""
    assert program("run", "spring.csv", "--yes", "--limit", "3").code == 0
    with locked(program.folder):
        process = program.start("resume", "spring", "--yes")
        read_until(process, "keeps the ledger locked")
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert finish(process).code == 130
