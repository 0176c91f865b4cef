"""The text of units and crontab lines: read back by systemd, and by a shell, as it was meant."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from dispatcher.campaign.schedule import Job, When, crontab, read_when, service_unit, timer_unit
from dispatcher.errors import UsageError

HAS_SYSTEMD = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="a system without systemd")
ODD = ("spring", "100% off", 'say "hi"', "$HOME", "it's", "back\\slash", "a;b", "ünï")
AT_NINE = When(at=(9, 0), zone="America/New_York")


def job(folder: Path, *words: str, when: When = AT_NINE, user: str | None = "root", campaign: str = "spring") -> Job:
    return Job(campaign=campaign, words=(*words,), folder=folder, when=when, user=user)


def shown(folder: Path) -> Path:
    """A program that says what it was given, a word a line, and which folder it was started in."""
    program = folder / "program"
    program.write_text(f'#!/bin/sh\n(pwd; printf "%s\\n" "$@") > "{folder}/seen"\n')
    program.chmod(0o700)
    return program


@HAS_SYSTEMD
@pytest.mark.parametrize("when", [AT_NINE, When(every_min=10), When(every_min=120, zone="Asia/Kolkata")])
@pytest.mark.parametrize("user", ["root", None])
def test_systemd_finds_nothing_wrong(tmp_path: Path, when: When, user: str | None) -> None:
    """systemd itself reads both units without a word, whatever is in the names and the folder."""
    folder = tmp_path / "a b%c"
    folder.mkdir()
    made = job(folder, "/bin/true", "resume", *ODD, when=when, user=user, campaign="spring sale 50%")
    for suffix, text in (("service", service_unit(made)), ("timer", timer_unit(made))):
        (folder / f"{made.unit}.{suffix}").write_text(text, encoding="utf-8")
    paths = [str(folder / f"{made.unit}.{suffix}") for suffix in ("service", "timer")]
    found = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, check=False)
    # Other units of the machine may have warnings of their own.
    assert (found.returncode, [line for line in found.stderr.splitlines() if made.unit in line]) == (0, [])


@HAS_SYSTEMD
def test_systemd_reads_the_times(tmp_path: Path) -> None:
    """The next times are those that were meant, by the zone's own clock: 09:00 in New York is 14:00 UTC in winter."""

    def next_utc(when: When, after: str) -> str:
        (line,) = [line for line in timer_unit(job(tmp_path, "x", when=when)).splitlines() if "OnCalendar" in line]
        command = ["systemd-analyze", "calendar", f"--base-time={after} UTC", line.partition("=")[2]]
        environment = {**os.environ, "TZ": "UTC"}
        found = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        times = re.findall(r"(\d\d\d\d-\d\d-\d\d \d\d:\d\d):\d\d UTC", found.stdout)
        return str(times[-1])

    assert next_utc(AT_NINE, "2026-12-01 00:00:00") == "2026-12-01 14:00"
    assert next_utc(AT_NINE, "2026-07-01 00:00:00") == "2026-07-01 13:00"
    assert next_utc(When(every_min=10), "2026-12-01 00:01:00") == "2026-12-01 00:10"
    assert next_utc(When(every_min=240), "2026-12-01 00:01:00") == "2026-12-01 04:00"


def test_a_unit_says_what_is_wanted(tmp_path: Path) -> None:
    """Rows that wait or were refused are no failure; what was missed is made up for; a user's own name no user."""
    made = job(tmp_path, "/bin/dispatcher", "resume", "spring")
    lines = service_unit(made).splitlines()
    assert {"Type=oneshot", "User=root", f"WorkingDirectory={tmp_path}", "SuccessExitStatus=3 7 130"} <= set(lines)
    assert {"OnCalendar=*-*-* 09:00:00 America/New_York", "Persistent=true"} <= set(timer_unit(made).splitlines())
    assert "User=" not in service_unit(job(tmp_path, "x", user=None))
    assert "network-online" not in service_unit(job(tmp_path, "x", user=None))


