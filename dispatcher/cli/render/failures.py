"""What ended a command: `error[code]: what`, what was found, and how to fix it."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dispatcher.answers import ErrorAnswer
from dispatcher.cli import logs
from dispatcher.cli.render import answers
from dispatcher.cli.render.remedies import remedy_text, say_fix
from dispatcher.cli.render.terminal import say, say_labelled
from dispatcher.errors import DispatcherError

if TYPE_CHECKING:
    from dispatcher.settings.notices import Notice


def print_end(error: DispatcherError) -> None:
    """What has ended the command."""
    answers.end_by(error_answer(error))
    print_error(error)


def error_answer(error: DispatcherError) -> ErrorAnswer:
    """The same for `--json`."""
    fix = remedy_text(error.fix) if error.fix else None
    return {"code": error.code, "message": error.message, "found": error.found, "fix": fix}


def print_error(error: DispatcherError) -> None:
    """Three lines at most."""
    answers.tell(error_answer(error))
    _say_error(error.code, error.message)
    if error.found:
        say_labelled("found", "bold", error.found)
    if error.fix:
        say_fix(error.fix)
    _tell_more(error)


def say_notices(notices: Sequence[Notice]) -> None:
    """What is not wrong and should be known."""
    for notice in notices:
        say_labelled("warning", "yellow", notice.text)
        if notice.fix:
            say_fix(notice.fix)


def print_usage(error: Exception) -> None:
    """A wrong command line, in the same lines."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "dispatcher"
    message = getattr(error, "format_message", error.__str__)()
    if message:  # else the help was printed: there was no command
        message, fix = message.strip().rstrip("."), f"{path} --help"
        answers.end_by({"code": "usage", "message": message, "found": None, "fix": fix})
        _say_error("usage", message)
        say_fix(fix)


def print_bug(error: Exception) -> None:
    """One line for what should never happen, and how to tell us."""
    message = f"{type(error).__name__}: {logs.masked(str(error))}"
    fix = "run it again with --debug and report what it prints"
    answers.end_by({"code": "internal", "message": message, "found": None, "fix": fix})
    _say_error("internal", message)
    if not logs.is_debug():
        say_fix(fix)
    _tell_more(error)


def _say_error(code: str, message: str) -> None:
    say_labelled(f"error[{code}]", "bold red", message)


def _tell_more(error: BaseException) -> None:
    logs.note_failure(error)
    if logs.is_debug():
        lines = traceback.format_exception(error)
        say(logs.masked("".join(lines)).rstrip(), "bright_black")
