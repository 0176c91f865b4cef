"""The public names: every one can be had, and `import dispatcher` loads none of them."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dispatcher
from dispatcher.errors import DispatcherError


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


#: Of what public names mention: what nobody makes, holds or looks into.
INSIDE = {
    # What makes a campaign, and what a launch hands to it.
    *("CampaignContext", "StopRequest", "StopRequests", "Courier"),
    # A remedy's words are the front end's: `fix` is shown.
    "Option",
    # Tables of the settings, made by `Settings.model_validate` and `load_settings`.
    *(
        "AccountSettings",
        "CampaignSettings",
        "CanarySettings",
        "CapsSettings",
        "ClusterSettings",
        "ColumnsSettings",
        "CoolOffSettings",
        "CostSettings",
    ),
    *("GuardSettings", "HoursSettings", "InputSettings", "NotifySettings", "RateSettings", "ReconcileSettings"),
    *("RetrySettings", "ScheduleSettings", "StateSettings", "SuppressSettings", "TimeoutSettings", "TrackingSettings"),
    "WebSettings",
    "Provenance",
    # What a page takes from one look to the next.
    "SeenFlow",
    # The wire's.
    *("Answer", "Gate"),
    # An event's: `dispatcher.events` has the kinds of events, and what belongs to them.
    *("Wait", "WaitKind"),
    # Parts of what is told of hours and of a queue: read as fields.
    *("End", "Estimate", "ModeSource", "Place", "Queued"),
    # A flow of the sandbox's own.
    "FlowRevision",
}


def mentioned(kind: object) -> set[str]:
    """The words in the annotations of a function, or of what is public in a class and the classes of ours above it."""
    found: set[str] = set()
    members: list[object] = [kind]
    if isinstance(kind, type):
        for one in (one for one in kind.__mro__ if one.__module__.startswith("dispatcher")):
            shown = {name: value for name, value in vars(one).items() if name == "__init__" or name[0] != "_"}
            members += [value.fget if isinstance(value, property) else value for value in shown.values()]
            fields = inspect.get_annotations(one)
            found.update(*(re.findall(r"\w+", str(hint)) for name, hint in fields.items() if name[0] != "_"))
    for member in members:
        if inspect.isroutine(member):
            hints = inspect.unwrap(member).__annotations__
            found.update(*(re.findall(r"\w+", str(hint)) for hint in hints.values()))
    return found


def test_what_public_names_mention_is_public(root: Path) -> None:
    """Whatever a method takes or gives can be named in a program: in its annotations, its `except`, its tests."""
    files = (root / "dispatcher").rglob("*.py")
    trees = [ast.parse(path.read_text("utf-8")) for path in files]
    ours = {node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}
    public = set(dispatcher.__all__)
    missing = {
        word: name
        for name in dispatcher.__all__
        for word in mentioned(getattr(dispatcher, name)) & ours - public - INSIDE
    }
    assert missing == {}


def test_every_error_is_public() -> None:
    """What may be raised can be caught by its name."""
    kinds = [DispatcherError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert {kind.__name__ for kind in kinds if kind.__module__.startswith("dispatcher.errors")} <= set(
        dispatcher.__all__
    )
