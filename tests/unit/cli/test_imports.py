"""The start's budget, held on the import graph: what a command does not need, it does not load."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "pandas",
    "numpy",
    "pyarrow",
    "aiohttp",
    "phonenumbers",
    "xlsxwriter",
    "python_calamine",
    "aiolimiter",
    "backoff",
    "liquid",
    "babel",
    "gsm0338",
)
#: Not needed to say what can be done.
NOT_FOR_HELP = (*HEAVY, "asyncio", "sqlite3", "orjson")


def loaded_by(*arguments: str) -> set[str]:
    """The top-level modules that a command has loaded when it ends."""
    script = (
        "import json, sys\n"
        "from dispatcher.cli.app import main\n"
        f"code = main({list(arguments)!r})\n"
        "sys.stdout.flush()\n"
        "print('\\n' + json.dumps([code, sorted({name.partition('.')[0] for name in sys.modules})]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stderr
    return set(modules)


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
def test_the_list_of_commands_loads_little(arguments: tuple[str, ...]) -> None:
    """The list of commands, and the version, load nothing that takes time."""
    assert loaded_by(*arguments).isdisjoint({*NOT_FOR_HELP, "pydantic"})


@pytest.mark.parametrize("arguments", [("run", "--help"), ("config", "show", "--help")])
def test_a_commands_help_loads_no_more_than_typer_does(arguments: tuple[str, ...]) -> None:
    """A command's help loads what typer itself loads, and neither asyncio, SQLite nor a large library."""
    # typer checks options with pydantic.
    assert loaded_by(*arguments).isdisjoint(NOT_FOR_HELP)


@pytest.mark.parametrize("arguments", [("status",), ("status", "--json"), ("config", "show"), ("config", "init")])
def test_looking_loads_little(arguments: tuple[str, ...]) -> None:
    """Looking loads no reader of files, no HTTP client and no number tables."""
    assert loaded_by(*arguments).isdisjoint(HEAVY)


def test_a_dry_run_loads_no_client() -> None:
    """Only what is to be sent is worth what speaks HTTP."""
    Path("contacts.csv").write_text("phone\n+12025550100\n", encoding="utf-8")
    settings = ("--flow", f"FW{0:032d}", "--from", "+15550001111", "--to", "phone")
    loaded = loaded_by("run", "contacts.csv", "--dry-run", *settings)
    assert "phonenumbers" in loaded
    assert "aiohttp" not in loaded
