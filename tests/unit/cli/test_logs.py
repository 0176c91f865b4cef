"""`--debug` and `--log-file`: what is in a log, what never is, and what it never does."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
LOG = Path("run.log")
IMPORTS = "from dispatcher.cli import logs\nfrom dispatcher.cli.app import main"


def run(script: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A fresh process: logging is set up once in each."""
    code = f"import logging, sys\nfrom pathlib import Path\n{IMPORTS}\n{script}"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **env},
        check=False,
    )


def command(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return run("raise SystemExit(main(sys.argv[1:]))", *arguments, **env)


def test_a_log_has_times_and_the_exit_code() -> None:
    """Every line begins with its moment in UTC; the last one says how the command ended."""
    assert command("status", "nowhere", "--log-file", str(LOG)).returncode == 2
    lines = LOG.read_text(encoding="utf-8").splitlines()
    assert all(re.match(rf"{TIME} [A-Z]+ dispatcher", line) for line in lines), lines
    assert "begins" in lines[0]
    assert "error[campaign_not_found]" in lines[-2]
    assert lines[-1].endswith("ends with exit code 2")


def test_events_are_logged_and_only_in_the_file() -> None:
    """Without --debug stderr stays as it is."""
    script = "main(['status', '--log-file', 'run.log'])\n" + (
        "from dispatcher.events import EventBus, Stopping, log_event\n"
        "bus = EventBus()\nbus.subscribe(log_event)\nbus.emit(Stopping(reason='why'))\n"
    )
    done = run(script)
    assert "Stopping reason=why" in LOG.read_text(encoding="utf-8")
    assert "Stopping" not in done.stderr


def test_nobody_else_may_read_the_log() -> None:
    """Also where the file was there before."""
    LOG.touch(mode=0o644)
    command("status", "--log-file", str(LOG))
    assert stat.S_IMODE(LOG.stat().st_mode) == 0o600


def test_a_log_does_not_grow_without_end() -> None:
    """It is rotated by size, and nobody else may read the older ones either."""
    script = (
        "logs.FILE_MAX_BYTES = 2000\nlogs.FILES_MAX = 3\nlogs.write_to(Path('run.log'))\n"
        "for n in range(500): logging.getLogger('dispatcher.x').info('line %d', n)\n"
    )
    assert run(script).returncode == 0
    files = sorted(path.name for path in Path().glob("run.log*"))
    assert files == ["run.log", "run.log.1", "run.log.2"]
    for name in files:
        assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600
        assert Path(name).stat().st_size <= 2000
    assert "line 499" in LOG.read_text(encoding="utf-8")


def test_a_log_is_appended_to() -> None:
    """A scheduled job's second run keeps the first one's lines."""
    for _ in range(2):
        command("status", "--log-file", str(LOG))
    assert LOG.read_text(encoding="utf-8").count("begins") == 2


def test_a_file_that_is_no_log_is_left_alone() -> None:
    """Lines are never appended to somebody's contacts."""
    Path("contacts.csv").write_text("phone\n+12025550100\n", encoding="utf-8")
    done = command("status", "--log-file", "contacts.csv")
    assert (done.returncode, "no log of this program" in done.stderr) == (2, True)
    assert "fix: --log-file PATH" in done.stderr
    assert Path("contacts.csv").read_text(encoding="utf-8") == "phone\n+12025550100\n"


def test_a_log_that_cannot_be_written_is_refused() -> None:
    """Before anything else is done."""
    done = command("status", "--log-file", "nowhere/run.log")
    assert done.returncode == 2
    assert "error[usage]: the log cannot be written" in done.stderr


def test_a_log_that_fails_later_stops_nothing() -> None:
    """A full disk does not end a run."""
    script = "logs.write_to(Path('/dev/full'))\nlogging.getLogger('dispatcher').error('x')\n"
    done = run(script + "raise SystemExit(main(['status']))")
    assert done.returncode == 0
    assert done.stderr.count("the log cannot be written any more") == 1
    assert os.strerror(errno.ENOSPC) not in done.stderr


def test_secrets_and_numbers_are_masked() -> None:
    """In messages and in tracebacks."""
    script = (
        "logs.write_to(Path('run.log'))\n"
        "logging.getLogger('dispatcher').warning('canary-token to +12025550123')\n"
        "try:\n    raise ValueError('canary-token to +12025550123')\n"
        "except ValueError as error:\n    logs.note_failure(error)\n"
    )
    assert run(script, TWILIO_AUTH_TOKEN="canary-token").returncode == 0
    text = LOG.read_text(encoding="utf-8")
    assert text.count("*** to +…23") == 2
    assert "Traceback" in text
    assert "canary" not in text
    assert "2025550" not in text


def test_a_name_makes_no_line_of_its_own() -> None:
    """What comes from elsewhere can neither forge a line nor steer a terminal."""
    script = (
        "logs.write_to(Path('run.log'))\n"
        "logging.getLogger('dispatcher').info('%s', 'a\\n2026-01-01T00:00:00.000Z forged \\x1b[2J')\n"
    )
    run(script)
    text = LOG.read_text(encoding="utf-8")
    assert len(text.splitlines()) == 2
    assert "\x1b" not in text


def test_both_options_log_everything() -> None:
    """With --debug the file has the frequent events, too, whichever is given first."""
    for arguments in (("--debug", "--log-file", str(LOG)), ("--log-file", str(LOG), "--debug")):
        LOG.unlink(missing_ok=True)
        script = f"main(['status', *{json.dumps(arguments)}])\nlogging.getLogger('dispatcher.events').debug('often')"
        done = run(script)
        assert "often" in LOG.read_text(encoding="utf-8")
        assert re.search(rf"{TIME} DEBUG dispatcher\.events: often", done.stderr)
