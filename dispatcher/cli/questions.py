"""Questions one at a time, each with its guess as Enter; without a terminal, which flags they would have been."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from rich.text import Text

from dispatcher.cli import interrupts
from dispatcher.cli.render.terminal import err, say, visible
from dispatcher.errors import UsageError
from dispatcher.remedies import Advice, Option

T = TypeVar("T")

#: So many choices are shown; any of the others can be typed.
SHOWN_MAX = 30


class NotAnAnswer(Exception):
    """What was typed is none, and why."""


class Questions:
    """Asks, or notes what would have to be asked."""

    def __init__(self) -> None:
        self.can_ask = bool(sys.stdin and sys.stdin.isatty() and err().is_terminal)
        #: Flags that say what could not be asked, each with the guess.
        self.missing: list[Option] = []

    def pick(
        self, question: str, choices: Sequence[tuple[str, str]], *, guess: str | None, flag: Option, others: str = ""
    ) -> str | None:
        """One of the choices, each a name and what is to be said of it. By its number, or its name.

        `others`: what else may be typed, and how it begins is its first character; that is returned as it was typed.
        None: nobody can be asked. Raises: UsageError: no answer; Interrupted.
        """
        names = [name for name, _ in choices]

        def read(text: str) -> str:
            if text.isdecimal() and text.isascii() and 1 <= int(text) <= len(names):
                return names[int(text) - 1]
            if text in names or (others and text.startswith(others[0])):
                return text
            raise NotAnAnswer(f"type a number from 1 to {len(names)}, or a name as it stands there")

        if self.can_ask:
            say(question, "bold")
            width = max(len(visible(name)) for name in names[:SHOWN_MAX])
            for number, (name, told) in enumerate(choices[:SHOWN_MAX], 1):
                # In one line: a name may hold line ends.
                line = visible(name).replace("\n", "\\n").replace("\t", "\\t")
                say(
                    Text.assemble(
                        (f"  {number:>2}  ", "bright_black"), f"{line:{width}}", (f"  {told}", "bright_black")
                    )
                )
            if len(choices) > SHOWN_MAX:
                say(f"  … and {len(choices) - SHOWN_MAX:,} more: type the name", "bright_black")
        prompt = f"Number or name{f', {others}' if others else ''}"
        shown = None if guess is None else f"{names.index(guess) + 1}: {guess}"
        return self._ask(prompt, read, guess=guess, shown=shown, flag=flag)

    def type(
        self, question: str, read: Callable[[str], T], *, guess: T | None = None, flag: Option, told: str = ""
    ) -> T | None:
        """Something that is typed; `read` makes a value of it, or raises NotAnAnswer. Otherwise as `pick`."""
        if self.can_ask and told:
            say(told, "bright_black")
        return self._ask(question, read, guess=guess, shown=None if guess is None else str(guess), flag=flag)

    def _ask(
        self, prompt: str, read: Callable[[str], T], *, guess: T | None, shown: str | None, flag: Option
    ) -> T | None:
        if not self.can_ask:
            self.missing.append(flag)
            return None
        while True:
            answer = _read_line(prompt, shown)
            if not answer.endswith("\n"):
                say()
                raise UsageError("not answered: nothing was written", fix=Advice("answer, or give the flags"))
            text = answer.strip()
            if not text and guess is not None:
                return guess
            try:
                if not text:
                    raise NotAnAnswer("this has no guess: it must be typed")
                return read(text)
            except NotAnAnswer as wrong:
                say(f"{wrong}", "yellow")


def _read_line(prompt: str, shown: str | None) -> str:
    guess = "" if shown is None else f" [{visible(shown)}]"
    with interrupts.raised():
        err().print(Text.assemble(prompt, (guess, "bold green"), ": "), end="", soft_wrap=True)
        sys.stderr.flush()
        return sys.stdin.readline()
