"""A report that is looked at right away: on stdout, or in the program that the system opens it with."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dispatcher.errors import ReportError, UsageError
from dispatcher.remedies import Advice, AnyOf, Option

if TYPE_CHECKING:
    from dispatcher.campaign import CampaignView
    from dispatcher.reporting.selection import Selection

STANDARD_OUTPUT = "-"
#: What a terminal can show.
_TEXTS = (None, "csv", "html")
#: A program that is still there by then has opened the file.
OPENED_AFTER_S = 3.0


def check_stdout(format: str | None) -> None:
    """Raises: UsageError: that is no text, and stdout is a terminal; there is no stdout."""
    if sys.stdout is None:
        raise UsageError("stdout is closed", fix=Option("report", "PATH"))
    if format not in _TEXTS and sys.stdout.isatty():
        raise UsageError(
            f"{format} is no text, and stdout is a terminal",
            fix=AnyOf(Advice("send it into a file or a program"), Option("format", "csv")),
        )


async def to_standard_output(campaign: CampaignView, name: str, only: Selection | None) -> int:
    """The report on stdout, whole or nothing of it; `name` tells the format. Returns its rows.

    The campaign's next report goes where the last one went. Raises: ReportError; OSError: nobody reads it.
    """
    from dispatcher.reporting.report import is_page

    with tempfile.TemporaryDirectory(prefix="dispatcher-report-") as folder:
        path = Path(folder, name)
        if is_page(path):
            rows = await campaign.page(path)
        else:
            rows = await campaign.report(path, only=only, remember=False)
        _copy(path)
    return rows


def _copy(path: Path) -> None:
    with stdout_told(), path.open("rb") as file:
        sys.stdout.flush()
        shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()


@contextlib.contextmanager
def stdout_told() -> Iterator[None]:
    """Raises: UsageError: there is no stdout; ReportError: it cannot be written; BrokenPipeError: nobody reads it."""
    if sys.stdout is None:
        raise UsageError("stdout is closed", fix=Advice("name a file"))
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ReportError("stdout cannot be written", found=error.strerror, fix=Advice("name a file")) from None


def open_file(path: Path) -> None:
    """Have the system open it. Raises: ReportError: there is nothing here that could, or it has failed."""
    path = path.absolute()
    if sys.platform == "win32":
        try:
            os.startfile(path)
        except OSError as error:
            raise _not_opened(path, error.strerror) from None
        return
    command = viewer(path, os.environ, sys.platform)
    if command is None:
        raise _not_opened(
            path, "there is no desktop here" if not _has_desktop(os.environ) else "no xdg-open is installed"
        )
    quiet = subprocess.DEVNULL
    try:
        # A session of its own: Ctrl-C here does not end what it opens.
        process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
        code = process.wait(OPENED_AFTER_S)
    except subprocess.TimeoutExpired:
        process.returncode = 0  # it is on its own from here
        return
    except OSError as error:
        raise _not_opened(path, error.strerror) from None
    if code:
        raise _not_opened(path, f"{Path(command[0]).name} ended with {code}")


def viewer(path: Path, environ: Mapping[str, str], platform: str) -> list[str] | None:
    """The command that opens a file as a double click would; None: there is none."""
    if platform == "darwin":
        return ["/usr/bin/open", str(path)]
    program = shutil.which("xdg-open", path=environ.get("PATH")) if _has_desktop(environ) else None
    return [program, str(path)] if program else None


def _has_desktop(environ: Mapping[str, str]) -> bool:
    # Without one, xdg-open would start a browser in this very terminal.
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def _not_opened(path: Path, why: str | None) -> ReportError:
    return ReportError(f"the report is written, and cannot be opened: {why}", fix=Advice(f"open {path} yourself"))
