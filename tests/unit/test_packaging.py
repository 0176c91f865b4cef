"""The package: what is installed is whole, typed, and answers to one version and one command."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import dispatcher


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    return table


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as the build backend makes it, from this clone."""
    folder = tmp_path_factory.mktemp("wheel")
    build = "import sys; from flit_core.buildapi import build_wheel; print(build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(folder)], cwd=root, check=True, capture_output=True, text=True
    )
    return folder / done.stdout.split()[-1]


def test_there_is_one_version(project: dict[str, Any]) -> None:
    """The installed package, pyproject.toml and dispatcher.__version__ say the same version."""
    assert metadata.version("dispatcher") == project["version"] == dispatcher.__version__


def test_the_changelog_is_up_to_date(root: Path, project: dict[str, Any]) -> None:
    """The changelog speaks first of this version or of what is to come."""
    first = next(line for line in (root / "CHANGELOG.md").read_text("utf-8").splitlines() if line.startswith("## "))
    assert first.split()[1] in ("[Unreleased]", f"[{project['version']}]")


def test_the_command_is_installed_and_is_the_module() -> None:
    """`dispatcher` and `python -m dispatcher` are the same program."""
    script = Path(sys.executable).with_name("dispatcher")
    by_name, by_module = (
        subprocess.run([*command, "--help"], check=True, capture_output=True, text=True).stdout
        for command in ([str(script)], [sys.executable, "-m", "dispatcher"])
    )
    assert by_name == by_module
    assert "Usage: dispatcher" in by_name


def test_the_wheel_takes_every_file_along(root: Path, wheel: Path) -> None:
    """The wheel takes every file of the package along.

    SQL, templates and py.typed are read when it runs: a wheel without them would work in a clone only.
    """
    here = {
        path.relative_to(root).as_posix()
        for path in (root / "dispatcher").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {
        "dispatcher/py.typed",
        "dispatcher/ledger/sqlite/schema.sql",
        "dispatcher/ledger/sqlite/queries.sql",
    } <= here
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("dispatcher/")}
    assert here == packed


def test_the_unpacked_wheel_runs_by_itself(wheel: Path, tmp_path: Path) -> None:
    """Unpacked into a folder, the wheel runs from there, and not from the clone."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    show = "import dispatcher, runpy, sys; print(dispatcher.__file__); sys.argv = ['dispatcher', '--help']; "
    done = subprocess.run(
        [sys.executable, "-c", show + "runpy.run_module('dispatcher', run_name='__main__')"],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith(str(tmp_path / "site"))


def test_every_module_postpones_its_annotations(root: Path) -> None:
    """Every module of the program and the tests begins with `from __future__ import annotations`."""
    modules = [path for top in ("dispatcher", "tests") for path in (root / top).rglob("*.py") if path.stat().st_size]
    assert len(modules) > 10
    assert [path for path in modules if not _starts_with_future(path)] == []


def _starts_with_future(path: Path) -> bool:
    """Whether the first statement after the docstring is `from __future__ import annotations` (or there is none)."""
    statements = ast.parse(path.read_text("utf-8")).body
    if statements and isinstance(statements[0], ast.Expr) and isinstance(statements[0].value, ast.Constant):
        del statements[0]
    first = statements[0] if statements else None
    return first is None or (
        isinstance(first, ast.ImportFrom)
        and first.module == "__future__"
        and [alias.name for alias in first.names] == ["annotations"]
    )
