"""A process that waits for its rows' times by itself: with --wait-until-done, or at a terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.cli.nursery import Nursery
from tests.acceptance.cli.program import (
    Program,
    SandboxProcess,
    finish,
    phone,
    read_until,
    sandbox_process,
    write_settings,
)
from tests.acceptance.cli.test_terminal import ESCAPE, terminal

#: What opens within a minute the run itself waits for, holding the account; and a busy machine is slow to start.
BEYOND = timedelta(seconds=80)
COLUMNS: dict[str, Any] = {"not_before": "from", "parameters": []}
SKEW_H = 4


def write(folder: Path, *lines: str) -> None:
    (folder / "spring.csv").write_text("phone,from\n" + "\n".join(lines) + "\n", encoding="utf-8")


def test_unknown_rows_do_not_end_the_wait(ready: Program, sandbox: SandboxProcess) -> None:
    """A row that is unknown (exit code 6) and one that waits: it goes on at the row's time, and both are created."""
    write_settings(ready.folder, sandbox.base_url, columns=COLUMNS, retry={"breaker_failures": 50})
    opens = datetime.now(UTC) + BEYOND
    write(ready.folder, f"{phone(100)},", f"{phone(101)},{opens.isoformat(timespec='seconds')}")
    # Nothing is created, and nothing later is listed: what was not found is sent once more, and stays unknown.
    sandbox.faults(_500_before=1)
    process = ready.start("run", "spring.csv", "--no-preflight", "--yes", "--wait-until-done", "--json")
    read_until(process, "waiting: 1 row until")
    rows = ready("status", "spring", "--json").json["rows"]
    assert (rows["unknown"], rows["planned"], rows["created"]) == (1, 1, 0)
    # Whoever does not wait has that exit code.
    assert ready("resume", "spring", "--yes").code == 6
    sandbox.faults()
    result = finish(process)
    assert (result.code, result.json["rows"]["created"], result.json["waiting"]) == (0, 2, []), result.err
    creates = {create["to"]: create["at"] for create in sandbox.creates()}
    assert creates.keys() == {phone(100), phone(101)}
    assert creates[phone(101)] >= int(opens.timestamp())


@pytest.fixture
def ahead(tmp_path: Path) -> Iterator[SandboxProcess]:
    """A sandbox whose clock is hours ahead of this machine's."""
    with sandbox_process(tmp_path, "--limit", "500", "--clock-skew", str(SKEW_H * 3600)) as sandbox:
        yield sandbox


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix's")
def test_a_terminal_counts_down(tmp_path: Path, nursery: Nursery, ahead: SandboxProcess) -> None:
    """At a terminal no flag is needed: it says for how long it waits, and goes on; the wrong clock is said once."""
    program = Program(tmp_path, nursery)
    # The program goes by Studio's clock, as the two are so far apart.
    opens = datetime.now(UTC) + timedelta(hours=SKEW_H) + BEYOND
    write_settings(tmp_path, ahead.base_url, columns=COLUMNS, campaign={"repeat_after_h": 0})
    write(tmp_path, f"{phone(100)},", f"{phone(101)},{opens.isoformat(timespec='seconds')}")
    asked = terminal(program, "run", "spring.csv", "--no-preflight", columns=120)
    asked.read(until="to send: ")
    asked.type("2\n")
    asked.read(until="Ctrl-C stops, and resume goes on")
    assert [create["to"] for create in ahead.creates()] == [phone(100)]
    code, shown = asked.end()
    assert code == 0, shown
    assert [create["to"] for create in ahead.creates()] == [phone(100), phone(101)]
    assert ahead.creates()[1]["at"] + SKEW_H * 3600 >= int(opens.timestamp())
    plain = " ".join(ESCAPE.sub(" ", shown).split())
    # It counts: each second once, or nearly.
    left = re.findall(r"goes on in (\d+):(\d\d);", plain)
    seconds = [int(minutes) * 60 + int(rest) for minutes, rest in left]
    assert seconds == sorted(seconds, reverse=True)
    assert len(set(seconds)) > 30
    assert (min(seconds) <= 2, 60 <= max(seconds) <= 80) == (True, True), seconds
    assert plain.count("behind Studio's") == 1, plain
