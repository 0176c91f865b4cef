"""What preflight says about a flow: findings by table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.errors import PreflightFailed
from dispatcher.remedies import Advice, AnyOf, Option, Setting
from dispatcher.studio.preflight import Finding, SeenFlow, Severity, findings, refuse
from dispatcher.studio.resources import Flow

NUMBER = "+15550001111"
SERVICE = "MG" + "0" * 32


def widget(name: str, body: str = "", kind: str = "send-message") -> dict[str, Any]:
    return {"name": name, "type": kind, "properties": {"body": body}, "transitions": []}


def flow_of(*widgets: dict[str, Any], rest: str | None = None) -> dict[str, Any]:
    first = rest or (widgets[0]["name"] if widgets else None)
    trigger = {"name": "Trigger", "type": "trigger", "transitions": [{"event": "incomingRequest", "next": first}]}
    return {"states": [trigger, *widgets], "initial_state": "Trigger"}


def seen(definition: object, *, status: str = "published", published: bool = True) -> SeenFlow:
    flow = Flow(sid="FW" + "0" * 32, friendly_name="Reminder", status=status, revision=3)
    # Whatever Studio may send, so not checked here.
    revision = Flow.from_json({"sid": flow.sid, "revision": 2, "definition": definition})
    return SeenFlow(flow=flow, api_version="v2", published=revision if published else None)


def codes(found: list[Finding]) -> list[tuple[str, str]]:
    return [(str(one.severity), one.code) for one in found]


def of(definition: object, *parameters: str, sender: str | None = None) -> list[Finding]:
    return findings(seen(definition), parameters=parameters, sender=sender, id_parameter="dispatch_id")


def test_a_flow_that_fits_has_no_finding(root: Path) -> None:
    sample = orjson.loads((root / "samples/flow.json").read_bytes())
    assert of(sample, "first_name", "dispatch_id") == []
    assert codes(of(sample, "first_name", sender=NUMBER)) == [("warning", "replies")]


def test_a_missing_parameter(root: Path) -> None:
    """A missing parameter is an error that names the widgets that use it."""
    sample = orjson.loads((root / "samples/flow.json").read_bytes())
    (one,) = of(sample)
    assert (one.severity, one.code) == (Severity.error, "missing_parameter")
    assert "flow.data.first_name in ask_yes_no, say_see_you, say_sorry, remind" in one.message
    assert "blank" in one.message
    assert one.fix == AnyOf(Advice("add a column 'first_name'"), Setting("columns.constants.first_name", "…"))


@pytest.mark.parametrize(
    ("column", "mapped"),
    [
        ("First Name", True),
        ("firstname", True),
        ("FIRST-NAME", True),
        ("first_nam", True),
        ("Name", True),
        ("FirstName", True),
        ("birthday", False),
        ("surname", False),
    ],
)
def test_a_column_that_was_probably_meant_is_offered(column: str, mapped: bool) -> None:
    missing, *rest = of(flow_of(widget("hello", "{{flow.data.first_name}}")), column)
    assert codes(rest) == [("note", "unused_parameter")]
    mapping = Setting("columns.parameters", (("first_name", column),))
    assert (missing.fix == AnyOf(mapping, Advice(f"rename the column {column!r} to 'first_name'"))) == mapped


def test_a_mapping_keeps_what_the_flow_gets_already() -> None:
    """Whoever names parameters names all of them: the proposed table has the others, too."""
    (missing,) = of(flow_of(widget("a", "{{flow.data.first_name}} {{flow.data.when}}")), "Name", "when")[:1]
    assert isinstance(missing.fix, AnyOf)
    assert missing.fix.remedies[0] == Setting("columns.parameters", (("first_name", "Name"), ("when", "when")))


def test_a_default_makes_a_missing_parameter_a_warning() -> None:
    (one,) = of(flow_of(widget("a", "{{flow.data.x | default: 'friend'}}")))
    assert (one.severity, one.code) == (Severity.warning, "missing_parameter")
    (one,) = of(flow_of(widget("a", "{{flow.data.x | default: 'friend'}}"), widget("b", "{{flow.data.x}}")))
    assert one.severity is Severity.error
    assert "in b," in one.message


def test_parameters_are_compared_by_case() -> None:
    assert codes(of(flow_of(widget("a", "{{flow.data.Name}}")), "name"))[0] == ("error", "missing_parameter")


def test_unused_parameters_are_noted() -> None:
    """Unused parameters are noted, but for the id and where names are computed."""
    plain = flow_of(widget("a", "hello"))
    (one,) = of(plain, "city", "age", "dispatch_id")
    assert (one.code, "city, age" in one.message) == ("unused_parameter", True)
    assert codes(of(flow_of(widget("a", "{{flow.data | json}}")), "city")) == [("note", "dynamic")]


def test_a_part_of_a_text_is_warned_about() -> None:
    assert codes(of(flow_of(widget("a", "{{flow.data.address.city}}")), "address")) == [("warning", "part_of_text")]


def test_a_flow_that_was_never_published_is_an_error() -> None:
    found = findings(seen(None, status="draft", published=False), parameters=(), sender=None)
    assert codes(found) == [("error", "unpublished")]
    assert found[0].fix == Advice("open the flow in Studio and press Publish")


def test_a_newer_draft_is_warned_about() -> None:
    """A newer draft is warned about, and what is published is checked."""
    draft = seen(flow_of(widget("a", "{{flow.data.x}}")), status="draft")
    found = findings(draft, parameters=(), sender=None)
    assert codes(found) == [("error", "missing_parameter"), ("warning", "draft")]
    assert "revision 3" in found[1].message
    assert "run revision 2" in found[1].message


@pytest.mark.parametrize(
    "transitions",
    [
        [],
        [{"event": "incomingMessage", "next": "a"}],
        [{"event": "incomingRequest"}],
        [{"event": "incomingRequest", "next": "gone"}],
    ],
)
def test_a_trigger_that_leads_nowhere(transitions: list[dict[str, Any]]) -> None:
    """A trigger that leads nowhere for REST calls is an error."""
    definition = flow_of(widget("a"))
    definition["states"][0]["transitions"] = transitions
    assert codes(of(definition)) == [("error", "no_rest_trigger")]


@pytest.mark.parametrize(
    ("sender", "widgets", "expected"),
    [
        (NUMBER, [widget("a", kind="send-and-wait-for-reply")], [("warning", "replies")]),
        (NUMBER, [widget("a")], [("note", "replies")]),
        ("12345", [widget("a")], [("note", "replies")]),
        (SERVICE, [widget("a", kind="send-and-wait-for-reply")], [("warning", "replies")]),
        (SERVICE, [widget("a", kind="make-outgoing-call-v2")], [("warning", "service_calls"), ("note", "replies")]),
        (NUMBER, [widget("a", kind="make-outgoing-call-v2")], [("note", "replies")]),
        ("whatsapp:+15550001111", [widget("a")], []),
        ("sip:bot@example.com", [widget("a")], []),
        ("ACME", [widget("a")], [("warning", "sender")]),
        ("MG123", [widget("a")], [("warning", "sender")]),
    ],
)
def test_the_sender_s_traps(sender: str, widgets: list[dict[str, Any]], expected: list[tuple[str, str]]) -> None:
    """The sender is a number or a service, and its traps are told."""
    assert codes(of(flow_of(*widgets), sender=sender)) == expected


def test_the_words_about_replies() -> None:
    """The warning about replies names the number's configuration and the Messaging Service."""
    (one,) = of(flow_of(widget("a", kind="send-and-wait-for-reply")), sender=NUMBER)
    assert f"only where {NUMBER} is configured for this flow" in one.message
    assert "Messaging Service" in one.message


