"""What `schedule` prints runs the program as it was called, from its folder, with the settings that it had."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.cli.program import CREDENTIALS, Program, SandboxProcess, write_contacts


def units(text: str, folder: Path) -> list[Path]:
    """The printed files, each under its name."""
    paths: list[Path] = []
    for line in text.splitlines():
        if line.startswith("# /etc/systemd/system/"):
            paths.append(folder / line.rpartition("/")[2])
            paths[-1].write_text("", encoding="utf-8")
        else:
            with paths[-1].open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
    return paths


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="a system without systemd")
def test_printed_units_are_ones_to_systemd(ready: Program, tmp_path: Path) -> None:
    """Both, by themselves; the program in them is this one."""
    found = ready(
        "schedule", "systemd", "spring", "--at", "9:00", "--zone", "america/new_york", "--config", "config.toml"
    )
    assert found.code == 0
    paths = units(found.out, tmp_path)
    assert [path.name for path in paths] == ["dispatcher-spring.service", "dispatcher-spring.timer"]
    result = subprocess.run(
        ["systemd-analyze", "verify", *map(str, paths)], capture_output=True, text=True, check=False
    )
    assert (result.returncode, [line for line in result.stderr.splitlines() if "dispatcher-spring" in line]) == (0, [])
    assert f"--config {tmp_path}/config.toml" in paths[0].read_text()
    assert "OnCalendar=*-*-* 09:00:00 America/New_York" in paths[1].read_text()


def test_a_printed_line_sends(ready: Program, sandbox: SandboxProcess) -> None:
    """As cron would run it, from another folder and without this environment: the file's rows are sent."""
    folder = ready.folder
    write_contacts(folder / "spring.csv", 2)
    lines = "".join(f"{name}={value}\n" for name, value in CREDENTIALS.items())
    (folder / "twilio.env").write_text(lines)
    line = ready("schedule", "cron", "spring", "--file", "spring.csv", "--state-dir", ".dispatcher").out.splitlines()[
        -1
    ]
    command = line.partition("  ")[2]
    assert str(folder / ".dispatcher") in shlex.split(command)
    environment = {**ready.environment(), "TWILIO_ACCOUNT_SID": "", "TWILIO_AUTH_TOKEN": ""}
    subprocess.run(["sh", "-c", command], check=True, cwd="/", env=environment, timeout=120)
    found = json.loads((folder / "dispatcher-spring.jsonl").read_text())
    assert (found["rows"]["created"], len(sandbox.creates())) == (2, 2)
    write_contacts(folder / "spring.csv", 4)
    subprocess.run(["sh", "-c", command], check=True, cwd="/", env=environment, timeout=120)
    assert len(sandbox.creates()) == 4


def test_what_cannot_be_scheduled_is_refused(ready: Program) -> None:
    """Before a line is printed."""
    for wrong in (("--at", "25:00"), ("--every", "7m"), ("--zone", "New York"), ("--at", "9:00", "--every", "10m")):
        found = ready("schedule", "cron", "spring", *wrong)
        assert (found.code, found.out) == (2, "")
    assert ready("schedule", "cron", "a\nb").code == 2


def test_a_users_own_units(ready: Program) -> None:
    """No user, no network target: systemd's user manager has neither; and where a host is named it is kept."""
    found = ready("schedule", "systemd", "spring", "--user", "--base-url", "http://127.0.0.1:9")
    assert "# ~/.config/systemd/user/dispatcher-spring.service" in found.out
    assert "User=" not in found.out
    assert "--base-url http://127.0.0.1:9" in found.out
