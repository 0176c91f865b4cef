"""What runs a campaign by itself: the text of a systemd service with its timer, or of a crontab line.

systemd.service(5), systemd.time(7) (calendar events, time zones), crontab(5).
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from dispatcher.errors import UsageError
from dispatcher.remedies import Advice, Option
from dispatcher.rules.clocks import zone_name

#: Rows refused or invalid; rows that wait for their time; stopped by SIGTERM, to be gone on with: the job is in order.
SUCCESS_CODES = (3, 7, 130)
#: Where the credentials are, in the working folder.
ENVIRONMENT_FILE = "twilio.env"
#: How long a run that is stopped may take to end in good order, in seconds.
STOP_S = 60
#: What divides an hour, or a day: other periods would begin anew at each.
_MINUTES = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)
_HOURS = (1, 2, 3, 4, 6, 8, 12)
_EVERY = re.compile(r"([1-9]\d*)\s*(m|min|h)", re.IGNORECASE)
_AT = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_SPECIAL = re.compile(r"[\s\"'\\;]")


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Every day at a time, or every so many minutes or hours."""

    #: Hour and minute; None: again and again.
    at: tuple[int, int] | None = None
    every_min: int = 0
    #: By this zone's clock, by its IANA name; None: by the machine's.
    zone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A command of this program's, as it is started."""

    #: What the units and logs are called by.
    campaign: str
    #: The program and its arguments, every path of them absolute.
    words: tuple[str, ...]
    folder: Path
    when: When
    #: Whose job it is; None: the units are of a user's own systemd.
    user: str | None = None

    def __post_init__(self) -> None:
        """Raises: UsageError: a line's end in a name would begin another line."""
        for word in (self.campaign, *self.words, str(self.folder)):
            if not word.isprintable():
                raise UsageError("a name holds a control character", found=ascii(word), fix=Advice("rename it"))

    @property
    def unit(self) -> str:
        """The units' name, without its suffix."""
        return "dispatcher-" + re.sub(r"[^A-Za-z0-9_.-]+", "-", self.campaign).strip("-")


def read_when(at: str | None, every: str | None, zone: str | None) -> When:
    """When a job is to begin: `at` 09:00 or `every` 10m, 2h; `zone` as people write its name. Raises: UsageError."""
    name = zone_name(zone) if zone is not None else None
    if zone is not None and name is None:
        raise UsageError("there is no such time zone", found=zone, fix=Option("zone", "America/New_York"))
    if at is not None and every is not None:
        raise UsageError("a job begins at a time or every so often, not both", fix=Option("at", at))
    if at is not None:
        found = _AT.fullmatch(at.strip())
        if found is None:
            raise UsageError("the time cannot be read", found=at, fix=Option("at", "09:00"))
        return When(at=(int(found[1]), int(found[2])), zone=name)
    found = _EVERY.fullmatch((every or "").strip())
    is_hours = found is not None and found[2].lower() == "h"
    if found is None or int(found[1]) not in (_HOURS if is_hours else _MINUTES):
        raise UsageError(
            "the period must divide an hour or a day: "
            f"{', '.join(f'{n}m' for n in _MINUTES)}, {', '.join(f'{n}h' for n in _HOURS)}",
            found=every,
            fix=Option("every", "10m"),
        )
    return When(every_min=int(found[1]) * (60 if is_hours else 1), zone=name)


def service_unit(job: Job) -> str:
    """The text of the service."""
    is_system = job.user is not None
    lines = ["[Unit]", f"Description=dispatcher: campaign {_escaped(job.campaign)}"]
    if is_system:
        lines += ["Wants=network-online.target", "After=network-online.target"]
    lines += ["", "[Service]", "Type=oneshot"]
    if job.user is not None:
        lines.append(f"User={_escaped(job.user)}")
    lines += [
        f"WorkingDirectory={_escaped(str(job.folder))}",
        f"EnvironmentFile=-{_escaped(str(job.folder / ENVIRONMENT_FILE))}",
        f"ExecStart={' '.join(map(_unit_word, job.words))}",
        f"SuccessExitStatus={' '.join(map(str, SUCCESS_CODES))}",
        f"TimeoutStopSec={STOP_S}",
    ]
    return "\n".join(lines) + "\n"


def timer_unit(job: Job) -> str:
    """The text of its timer. What is missed while the machine is off is made up for once it is on."""
    lines = [
        "[Unit]",
        f"Description=dispatcher: campaign {_escaped(job.campaign)}",
        "",
        "[Timer]",
        f"OnCalendar={_calendar(job.when)}",
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return "\n".join(lines) + "\n"


def crontab(job: Job, *, machine_zone: str | None) -> str:
    """The lines for a crontab. `machine_zone`: the one that cron itself goes by; None: not known."""
    zone = job.when.zone
    lines = [f"# {job.unit}: {ENVIRONMENT_FILE}, where it is, has the credentials, one NAME=value a line"]
    if zone is not None and zone != machine_zone:
        lines += [
            "# CRON_TZ is for the lines below it; Debian's cron knows no CRON_TZ, and systemd's timers do",
            f"CRON_TZ={zone}",
        ]
    command = " && ".join(
        (
            f"cd {shlex.quote(str(job.folder))}",
            "set -a",
            # Not there: the key may be kept by `login`.
            f"{{ [ ! -e {ENVIRONMENT_FILE} ] || . ./{ENVIRONMENT_FILE}; }}",
            f"{shlex.join(job.words)} >> {job.unit}.jsonl 2> {job.unit}.last-run.txt",
        )
    )
    # An unescaped % ends the command for cron.
    command = command.replace("%", r"\%")
    lines.append(f"{_cron_time(job.when)}  {command}")
    return "\n".join(lines) + "\n"


def machine_zone() -> str | None:
    """The machine's time zone by its IANA name; None: it cannot be told."""
    named = os.environ.get("TZ", "").removeprefix(":")
    path = named or os.path.realpath("/etc/localtime")
    return path.rpartition("zoneinfo/")[2] if "zoneinfo/" in path else named or None


def _calendar(when: When) -> str:
    if when.at is not None:
        time = f"{when.at[0]:02}:{when.at[1]:02}:00"
    elif when.every_min < 60:
        time = f"*:0/{when.every_min}:00"
    else:
        time = f"0/{when.every_min // 60}:00:00"
    return f"*-*-* {time}" + (f" {when.zone}" if when.zone else "")


def _cron_time(when: When) -> str:
    if when.at is not None:
        return f"{when.at[1]} {when.at[0]} * * *"
    if when.every_min < 60:
        return f"*/{when.every_min} * * * *"
    return f"0 */{when.every_min // 60} * * *" if when.every_min > 60 else "0 * * * *"


def _escaped(text: str) -> str:
    """% begins a specifier in a unit."""
    return text.replace("%", "%%")


def _unit_word(word: str) -> str:
    """A word of ExecStart as systemd reads it back."""
    escaped = _escaped(word).replace("$", "$$")
    if word and not _SPECIAL.search(word):
        return escaped
    return '"' + escaped.replace("\\", r"\\").replace('"', r"\"") + '"'
