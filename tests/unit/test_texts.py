"""Texts of the rooms below the front ends: a page shows them too, so they hold no flags and no commands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.cli.app import COMMANDS

FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
COMMAND = re.compile(rf"\bdispatcher ({'|'.join(COMMANDS)})\b")
#: The command line's own: its words may stand there. The sandbox is a tool of the terminal.
FRONT_ENDS = ("cli", "sandbox")
#: config.example.toml is a file of the command line's users: its introduction stays.
#: The others still hold so many texts of the command line at most; the list only ever shrinks.
ALLOWED = {"settings/example.py": 2}


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Every string constant with its line, but for docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                docstrings.add(id(first.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def found_in(path: Path) -> list[str]:
    return [f"{line}: {text!r}" for line, text in texts(path) if FLAG.search(text) or COMMAND.search(text)]


def test_no_flag_and_no_command_below_the_front_ends(root: Path) -> None:
    """Remedies are values (remedies.py); each front end words them."""
    package = root / "dispatcher"
    found = {}
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        if not name.startswith(tuple(f"{room}/" for room in FRONT_ENDS)) and (lines := found_in(path)):
            found[name] = lines
    more = {name: lines for name, lines in found.items() if len(lines) > ALLOWED.get(name, 0)}
    assert not more, "\n".join(f"dispatcher/{name}:{line}" for name, lines in more.items() for line in lines)


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("--flow FW…", True),
        ("run with --wait", True),
        ("dispatcher resume spring", True),
        ("`dispatcher config init` writes it", True),
        ("a --- b", False),
        ("CREATE TABLE a -- b", False),
        ("the dispatcher keeps it", False),
        ("dispatcher: a bug", False),
    ],
)
def test_the_search_finds_what_it_is_to_find(text: str, is_found: bool) -> None:
    """And leaves dashes, comments and the program's name alone."""
    assert bool(FLAG.search(text) or COMMAND.search(text)) is is_found