def test_a_subflow_is_noted() -> None:
    assert codes(of(flow_of(widget("a", kind="run-subflow")))) == [("note", "subflow")]


@pytest.mark.parametrize(
    ("status", "version", "expected"),
    [
        ("published", 4, [("note", "v1")]),
        ("draft", 4, [("warning", "draft"), ("note", "v1")]),
        ("draft", 1, [("error", "unpublished"), ("note", "v1")]),
    ],
)
def test_a_flow_of_v1(status: str, version: int, expected: list[tuple[str, str]]) -> None:
    """A flow of v1 is checked as far as v1 tells, and that is said."""
    flow = Flow(sid="FW" + "0" * 32, status=status, version=version)
    one = SeenFlow(flow=flow, api_version="v1", published=None)
    assert codes(findings(one, parameters=("x",), sender=None)) == expected


@pytest.mark.parametrize("definition", [None, "text", [], {}, {"states": "no"}])
def test_a_definition_that_cannot_be_read_is_a_warning(definition: object) -> None:
    assert codes(of(definition, "x")) == [("warning", "definition")]


def test_a_very_large_definition() -> None:
    """A very large definition is answered with few words."""
    body = " ".join(f"{{{{flow.data.p{n}}}}}" for n in range(10))
    found = of(flow_of(*[widget(f"w{n}", body) for n in range(1_999)]))
    assert len(found) == 10
    assert found[0].message.startswith("the flow uses flow.data.p0 in w0, w1, w2, w3, w4, w5, w6, w7 and 1991 more,")


def test_errors_are_refused() -> None:
    """Errors are refused with all that is wrong and the way round, and warnings alone are not."""
    found = of(flow_of(widget("a", "{{flow.data.x}}{{flow.data.y}}")))
    with pytest.raises(PreflightFailed) as caught:
        refuse(found)
    error = caught.value
    assert error.exit_code == 2
    assert error.found is not None
    assert "flow.data.x" in error.found
    assert "flow.data.y" in error.found
    assert error.fix is not None
    assert Option("no-preflight") in getattr(error.fix, "remedies", ())
    refuse([one for one in found if one.severity is not Severity.error])


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.text(max_size=8)
    | st.sampled_from(["Trigger", "incomingRequest", "{{flow.data.a}}"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["states", "name", "type", "properties", "transitions", "event", "next", "initial_state"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(_json, st.lists(st.text(max_size=5), max_size=3), st.none() | st.text(max_size=12))
def test_any_definition(definition: object, parameters: list[str], sender: str | None) -> None:
    """No definition makes the check fail, and no finding is without a message."""
    for one in of(definition, *parameters, sender=sender):
        assert one.message
