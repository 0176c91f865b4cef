"""The two streams: data on stdout; progress, questions and errors on stderr. Colours, widths and closed pipes."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Mapping
from functools import cache
from typing import Any

from rich import box
from rich.console import Console
from rich.text import Text

from dispatcher.cli import debug
from dispatcher.cli.render.remedies import remedy_text
from dispatcher.errors import DispatcherError

TABLE_BOX = box.SIMPLE_HEAD
#: How wide a table may be where no terminal sets the width.
PIPE_WIDTH = 160

STATE_STYLES: dict[str, str] = {
    "planned": "cyan",
    "sending": "bright_blue",
    "created": "green",
    "rejected": "red",
    "busy": "yellow",
    "unknown": "magenta",
    "invalid": "bright_red",
    "skipped": "bright_black",
}


class _Stream(Console):
    """A console that falls silent when nobody reads it any more: a closed pipe must not stop a run."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        if not self.stderr:
            leave_stdout()


@cache
def out() -> Console:
    """Stdout, for data."""
    return _stream(stderr=False)


@cache
def err() -> Console:
    """Stderr, for everything that is not data."""
    return _stream(stderr=True)


def _stream(*, stderr: bool) -> Console:
    stream = _Stream(stderr=stderr, highlight=False, soft_wrap=False)
    if not stream.is_terminal and "COLUMNS" not in os.environ:
        stream.width = PIPE_WIDTH
    return stream


def is_live() -> bool:
    """Whether stderr is a terminal on which lines can be drawn again."""
    return err().is_terminal and not err().is_dumb_terminal


def say(message: str | Text = "", style: str | None = None, *, whole: bool = False) -> None:
    """A line for the person: on stderr, never read as markup.

    Between words it is wrapped on a terminal, unless it is to be copied (`whole`); elsewhere a line stays one line.
    """
    text = Text(visible(message), style=style or "") if isinstance(message, str) else message
    try:
        err().print(text, soft_wrap=whole or not err().is_terminal)
    except OSError:  # the terminal is gone, or the disk that the log is on is full
        err().quiet = True


def visible(text: str) -> str:
    """The text without characters that would steer the terminal: names and messages come from elsewhere."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "�" for letter in text)


def print_json(value: Mapping[str, Any] | list[Any]) -> None:
    """One JSON value on stdout, and flush."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_error(error: DispatcherError) -> None:
    """`error[code]: what`, what was found, and how to fix it."""
    say(Text.assemble((f"error[{error.code}]", "bold red"), ": ", visible(error.message)))
    if error.found:
        say(Text.assemble(("found", "bold"), ": ", visible(error.found)))
    if error.fix:
        say(Text.assemble(("fix", "bold green"), ": ", visible(remedy_text(error.fix))), whole=True)
    if debug.is_on():
        _print_traceback(error)


def print_usage(error: Exception) -> None:
    """A wrong command line, in the same three lines."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "dispatcher"
    message = getattr(error, "format_message", error.__str__)()
    if not message:
        return  # the help was printed: there was no command
    say(Text.assemble(("error[usage]", "bold red"), ": ", message.strip().rstrip(".")))
    say(Text.assemble(("fix", "bold green"), ": ", f"{path} --help"))


def print_bug(error: Exception) -> None:
    """One line for what should never happen, and how to tell us."""
    say(Text.assemble(("error[internal]", "bold red"), ": ", f"{type(error).__name__}: {debug.masked(str(error))}"))
    if debug.is_on():
        _print_traceback(error)
    else:
        say(Text.assemble(("fix", "bold green"), ": ", "run it again with --debug and report what it prints"))


def _print_traceback(error: BaseException) -> None:
    lines = traceback.format_exception(error)
    say(debug.masked("".join(lines)).rstrip(), "bright_black")


def leave_stdout() -> None:
    """Nobody reads stdout any more: send what is left nowhere, so that Python's own flush at exit is silent."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