def test_a_units_words_are_read_back(tmp_path: Path) -> None:
    """systemd's quoting is a shell's, but for specifiers (%) and variables ($), which are doubled."""
    (line,) = [line for line in service_unit(job(tmp_path, "/bin/true", *ODD)).splitlines() if "ExecStart" in line]
    assert not re.search(r"(?<![%$])(%%)*%(?!%)|(?<!\$)(\$\$)*\$(?!\$)", line)
    words = shlex.split(line.partition("=")[2])
    assert [word.replace("%%", "%").replace("$$", "$") for word in words] == ["/bin/true", *ODD]


def test_a_shell_reads_the_line_back(tmp_path: Path) -> None:
    """The program starts in its folder with its words as they are, and the credentials in its environment."""
    folder = tmp_path / "a b%c"
    folder.mkdir()
    (folder / "twilio.env").write_text("TWILIO_ACCOUNT_SID=AC123\n")
    made = job(folder, str(shown(folder)), "resume", *ODD)
    time, _, command = crontab(made, machine_zone="America/New_York").splitlines()[-1].partition("  ")
    assert time == "0 9 * * *"
    assert "%" not in command.replace(r"\%", "")  # cron would end the command there
    subprocess.run(["sh", "-c", command.replace(r"\%", "%")], check=True, cwd="/")
    assert (folder / "seen").read_text().splitlines() == [str(folder), "resume", *ODD]
    assert {path.name for path in folder.glob("dispatcher-spring*")} == {
        "dispatcher-spring.jsonl",
        "dispatcher-spring.last-run.txt",
    }


def test_a_zone_is_said_where_it_differs(tmp_path: Path) -> None:
    """CRON_TZ stands in the lines only where cron goes by another clock."""
    made = job(tmp_path, "x")
    assert "CRON_TZ=America/New_York\n" in crontab(made, machine_zone="Etc/UTC")
    assert "CRON_TZ=America/New_York\n" in crontab(made, machine_zone=None)
    assert "CRON_TZ" not in crontab(made, machine_zone="America/New_York")
    assert "CRON_TZ" not in crontab(job(tmp_path, "x", when=When(every_min=10)), machine_zone=None)


@pytest.mark.parametrize(
    ("at", "every", "time"),
    [
        ("9:00", None, "0 9 * * *"),
        ("23:59", None, "59 23 * * *"),
        (None, "10m", "*/10 * * * *"),
        (None, "1h", "0 * * * *"),
        (None, "2 H", "0 */2 * * *"),
    ],
)
def test_times_are_read(tmp_path: Path, at: str | None, every: str | None, time: str) -> None:
    """What a person types, and cron's word for it."""
    made = job(tmp_path, "x", when=read_when(at, every, None))
    assert crontab(made, machine_zone=None).splitlines()[-1].startswith(f"{time}  ")


@pytest.mark.parametrize(
    ("at", "every"),
    [
        ("24:00", None),
        ("9", None),
        ("9:00 pm", None),
        (None, "7m"),
        (None, "10"),
        (None, "5h"),
        (None, "0m"),
        ("9:00", "10m"),
    ],
)
def test_other_times_are_refused(at: str | None, every: str | None) -> None:
    """A period that does not divide its hour or day would begin anew at each."""
    with pytest.raises(UsageError):
        read_when(at, every, None)


def test_a_names_line_end_is_refused(tmp_path: Path) -> None:
    """It would begin another line of the unit."""
    with pytest.raises(UsageError):
        job(tmp_path, "/bin/true", campaign="spring\nExecStart=/bin/false")


def test_a_units_name_is_plain(tmp_path: Path) -> None:
    """Whatever the campaign is called."""
    assert job(tmp_path, "x", campaign="Spring sale/50% off").unit == "dispatcher-Spring-sale-50-off"
    assert shlex.quote(job(tmp_path, "x", campaign="a'b").unit) == "dispatcher-a-b"
