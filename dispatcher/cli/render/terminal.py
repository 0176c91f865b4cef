"""The two streams: data on stdout; progress, questions and errors on stderr. Colours, widths and closed pipes."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dispatcher.cli.render import answers

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
    # What comes from outside (names, cells, messages) is never markup, in whatever it is put: a table, a bar, a line.
    stream = _Stream(stderr=stderr, highlight=False, soft_wrap=False, markup=False, emoji=False)
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


def say_labelled(label: str, style: str, text: str, *, whole: bool = False) -> None:
    """`label: text` for the person."""
    say(Text.assemble((label, style), ": ", visible(text)), whole=whole)


def visible(text: str) -> str:
    """The text without characters that would steer the terminal: names and messages come from elsewhere."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in "\n\t" else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def print_json(value: Mapping[str, Any] | list[Any]) -> None:
    """One JSON value on stdout, at the command's end: see `answers`."""
    answers.put(value)


def escape_what_cannot_be_shown() -> None:
    """A letter that a stream's encoding does not have is shown as its number: nothing is lost that was to be seen."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_line(text: str) -> None:
    """One line of data, never read as markup and never broken."""
    out().print(text, markup=False, soft_wrap=True)


def print_hanging(label: Text, text: str) -> None:
    """A label and what is to be said, which goes on below itself on a terminal; elsewhere it stays one line."""
    if not out().is_terminal:
        out().print(Text.assemble(label, visible(text)), soft_wrap=True)
        return
    grid = Table.grid()
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(label, Text(visible(text)))
    out().print(grid)


def print_pairs(lines: Sequence[tuple[str, Text | str]]) -> None:
    """Labels and values, aligned."""
    out().print(pairs(lines))


def table(*columns: str, right: Sequence[str] = (), whole: Sequence[str] = (), dim: Sequence[str] = ()) -> Table:
    """A table with these columns: those in `right` hold numbers, those in `whole` are never broken, `dim` are grey."""
    found = Table(box=TABLE_BOX, pad_edge=False, header_style="bright_black")
    for name in columns:
        found.add_column(
            name,
            justify="right" if name in right else "left",
            no_wrap=name in whole,
            overflow="fold",
            style="bright_black" if name in dim else "",
        )
    return found


def print_rows(names: Sequence[str], rows: Sequence[Sequence[Text | str]], *, right: Sequence[str] = ()) -> None:
    """A table; on a terminal that is too narrow for it, two lines for each row: the first two cells, and the others."""
    shown = table(*names, right=right, whole=names)
    for row in rows:
        shown.add_row(*row)
    if out().measure(shown, options=out().options.update(max_width=1000)).maximum <= out().width:
        out().print(shown)
        return
    for first, second, *others in rows:
        out().print(Text.assemble(first, "  ", second), soft_wrap=True)
        told = [Text.assemble((f"{name} ", "bright_black"), cell) for name, cell in zip(names[2:], others, strict=True)]
        out().print(Text.assemble("  ", Text(" · ").join(told)))


def pairs(lines: Sequence[tuple[str, Text | str]]) -> Table:
    """Labels and values, aligned."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bright_black", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in lines:
        grid.add_row(label, value)
    return grid


def leave_stdout() -> None:
    """Nobody reads stdout any more: send what is left nowhere, so that Python's own flush at exit is silent."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
