"""What ended a command: `error[code]: what`, what was found, and how to fix it."""

from __future__ import annotations

import traceback

from rich.text import Text

from dispatcher.cli import logs
from dispatcher.cli.render.remedies import remedy_text
from dispatcher.cli.render.terminal import say, visible
from dispatcher.errors import DispatcherError


def print_error(error: DispatcherError) -> None:
    """Three lines at most; the one with the fix is whole, so that it can be pasted."""
    say(Text.assemble((f"error[{error.code}]", "bold red"), ": ", visible(error.message)))
    if error.found:
        say(Text.assemble(("found", "bold"), ": ", visible(error.found)))
    if error.fix:
        say(Text.assemble(("fix", "bold green"), ": ", visible(remedy_text(error.fix))), whole=True)
    _tell_more(error)


def print_usage(error: Exception) -> None:
    """A wrong command line, in the same lines."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "dispatcher"
    message = getattr(error, "format_message", error.__str__)()
    if not message:
        return  # the help was printed: there was no command
    say(Text.assemble(("error[usage]", "bold red"), ": ", message.strip().rstrip(".")))
    say(Text.assemble(("fix", "bold green"), ": ", f"{path} --help"))


def print_bug(error: Exception) -> None:
    """One line for what should never happen, and how to tell us."""
    say(Text.assemble(("error[internal]", "bold red"), ": ", f"{type(error).__name__}: {logs.masked(str(error))}"))
    if not logs.is_debug():
        say(Text.assemble(("fix", "bold green"), ": ", "run it again with --debug and report what it prints"))
    _tell_more(error)


def _tell_more(error: BaseException) -> None:
    logs.note_failure(error)
    if logs.is_debug():
        lines = traceback.format_exception(error)
        say(logs.masked("".join(lines)).rstrip(), "bright_black")
