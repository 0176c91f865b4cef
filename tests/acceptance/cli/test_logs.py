"""`--log-file` and `--debug` of a run: what happened can be read afterwards."""

from __future__ import annotations

import re
import stat

from tests.acceptance.cli.program import Program, SandboxProcess, write_contacts


def test_a_scheduled_run_leaves_a_log(ready: Program, sandbox: SandboxProcess) -> None:
    """A scheduled run leaves a log: each event with its time, and the exit code at the end.

    Its stderr is what it is without a log.
    """
    contacts = write_contacts(ready.folder / "spring.csv", 5)
    result = ready("run", contacts, "--yes", "--json", "--log-file", "cron.log")
    assert result.code == 0, result.err
    assert "RunStarted" not in result.err
    log = ready.folder / "cron.log"
    lines = log.read_text(encoding="utf-8").splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (INFO|WARNING) dispatcher", line) for line in lines)
    for text in ("Planned total=5", "RunStarted campaign=spring", "to_send=5", "RunStopped", "ReportWritten"):
        assert any(text in line for line in lines), text
    assert lines[-1].endswith("ends with exit code 0")
    assert "+1202555" not in "".join(lines)
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_debug_shows_the_events(ready: Program, sandbox: SandboxProcess) -> None:
    """`--debug` shows the events on stderr, while the run goes on; stdout stays data."""
    contacts = write_contacts(ready.folder / "spring.csv", 5)
    result = ready("run", contacts, "--yes", "--json", "--debug")
    assert result.json["rows"]["created"] == 5
    assert "dispatcher.events: RunStarted campaign=spring" in result.err
