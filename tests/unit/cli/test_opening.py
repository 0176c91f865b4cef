"""`report --open` and `report --report -`: what opens a file here, and what is said where nothing does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dispatcher.cli import opening
from dispatcher.errors import ReportError, UsageError
from dispatcher.remedies import Advice

REPORT = Path("-spring report.html")


def program(folder: Path, text: str) -> dict[str, str]:
    """An xdg-open of our own, and a desktop."""
    path = folder / "xdg-open"
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o700)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "DISPLAY": ":0"}


def open_with(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    opening.open_file(REPORT)


@pytest.mark.skipif(os.name != "posix", reason="xdg-open")
def test_the_systems_own_program_opens_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the file's whole path, which can be no option of its."""
    open_with(monkeypatch, program(tmp_path, f'printf %s "$1" > "{tmp_path}/opened"'))
    assert (tmp_path / "opened").read_text() == str(REPORT.absolute())


@pytest.mark.skipif(os.name != "posix", reason="xdg-open")
def test_one_that_stays_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A viewer in the foreground has opened the file."""
    monkeypatch.setattr(opening, "OPENED_AFTER_S", 0.1)
    open_with(monkeypatch, program(tmp_path, "exec sleep 2"))


@pytest.mark.skipif(os.name != "posix", reason="xdg-open")
def test_what_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its exit code, and that the report is there all the same."""
    with pytest.raises(ReportError, match=r"the report is written.*xdg-open ended with 3") as caught:
        open_with(monkeypatch, program(tmp_path, "exit 3"))
    assert isinstance(caught.value.fix, Advice)
    assert str(REPORT.absolute()) in caught.value.fix.text


@pytest.mark.parametrize(("environ", "why"), [({}, "no desktop"), ({"DISPLAY": ":0", "PATH": ""}, "no xdg-open")])
def test_where_there_is_none_it_is_told(environ: dict[str, str], why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server has no desktop: nothing is started in its terminal."""
    with pytest.raises(ReportError, match=why):
        open_with(monkeypatch, environ)


def test_a_mac_opens_it() -> None:
    """By its own command."""
    assert opening.viewer(REPORT, {}, "darwin") == ["/usr/bin/open", str(REPORT)]


def test_no_workbook_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no text goes into a file or a program."""
    opening.check_stdout("xlsx")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    opening.check_stdout("csv")
    with pytest.raises(UsageError, match="terminal"):
        opening.check_stdout("xlsx")
