"""The question before anything is done that cannot be undone: a number has to be typed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from dispatcher.campaign.naming import STANDARD_INPUT
from dispatcher.campaign.outlook import read_count
from dispatcher.cli import interrupts
from dispatcher.cli.render.terminal import err, say
from dispatcher.errors import UsageError
from dispatcher.remedies import Advice, AnyOf, Option

if TYPE_CHECKING:
    from dispatcher.cli.session import Session


def must_be_able_to_ask(yes: bool, source: str | None = None) -> None:
    """Raises: UsageError where nobody could answer the question."""
    if yes:
        return
    if source == STANDARD_INPUT:
        raise UsageError("the rows come from standard input, so no question can be asked there", fix=Option("yes"))
    if not sys.stdin or not sys.stdin.isatty():
        raise UsageError("this asks first, and there is no terminal to answer", fix=Option("yes"))


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


def ask(count: int, what: str, yes: bool, *, again: int = 0) -> None:
    """Have the number typed, or where contacts are reached again, how many, unless the answer is `yes`.

    Raises: UsageError for any other answer; Interrupted.
    """
    if yes:
        return
    wanted = f"again {again}" if again else str(count)
    answer = _read(Text.assemble("Type ", (wanted, "bold"), f" to {what}: "))
    word, number = ("again", again) if again else ("", count)
    typed = answer.strip().lower()
    if not typed.startswith(word) or read_count(typed.removeprefix(word)) != number:
        raise UsageError(
            "not confirmed: nothing was done",
            found=answer.strip() or "no answer",
            fix=AnyOf(Advice(f"type {wanted}"), Option("yes")),
        )


def choose(question: str, ways: Mapping[str, str]) -> str:
    """Have one of these words typed, each with what it does. Raises: UsageError: any other answer; Interrupted."""
    say(question, "yellow")
    for word, does in ways.items():
        say(f"  {word}   {does}")
    answer = _read("Type one of these, anything else stops: ").strip()
    if answer not in ways:
        raise UsageError(
            "not confirmed: nothing was done", found=answer or "no answer", fix=Advice(f"type {' or '.join(ways)}")
        )
    return answer


def ask_encoding(session: Session, source: str) -> None:
    """Where a text is no UTF-8 and a person can be asked, in which encoding it looks right; it holds for this command.

    Raises: UsageError: none of them; Interrupted.
    """
    if source == STANDARD_INPUT or session.settings.input.encoding is not None:
        return
    if not (sys.stdin and sys.stdin.isatty() and err().is_terminal):
        return
    from dispatcher.intake.encodings import samples

    found = samples(Path(source))
    if found:
        ways = {sample.encoding: sample.text for sample in found}
        session.choose(
            "input.encoding", choose(f"{source} is not UTF-8. In which encoding does this look right?", ways)
        )


def _read(prompt: str | Text) -> str:
    with interrupts.raised():
        err().print(prompt, end="", soft_wrap=True)
        sys.stderr.flush()
        answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        say()
    return answer
