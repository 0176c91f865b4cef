"""Flow definitions from files, revisions, and the sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from dispatcher.errors import SettingsError
from dispatcher.sandbox import FlowRevision, SandboxFlow, default_flow, load_flow

TRIGGER: dict[str, Any] = {"name": "Trigger", "type": "trigger", "transitions": [{"event": "incomingRequest"}]}
SMALLEST: dict[str, Any] = {"description": "Small", "states": [TRIGGER], "initial_state": "Trigger"}


def written(folder: Path, definition: object) -> Path:
    path = folder / "flow.json"
    path.write_bytes(orjson.dumps(definition))
    return path


def test_the_sample_flow(root: Path) -> None:
    """The project's sample is the sandbox's own flow, byte for byte."""
    sample = load_flow(root / "samples" / "flow.json")
    assert sample.latest.definition == default_flow().latest.definition
    assert (root / "samples" / "flow.json").read_bytes() == (root / "dispatcher/sandbox/flow.json").read_bytes()


def test_a_definition_from_a_file(tmp_path: Path) -> None:
    """A definition from a file is a published flow that walks."""
    flow = load_flow(written(tmp_path, SMALLEST))
    assert (flow.friendly_name, flow.latest.status, flow.walks) == ("Small", "published", True)


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        ([], "not a JSON object"),
        ({}, "`states` is not a list"),
        ({"states": [1], "initial_state": "Trigger"}, "`states` is not a list of objects"),
        ({"states": [{"type": "trigger"}], "initial_state": "Trigger"}, "without a name"),
        ({"states": [TRIGGER, TRIGGER], "initial_state": "Trigger"}, "two states are named Trigger"),
        ({"states": [TRIGGER]}, "`initial_state` names no state"),
        ({"states": [TRIGGER | {"transitions": {}}], "initial_state": "Trigger"}, "transitions that are not a list"),
        ({"states": [TRIGGER | {"transitions": [{}]}], "initial_state": "Trigger"}, "a transition without an event"),
        (
            {"states": [TRIGGER | {"transitions": [{"event": "x", "next": "y"}]}], "initial_state": "Trigger"},
            "leads to y, which does not exist",
        ),
    ],
)
def test_a_file_that_is_no_definition(tmp_path: Path, definition: object, said: str) -> None:
    """A file that is no definition is refused with what is wrong in it."""
    with pytest.raises(SettingsError) as caught:
        load_flow(written(tmp_path, definition))
    assert said in caught.value.message


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is missing is refused with its name, and one that is not JSON is said to be so."""
    with pytest.raises(SettingsError, match=r"missing\.json"):
        load_flow(tmp_path / "missing.json")
    (tmp_path / "flow.json").write_text("{")
    with pytest.raises(SettingsError, match="not JSON"):
        load_flow(tmp_path / "flow.json")


def revision(number: int, status: Any) -> FlowRevision:
    return FlowRevision(revision=number, status=status, definition=SMALLEST)


def test_which_revision_runs() -> None:
    """Contacts run what is published, and test users the latest draft."""
    flow = SandboxFlow(
        sid="FW" + "1" * 32,
        friendly_name="Two",
        revisions=(revision(1, "published"), revision(2, "draft")),
        test_users=("+15550009999",),
    )
    assert flow.revision_for("+15550000001") == flow.revisions[0]
    assert flow.revision_for("+15550009999") == flow.revisions[1]
    assert default_flow(status="draft").revision_for("+15550000001") is None


@pytest.mark.parametrize(
    "changed", [{"sid": "FW1"}, {"sid": "FW" + "A" * 32}, {"revisions": ()}, {"revisions": (revision(2, "draft"),)}]
)
def test_a_flow_that_cannot_be_is_refused(changed: dict[str, Any]) -> None:
    given: dict[str, Any] = {"sid": "FW" + "1" * 32, "friendly_name": "x", "revisions": (revision(1, "draft"),)}
    with pytest.raises(SettingsError):
        SandboxFlow(**(given | changed))
