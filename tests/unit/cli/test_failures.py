"""What becomes of whatever a command raises: three lines, an exit code, and nothing private."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest
import typer

from dispatcher.cli import app as app_module
from dispatcher.cli import logs
from dispatcher.cli.render import failures, terminal
from dispatcher.errors import DispatcherError, ExitCode, Interrupted, LedgerCorrupt, ReportError


@pytest.fixture(autouse=True)
def _fresh_streams() -> None:
    # The streams are made once a process; pytest gives each test its own.
    terminal.out.cache_clear()
    terminal.err.cache_clear()


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    """The program with one command that the test makes."""
    other = typer.Typer(pretty_exceptions_enable=False)
    other.callback()(lambda: None)
    monkeypatch.setattr(app_module, "program", lambda command: other)
    return other


def raising(program: typer.Typer, error: BaseException) -> int:
    @program.command()
    def fail() -> None:
        raise error

    return app_module.main(["fail"])


KINDS = DispatcherError.__subclasses__()
EVERY_ERROR = [*KINDS, *(leaf for kind in KINDS for leaf in kind.__subclasses__())]


@pytest.mark.parametrize("kind", EVERY_ERROR, ids=lambda kind: kind.__name__)
def test_each_error_is_three_lines_and_a_code(
    program: typer.Typer, kind: type[DispatcherError], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each error is told in three lines on standard error, and ends the program with its code."""
    code = raising(program, kind("what happened", found="this [and that]", fix="a command"))
    out, err = capsys.readouterr()
    assert (code, out) == (kind.exit_code, "")
    assert err.splitlines() == [f"error[{kind.code}]: what happened", "found: this [and that]", "fix: a command"]


def test_lines_of_an_error_are_never_wrapped(program: typer.Typer, capsys: pytest.CaptureFixture[str]) -> None:
    """The lines of an error are never wrapped, so that scripts can read them."""
    raising(program, ReportError("long " * 100, fix="x" * 500))
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_bug_is_told_without_private_data(
    program: typer.Typer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug is one line without private data, and says how to report it."""
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "canary-token")
    code = raising(program, ValueError("canary-token and +12025550123"))
    err = capsys.readouterr().err
    assert code == ExitCode.BUG
    assert err.splitlines()[0] == "error[internal]: ValueError: *** and +…23"
    assert "--debug" in err
    assert "Traceback" not in err


def test_with_debug_the_traceback_is_shown_masked(
    program: typer.Typer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --debug a bug's traceback is shown, with secrets and numbers masked."""
    monkeypatch.setattr(logs, "_debug", True)
    monkeypatch.setenv("TWILIO_API_SECRET", "canary-secret")
    raising(program, RuntimeError("canary-secret +12025550123"))
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "RuntimeError" in err
    assert "canary-secret" not in err
    assert "+12025550123" not in err


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Interrupted()])
def test_an_interrupt_is_130(program: typer.Typer, error: BaseException) -> None:
    """Ctrl-C, and the error of an interrupted run, end the program with exit code 130."""
    assert raising(program, error) == 130


def test_what_a_command_returns_is_the_exit_code(program: typer.Typer) -> None:
    """A command that raises nothing ends the program with the number that it returns."""

    @program.command()
    def some() -> int:
        return ExitCode.SOME_REFUSED

    assert app_module.main(["some"]) == 3
    assert app_module.main(["--help"]) == 0


def test_a_reader_that_has_enough_is_no_error() -> None:
    """A reader that has enough, as `head` has, ends the command quietly and with exit code 0."""
    # More than a pipe holds, into a reader that goes away after one line.
    script = (
        f"{sys.executable} -c 'from dispatcher.cli.render.terminal import out\n"
        "from dispatcher.cli.app import main\n"
        "for n in range(20000): out().print(n)' | head -1"
    )
    done = subprocess.run(["bash", "-o", "pipefail", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")


def test_a_standard_error_that_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log on standard error that cannot be written does not stop anything."""

    class Full:
        encoding = "utf-8"

        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def flush(self) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr("sys.stderr", Full())
    terminal.say("a line")
    failures.print_error(LedgerCorrupt())


def test_secrets_in_files_are_masked(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that comes from a file is masked; a file that is not there does no harm."""
    from pathlib import Path

    file = Path("secret")
    file.write_text("canary-in-a-file\n", encoding="utf-8")
    monkeypatch.setenv("TWILIO_API_SECRET_FILE", str(file))
    assert logs.masked("canary-in-a-file") == "***"
    monkeypatch.setenv("TWILIO_API_SECRET_FILE", "nowhere")
    assert logs.masked("plain") == "plain"
