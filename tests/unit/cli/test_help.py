"""The help says it all: commands and options are explained, commands have examples, docs/cli.md is the same."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from dispatcher.cli import app, options
from dispatcher.cli.app import program
from dispatcher.cli.flags import FLAGS, PARAMETERS
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


@pytest.mark.parametrize("name", app.COMMANDS)
def test_a_command_alone_is_as_among_all(name: str) -> None:
    """A command line is read with no more than its command's file, and means the same."""
    alone: Any = typer.main.get_command(program(name))
    assert set(alone.commands) == {name}
    assert [param.name for param in alone.params] == [param.name for param in ROOT_COMMAND.params]
    told = dict(commands(alone))
    assert told
    for path, command in told.items():
        assert _told(command) == _told(COMMANDS[path])


def test_each_file_of_commands_is_a_command() -> None:
    """`commands/` has one file per command, named as typed, and no other."""
    root: Any = ROOT_COMMAND
    files = {path.stem for path in (Path(app.__file__).parent / "commands").glob("[!_]*.py")}
    assert set(app.COMMANDS) == set(root.commands) == files


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_can_log(name: str) -> None:
    """Every command has --debug and --log-file."""
    assert {"debug", "log_file"} <= {param.name for param in COMMANDS[name].params}


@pytest.mark.parametrize("name", COMMANDS)
def test_flags_of_settings_are_the_tables(name: str) -> None:
    """An option under the settings' heading is read by the one table that remedies are worded with."""
    flags = {param.opts[0] for param in COMMANDS[name].params if param.rich_help_panel == options.SETTINGS}
    assert flags <= set(FLAGS.values())
    for param in COMMANDS[name].params:
        if param.opts[0] in flags:
            assert param.name in PARAMETERS.values()


def _told(command: Any) -> tuple[Any, ...]:
    params = [(param.name, param.opts, getattr(param, "help", None), param.required) for param in command.params]
    return command.name, command.help, command.epilog, command.callback.__qualname__, params


def test_the_contracts_commands_are_there() -> None:
    """Every command that the outer contract names is in the program."""
    assert {name.removeprefix("dispatcher ") for name in COMMANDS} >= WANTED


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_and_option_is_explained(name: str) -> None:
    """Every command's help begins with a sentence, and every option has a text."""
    command = COMMANDS[name]
    assert command.help
    assert command.help.splitlines()[0].endswith(".")
    for param in command.params:
        assert param.help, param.name


def example_lines(command: Any) -> list[str]:
    head = command.epilog.partition("\n\n")[0]
    return re.sub(r"(?<!\\)\[/?(bold|dim)\]", "", head).splitlines()[1:]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_commands_examples_fit_a_terminal(name: str) -> None:
    """Each command has examples that fit a terminal of 80 columns."""
    lines = example_lines(COMMANDS[name])
    assert lines
    assert max(map(len, lines)) <= 78
    assert all(len(line) <= COMMAND_WIDTH + 2 + DOES_WIDTH for line in lines if "  " in line.strip())


@pytest.mark.parametrize("name", COMMANDS)
def test_each_example_is_understood(name: str) -> None:
    """Each example is a command line that the program understands."""
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


def test_the_page_is_what_the_program_says(root: Path) -> None:
    """docs/cli.md is what the program says of its commands."""
    assert (root / "docs" / "cli.md").read_text(encoding="utf-8") == text(), "python -m docs.commands"
