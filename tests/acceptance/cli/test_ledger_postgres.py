"""From a ledger in a file to one on a server, by the command line alone."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.cli.program import Program, SandboxProcess, finish, write_contacts, write_settings
from tests.support import postgres

_AREAS = (202, 212, 213, 214, 303, 305, 310, 312, 404, 415)


@pytest.fixture
def url() -> Iterator[str]:
    """An empty database."""
    with postgres.shared().database() as found:
        yield found


@pytest.fixture
def sent(program: Program, sandbox: SandboxProcess) -> Program:
    """A campaign in the ledger of a folder, half of it sent."""
    write_settings(program.folder, sandbox.base_url, state={"dir": "state"})
    write_contacts(program.folder / "spring.csv", 6)
    result = program("run", "spring.csv", "--yes", "--limit", "4")
    assert result.code in (0, 3, 5, 7), result.err
    return program


def to_server(program: Program, sandbox: SandboxProcess, url: str) -> None:
    """The settings, from now on."""
    write_settings(program.folder, sandbox.base_url, state={"dir": "state", "url": url})


def tables(url: str) -> list[tuple[Any, ...]]:
    return postgres.query(url, "SELECT state, count(*) FROM dispatcher.rows GROUP BY 1 ORDER BY 1")


def test_a_ledger_goes_to_a_server(sent: Program, sandbox: SandboxProcess, url: str) -> None:
    """Made, copied, checked; everything that only looks finds the campaign there, and nobody goes on with the file."""
    to_server(sent, sandbox, url)
    early = sent("status")
    assert early.code == 2
    assert "dispatcher ledger migrate" in early.err
    assert sent("ledger", "migrate").code == 0
    assert sent("ledger", "migrate").code == 0, "again, it changes nothing"
    copied = sent("ledger", "copy")
    assert copied.code == 0, copied.err
    assert "state/copied-ledger.sqlite3" in copied.err
    assert tables(url) == [("created", 4), ("planned", 2)]
    assert sent("status", "spring", "--json").json["rows"]["created"] == 4
    assert [one["campaign"] for one in sent("campaigns", "list", "--json").json] == ["spring"]
    assert sent("report", "spring", "--report", "report.csv").code == 0
    assert "4" in sent("check", "spring.csv").err
    checked = sent("ledger", "check")
    assert (checked.code, checked.out.strip()) == (0, "sound: 1 campaign"), checked.err
    assert "PostgreSQL" in checked.err
    assert "fsync = on" in checked.err
    two = sent("status", "--state-dir", "state")
    assert two.code == 2
    assert "name a server" in two.err
    doctor = sent("doctor")
    assert doctor.code == 0, doctor.out
    assert "PostgreSQL" in doctor.out
    write_settings(sent.folder, sandbox.base_url, state={"dir": "state"})
    for command in (["status"], ["run", "spring.csv", "--yes"], ["check", "spring.csv"], ["ledger", "check"]):
        refused = sent(*command)
        assert refused.code == 2, command
        assert "copied to a server" in refused.err
        assert url in refused.err
    assert sandbox.stats()["creates"] == 4


def test_what_a_server_does_itself(sent: Program, sandbox: SandboxProcess, url: str) -> None:
    """A backup is its own program's, nothing moves from one folder to another, and its pages are not ours to write."""
    to_server(sent, sandbox, url)
    assert sent("ledger", "migrate").code == 0
    assert sent("ledger", "copy").code == 0
    backup = sent("ledger", "backup", "x.dump")
    assert backup.code == 2
    assert "pg_dump --format=custom" in backup.err
    assert f"--exclude-table-data=dispatcher.forgotten_key --file=x.dump {url}" in backup.err
    assert f"--table=dispatcher.forgotten_key --file=forgotten_key.sql {url}" in backup.err
    move = sent("ledger", "move", "state")
    assert move.code == 2
    assert "dispatcher ledger copy" in move.err
    again = sent("ledger", "copy")
    assert again.code == 2
    assert "copied already" in again.err
    forgotten = sent("campaigns", "forget", "+12025550100", "--yes", "--json")
    assert forgotten.code == 0, forgotten.err
    assert forgotten.json["rows"] == 1
    assert "VACUUM" in forgotten.err
    assert not postgres.query(url, "SELECT FROM dispatcher.rows WHERE row_key = '+12025550100'")
    assert sent("campaigns", "prune", "--older-than", "1h", "--yes").code == 0
    assert sent("ledger", "check").code == 0
    assert "as the settings say" in sent("ledger", "rate").out
    assert "12.5 a second, the account's own" in sent("ledger", "rate", "12.5").out
    assert sent("ledger", "rate", "--json").json["per_second"] == 12.5
    assert sent("ledger", "rate", "0").code == 2
    assert "as the settings say" in sent("ledger", "rate", "--unset").out


def test_a_copy_that_is_killed_goes_on(program: Program, sandbox: SandboxProcess, url: str) -> None:
    """SIGKILL at some moment of it: the server's ledger is none yet, and the next call goes on and ends it."""
    write_settings(program.folder, sandbox.base_url, state={"dir": "state"})
    lines = [f"+1{area}555{n:04d},Ann" for area in _AREAS for n in range(5000)]
    write_contacts(program.folder / "spring.csv", lines)
    assert program("run", "spring.csv", "--yes", "--limit", "1").code in (0, 3, 5, 7)
    to_server(program, sandbox, url)
    assert program("ledger", "migrate").code == 0
    process = program.start("ledger", "copy")
    end_s = time.monotonic() + 60
    while not postgres.query(url, "SELECT FROM dispatcher.ledger_copy WHERE length(progress) > 2"):
        assert time.monotonic() < end_s
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    finish(process)
    assert postgres.query(url, "SELECT whole_at_ms FROM dispatcher.ledger_copy") == [(None,)]
    half = program("status")
    assert half.code == 2
    assert "dispatcher ledger copy" in half.err
    copied = program("ledger", "copy", "--json")
    assert copied.code == 0, copied.err
    assert 0 < copied.json["rows_before"] < copied.json["rows"]
    assert tables(url) == [("created", 1), ("planned", len(lines) - 1)]
