"""The question before anything is done that cannot be undone: a number has to be typed."""

from __future__ import annotations

import sys

from dispatcher.campaign.naming import STANDARD_INPUT
from dispatcher.campaign.outlook import read_count
from dispatcher.cli import interrupts
from dispatcher.cli.render.terminal import err, say
from dispatcher.errors import UsageError
from dispatcher.remedies import Advice, AnyOf, Option


def must_be_able_to_ask(yes: bool, source: str | None = None) -> None:
    """Raises: UsageError where nobody could answer the question."""
    if yes:
        return
    if source == STANDARD_INPUT:
        raise UsageError("the rows come from standard input, so no question can be asked there", fix=Option("yes"))
    if not sys.stdin or not sys.stdin.isatty():
        raise UsageError("this asks before it sends, and there is no terminal to answer", fix=Option("yes"))


def typed_number(given: str, source: str) -> str:
    """A number as it was given; `-` has it typed, so that it stands in no list of processes and no shell's history.

    Where there is no terminal, it is the first line of standard input. Raises: UsageError: the rows come from there;
    Interrupted.
    """
    if given != STANDARD_INPUT:
        return given
    if source == STANDARD_INPUT:
        raise UsageError(
            "the rows come from standard input, so no number can be typed there", fix=Option("test-to", "+1…")
        )
    with interrupts.raised():
        if sys.stdin and sys.stdin.isatty():
            err().print("Number to send the test to: ", end="", soft_wrap=True)
            sys.stderr.flush()
        return sys.stdin.readline().strip() if sys.stdin else ""


def ask(count: int, what: str, yes: bool) -> None:
    """Have the number typed, unless the answer is `yes`. Raises: UsageError for any other answer; Interrupted."""
    if yes:
        return
    with interrupts.raised():
        err().print(f"Type [bold]{count}[/bold] to {what}: ", end="", soft_wrap=True)
        sys.stderr.flush()
        answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        say()
    if read_count(answer) != count:
        raise UsageError(
            "not confirmed: nothing was done",
            found=answer.strip() or "no answer",
            fix=AnyOf(Advice(f"type {count}"), Option("yes")),
        )
