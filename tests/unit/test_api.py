"""The public names: every one can be had, and `import dispatcher` loads none of them."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import dispatcher


@pytest.mark.parametrize("name", dispatcher.__all__)
def test_each_name_can_be_had(name: str) -> None:
    """What type checkers are told is there when the program runs."""
    assert getattr(dispatcher, name) is not None
    assert name in dir(dispatcher)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="has no attribute 'open_campain'"):
        dispatcher.open_campain  # type: ignore[attr-defined] # noqa: B018


def test_every_line_of_the_list_is_read(root: Path) -> None:
    """A line in another form would be a name for type checkers alone."""
    stub = ast.parse((root / "dispatcher" / "__init__.pyi").read_text("utf-8"))
    names = [alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(filter(None, names)) == dispatcher.__all__
    assert len(names) == len(set(names)) == len(dispatcher.__all__)


def test_the_import_alone_loads_nothing() -> None:
    """A name costs what its module costs, when it is first used."""
    show = "import dispatcher, json, sys; print(json.dumps([m for m in sys.modules if m.startswith('dispatcher.')]))"
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == ["dispatcher.version"]


def test_each_name_has_a_typed_use(root: Path) -> None:
    """tests/typing/api.py holds the types of all of them."""
    tree = ast.parse((root / "tests" / "typing" / "api.py").read_text("utf-8"))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    used |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert set(dispatcher.__all__) - used == set()
