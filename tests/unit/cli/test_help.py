"""The help says it all: commands and options are explained, commands have examples, docs/cli.md is the same."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from dispatcher.cli.app import MODULES, program
from dispatcher.cli.options import COMMAND_WIDTH, DOES_WIDTH
from docs.commands import commands, text

ROOT_COMMAND = typer.main.get_command(program())
COMMANDS = dict(commands(ROOT_COMMAND))
WANTED = {
    "check",
    "run",
    "resume",
    "status",
    "report",
    "retry",
    "reconcile",
    "cancel",
    "flows",
    "doctor",
    "config init",
    "config show",
    "sandbox",
    "demo",
}


@pytest.mark.parametrize(("module", "names"), MODULES.items())
def test_each_module_alone_gives_its_commands_as_they_are_among_all(module: str, names: tuple[str, ...]) -> None:
    """A command line is read with no more than its command's module."""
    for name in names:
        alone: Any = typer.main.get_command(program(name))
        assert set(alone.commands) == set(names)
        assert [param.name for param in alone.params] == [param.name for param in ROOT_COMMAND.params]
        told = dict(commands(alone))
        assert told
        for path, command in told.items():
            assert _told(command) == _told(COMMANDS[path])


def test_every_command_is_some_module_s() -> None:
    root: Any = ROOT_COMMAND
    assert sorted(root.commands) == sorted(name for names in MODULES.values() for name in names)


def _told(command: Any) -> tuple[Any, ...]:
    params = [(param.name, param.opts, getattr(param, "help", None), param.required) for param in command.params]
    return command.name, command.help, command.epilog, command.callback.__qualname__, params


def test_the_contracts_commands_are_there() -> None:
    assert {name.removeprefix("dispatcher ") for name in COMMANDS} >= WANTED


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_and_option_is_explained(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    assert command.help.splitlines()[0].endswith(".")
    for param in command.params:
        assert param.help, param.name


def example_lines(command: Any) -> list[str]:
    head = command.epilog.partition("\n\n")[0]
    return re.sub(r"(?<!\\)\[/?(bold|dim)\]", "", head).splitlines()[1:]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_examples_that_fit_a_terminal_of_80_columns(name: str) -> None:
    lines = example_lines(COMMANDS[name])
    assert lines
    assert max(map(len, lines)) <= 78
    assert all(len(line) <= COMMAND_WIDTH + 2 + DOES_WIDTH for line in lines if "  " in line.strip())


@pytest.mark.parametrize("name", COMMANDS)
def test_each_example_is_a_command_line_that_is_understood(name: str) -> None:
    for line in example_lines(COMMANDS[name]):
        words = shlex.split(line.partition("  ")[0]) if not line.startswith("    ") else []
        if "dispatcher" not in words:
            continue
        words = words[words.index("dispatcher") + 1 :]
        words = words[: words.index("|")] if "|" in words else words
        command: Any = ROOT_COMMAND
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        # Raises for an option that there is not, and for an argument that is missing.
        command.make_context("dispatcher", words)


def test_the_page_of_the_command_line_is_what_the_program_says(root: Path) -> None:
    assert (root / "docs" / "cli.md").read_text(encoding="utf-8") == text(), "python -m docs.commands"
