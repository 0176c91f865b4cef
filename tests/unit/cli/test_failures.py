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
def test_each_error_is_told_in_three_lines_and_ends_with_its_code(
    program: typer.Typer, kind: type[DispatcherError], capsys: pytest.CaptureFixture[str]
) -> None:
    code = raising(program, kind("what happened", found="this [and that]", fix="a command"))
    out, err = capsys.readouterr()
    assert (code, out) == (kind.exit_code, "")
    assert err.splitlines() == [f"error[{kind.code}]: what happened", "found: this [and that]", "fix: a command"]


def test_lines_of_an_error_are_never_wrapped_so_that_scripts_can_read_them(
    program: typer.Typer, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(program, ReportError("long " * 100, fix="x" * 500))
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_bug_is_one_line_without_private_data_and_says_how_to_report_it(
    program: typer.Typer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
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
    assert raising(program, error) == 130


def test_what_a_command_returns_is_the_exit_code(program: typer.Typer) -> None:
    @program.command()
    def some() -> int:
        return ExitCode.SOME_REFUSED

    assert app_module.main(["some"]) == 3
    assert app_module.main(["--help"]) == 0


def test_a_reader_that_has_enough_ends_the_command_quietly() -> None:
    # More than a pipe holds, into a reader that goes away after one line.
    script = (
        f"{sys.executable} -c 'from dispatcher.cli.render.terminal import out\n"
        "from dispatcher.cli.app import main\n"
        "for n in range(20000): out().print(n)' | head -1"
    )
    done = subprocess.run(["bash", "-o", "pipefail", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")


def test_a_log_that_cannot_be_written_does_not_stop_anything(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_secrets_in_files_are_masked_too(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    from pathlib import Path

    file = Path("secret")
    file.write_text("canary-in-a-file\n", encoding="utf-8")
    monkeypatch.setenv("TWILIO_API_SECRET_FILE", str(file))
    assert logs.masked("canary-in-a-file") == "***"
    monkeypatch.setenv("TWILIO_API_SECRET_FILE", "nowhere")
    assert logs.masked("plain") == "plain"
