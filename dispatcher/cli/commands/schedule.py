"""`schedule systemd` and `schedule cron`: what runs a campaign by itself, as text."""

from __future__ import annotations

import getpass
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dispatcher.cli import options
from dispatcher.cli.flags import FLAGS
from dispatcher.cli.render.terminal import print_line, say
from dispatcher.errors import ExitCode

if TYPE_CHECKING:
    from dispatcher.campaign.schedule import Job, When

SYSTEMD_EPILOG = options.examples(
    ("dispatcher schedule systemd spring", "goes on with it every ten minutes"),
    ("dispatcher schedule systemd spring --at 09:00 --zone America/New_York", "each day at nine, there"),
    ("dispatcher schedule systemd spring --file contacts.csv --at 09:00", "what is new in a file, each day"),
)
CRON_EPILOG = options.examples(
    ("dispatcher schedule cron spring --every 10m", "then: crontab -e"),
    ("dispatcher schedule cron spring --file contacts.csv --at 09:00", "what is new in a file, each day"),
)

app = typer.Typer(no_args_is_help=True, help="Print what runs a campaign by itself; nothing is installed.")

File = Annotated[
    str | None, typer.Option("--file", metavar="FILE", help="Run this file, instead of going on with what waits.")
]
At = Annotated[str | None, typer.Option("--at", metavar="HH:MM", help="Each day at this time.")]
Every = Annotated[
    str | None,
    typer.Option("--every", metavar="PERIOD", help="Every so many minutes or hours.", show_default="10m; a file: 1h"),
]
Zone = Annotated[
    str | None,
    typer.Option("--zone", metavar="ZONE", help="By this zone's clock, for example America/New_York.",
                 show_default="the machine's"),
]  # fmt: skip


@app.command(epilog=SYSTEMD_EPILOG)
@options.reads_settings("account.base_url", "state.dir")
def systemd(
    asked: options.Asked,
    campaign: options.CampaignName,
    file: File = None,
    at: At = None,
    every: Every = None,
    zone: Zone = None,
    user: Annotated[bool, typer.Option("--user", help="Units of your own, without root.")] = False,
) -> int:
    """Print a systemd service and its timer.

    They resume the campaign, or run a file into it. What is missed while the machine is off is made up for.
    """
    from dispatcher.campaign.schedule import service_unit, timer_unit

    job = _job(asked, campaign, file, _when(at, every, zone, file), user=None if user else _user())
    folder = "~/.config/systemd/user" if user else "/etc/systemd/system"
    print_line(f"# {folder}/{job.unit}.service\n{service_unit(job)}")
    print_line(f"# {folder}/{job.unit}.timer\n{timer_unit(job)}".rstrip("\n"))
    control = "systemctl --user" if user else "systemctl"
    say(f"once both are there: {control} daemon-reload && {control} enable --now {job.unit}.timer", "bright_black")
    if user:
        say(f"so that they go on when you are logged out: loginctl enable-linger {_user()}", "bright_black")
    return ExitCode.OK


@app.command(epilog=CRON_EPILOG)
@options.reads_settings("account.base_url", "state.dir")
def cron(
    asked: options.Asked,
    campaign: options.CampaignName,
    file: File = None,
    at: At = None,
    every: Every = None,
    zone: Zone = None,
) -> int:
    """Print a line for a crontab.

    It resumes the campaign, or runs a file into it. What is missed while the machine is off is not made up for: a
    systemd timer does that.
    """
    from dispatcher.campaign.schedule import crontab, machine_zone

    job = _job(asked, campaign, file, _when(at, every, zone, file))
    print_line(crontab(job, machine_zone=machine_zone()).rstrip("\n"))
    say("add it with: crontab -e", "bright_black")
    return ExitCode.OK


def _when(at: str | None, every: str | None, zone: str | None, file: str | None) -> When:
    from dispatcher.campaign.schedule import read_when

    if at is None and every is None:
        every = "10m" if file is None else "1h"
    return read_when(at, every, zone)


def _job(asked: options.Asked, campaign: str, file: str | None, when: When, user: str | None = None) -> Job:
    from dispatcher.campaign.schedule import Job
    from dispatcher.settings.profiles import asked_profile

    # A pause is a person's to lift, not a clock's.
    work = (
        ["resume", campaign, "--unless-paused"]
        if file is None
        else ["run", str(Path(file).absolute()), "--campaign", campaign]
    )
    work += ["--yes", "--json"]
    if when.at is not None:
        # For whoever sends now, and for rows whose hours come later: tomorrow is too late, in ten minutes is not.
        work += ["--wait", "--wait-until-done"]
    if asked.config is not None:
        work += ["--config", str(asked.config.absolute())]
    # What the shell's environment says now, a timer's will not.
    if profile := asked_profile(asked.profile, os.environ):
        work += ["--profile", profile]
    for name in ("account.base_url", "state.dir"):
        if value := asked.flags.get(name):
            work += [FLAGS[name].name, str(Path(value).absolute()) if name == "state.dir" else str(value)]
    return Job(campaign=campaign, words=(*_program(), *work), folder=Path.cwd(), when=when, user=user)


def _program() -> tuple[str, ...]:
    """This program, as it was called, by absolute paths."""
    called = shutil.which(sys.argv[0])
    if called is None or Path(called).name == "__main__.py":
        return os.path.abspath(sys.executable), "-m", "dispatcher"  # noqa: PTH100 - a venv's link is meant as it is
    return (os.path.abspath(called),)  # noqa: PTH100 - as above


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())  # systemd takes a number, too
