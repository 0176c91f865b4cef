"""Remedies in the words of the command line: flags, lines of config.toml, commands that can be pasted."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

from dispatcher.cli.flags import FLAGS
from dispatcher.remedies import Advice, AnyOf, Command, InTurn, Option, Remedy, Setting


def remedy_text(remedy: Remedy | str) -> str:
    """One line; what is to be pasted is quoted for a shell. Plain text is taken as it is."""
    match remedy:
        case str():
            return remedy
        case Advice(text):
            return text
        case Setting():
            return _setting(remedy)
        case Option():
            return _option(remedy)
        case Command():
            return _command(remedy)
        case AnyOf(remedies):
            return ", or ".join(map(remedy_text, remedies))
        case InTurn(remedies):
            return ", then ".join(map(remedy_text, remedies))


def _setting(setting: Setting) -> str:
    table, _, name = setting.name.partition(".")
    value = setting.value
    in_file = f"[{table}] {name}" + ("" if value is None else f" = {_toml(value)}")
    flag = FLAGS.get(setting.name)
    if flag is None:
        return in_file if value is not None else f"set {in_file}"
    return f"{flag} {'…' if value is None else _quoted(str(value))}, or {in_file} in config.toml"


def _toml(value: str | float | tuple[str, ...]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _option(option: Option) -> str:
    return f"--{option.name}" + ("" if option.value is None else f" {_quoted(str(option.value))}")


def _command(command: Command) -> str:
    words = ["dispatcher", command.name, *map(_quoted, command.arguments), *map(_option, command.options)]
    return " ".join(words) + (f" ({command.does})" if command.does else "")


def _quoted(word: str) -> str:
    # An ellipsis says that something of the user's stands there: nobody pastes it as it is.
    return word if "…" in word and " " not in word else shlex.quote(word)


def step_text(step: Remedy) -> str:
    """A next step on a line of its own: the command, and what it does some way behind it."""
    if isinstance(step, Command) and step.does:
        return f"{_command(replace(step, does=''))}   {step.does}"
    return remedy_text(step)
