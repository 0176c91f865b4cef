"""The check of the structure itself: it finds what it is there to find, wherever an import hides."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.structure import LINES_MAX, circles, graph, imports, problems


def write(root: Path, **sources: str) -> None:
    """A package `room` of these modules."""
    folder = root / "room"
    folder.mkdir()
    for name, source in {"__init__": "", **sources}.items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")


@pytest.mark.parametrize(
    "back",
    [
        "import room.a",
        "from room import a",
        "from room.a import f",
        "from . import a",
        "from .a import f",
        "def g():\n    from room.a import f",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from room.a import T",
    ],
)
def test_a_circle_is_found(tmp_path: Path, back: str) -> None:
    """a imports b, and b imports a: in whatever way, in a function or for types alone."""
    write(tmp_path, a="from room import b", b=back, c="from room import a")
    assert circles(graph(tmp_path, "room")) == [{"room.a", "room.b"}]


def test_a_long_way_round_is_a_circle(tmp_path: Path) -> None:
    """Three files, each importing the next; and two circles are two."""
    write(tmp_path, a="import room.b", b="import room.c", c="import room.a", d="import room.e", e="import room.d")
    assert circles(graph(tmp_path, "room")) == [{"room.a", "room.b", "room.c"}, {"room.d", "room.e"}]


def test_a_module_that_imports_its_package_is_a_circle(tmp_path: Path) -> None:
    """The package's own file imports the module: a name taken from the package leads back."""
    write(tmp_path, __init__="from room.a import f", a="from room import g")
    assert circles(graph(tmp_path, "room")) == [{"room", "room.a"}]


def test_a_diamond_is_no_circle(tmp_path: Path) -> None:
    """Two modules that import a third, and are imported by a fourth, are no circle."""
    write(tmp_path, a="import room.b, room.c", b="import room.d", c="import room.d", d="import os")
    assert circles(graph(tmp_path, "room")) == []


def test_a_name_is_not_taken_for_a_module() -> None:
    """`from room import x` is the module x where there is one, and else the package."""
    known = {"room": None, "room.x": None, "room.y": None}
    source = "from room import x, something\nimport room.y.deeper"
    assert imports("room.z", source, is_package=False, known=known) == {"room", "room.x"}


def test_a_long_file_is_told(tmp_path: Path) -> None:
    """One line more than allowed is a problem, the most that is allowed is none."""
    write(tmp_path, a="x = 1\n" * (LINES_MAX + 1), b="x = 1\n" * LINES_MAX)
    told = list(problems(tmp_path, "room"))
    assert told == [f"room.a has {LINES_MAX + 1} lines, at most {LINES_MAX}: split it by noun"]
