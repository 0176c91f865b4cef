"""Executions walk their flows: paths, contexts, ends; and the walk is a function of the record and the time alone."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.sandbox import ContactScript, FlowRevision, SandboxFlow, SandboxSettings, default_flow
from dispatcher.sandbox.dates import NEVER_US, SECOND_US
from dispatcher.sandbox.executions import Execution, Executions
from dispatcher.sandbox.runner import FlowRunner, Step

SID = "FN" + "0" * 32
LATE_US = 1 << 61


def state(name: str, kind: str, transitions: dict[str, str | None], **properties: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "transitions": [{"event": event} | ({"next": to} if to else {}) for event, to in transitions.items()],
        "properties": properties,
    }


def flow_of(*states: dict[str, Any], first: str | None = None) -> SandboxFlow:
    trigger = state("Trigger", "trigger", {"incomingMessage": None, "incomingRequest": first or states[0]["name"]})
    definition = {"states": [trigger, *states], "initial_state": "Trigger"}
    revision = FlowRevision(revision=1, status="published", definition=definition)
    return SandboxFlow(sid="FW" + "a" * 32, friendly_name="Test", revisions=(revision,))


def started(flow: SandboxFlow, script: ContactScript, parameters: str | None = None) -> tuple[FlowRunner, Execution]:
    settings = SandboxSettings(flows=(flow,), contacts=script)
    runner, store = FlowRunner(settings), Executions(settings)
    execution = store.add(flow, flow.latest, "+15550000001", "+15550001111", parameters, created_us=0, request_n=0)
    store.set_end(execution, runner.end_us(execution, SID))
    return runner, execution


def path(flow: SandboxFlow, script: ContactScript, parameters: str | None = None) -> list[tuple[str, str, str]]:
    runner, execution = started(flow, script, parameters)
    return [(step.transitioned_from, step.name, step.transitioned_to) for step in runner.steps(execution, SID, LATE_US)]


YES = ContactScript(replies={"Yes": 1}, delivery_errors={})
NO = ContactScript(replies={"no": 1}, delivery_errors={})
NEVER = ContactScript(replies={}, delivery_errors={})
OPTED_OUT = ContactScript(replies={"Yes": 1}, delivery_errors={21610: 1})


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (
            YES,
            [
                ("Trigger", "incomingRequest", "ask_yes_no"),
                ("ask_yes_no", "incomingMessage", "yes_or_no"),
                ("yes_or_no", "match", "say_see_you"),
                ("say_see_you", "sent", "note_coming"),
                ("note_coming", "next", "Ended"),
            ],
        ),
        (
            NO,
            [
                ("Trigger", "incomingRequest", "ask_yes_no"),
                ("ask_yes_no", "incomingMessage", "yes_or_no"),
                ("yes_or_no", "match", "say_sorry"),
                ("say_sorry", "sent", "note_not_coming"),
                ("note_not_coming", "next", "Ended"),
            ],
        ),
        (
            NEVER,
            [
                ("Trigger", "incomingRequest", "ask_yes_no"),
                ("ask_yes_no", "timeout", "remind"),
                ("remind", "sent", "Ended"),
            ],
        ),
        (
            OPTED_OUT,
            [
                ("Trigger", "incomingRequest", "ask_yes_no"),
                ("ask_yes_no", "deliveryFailure", "note_failure"),
                ("note_failure", "next", "Ended"),
            ],
        ),
    ],
    ids=["yes", "no", "never", "opted out"],
)
def test_paths_of_the_sample_flow(script: ContactScript, expected: list[tuple[str, str, str]]) -> None:
    """The sample flow is walked as the contact answers."""
    assert path(default_flow(walks=True), script) == expected


def test_a_delivery_error_in_the_context() -> None:
    """A delivery error stands in the widget as recorded contexts have it."""
    runner, execution = started(default_flow(walks=True), OPTED_OUT)
    context = runner.steps(execution, SID, LATE_US)[-1].entered
    widget = context["widgets"]["ask_yes_no"]
    assert (widget["SmsStatus"], widget["ErrorCode"]) == ("failed", "21610")
    assert widget["outbound"]["Status"] == "accepted"
    assert widget["outbound"]["Sid"].startswith("SM")
    assert "inbound" not in widget


def test_a_reply_in_the_context() -> None:
    """A reply stands in the widget, and the message has the parameters in it."""
    runner, execution = started(default_flow(walks=True), YES, '{"first_name":"Ann","dispatch_id":"d1"}')
    context = runner.steps(execution, SID, LATE_US)[-1].entered
    assert context["widgets"]["ask_yes_no"]["inbound"]["Body"] == "Yes"
    assert context["widgets"]["ask_yes_no"]["outbound"]["Body"].startswith("Hello Ann, ")
    assert context["flow"]["variables"] == {"coming": "yes"}
    assert (
        context["flow"]["data"]
        == context["trigger"]["request"]["parameters"]
        == {
            "first_name": "Ann",
            "dispatch_id": "d1",
        }
    )


def test_a_contact_who_is_thinking() -> None:
    """While the contact is thinking, the context has the question and no answer."""
    runner, execution = started(default_flow(walks=True), ContactScript(replies={"Yes": 1}, delivery_errors={}))
    taken = runner.steps(execution, SID, 1)
    assert [step.transitioned_to for step in taken] == ["ask_yes_no"]
    assert taken[0].context["widgets"] == {}
    assert set(taken[0].entered["widgets"]) == {"ask_yes_no"}
    assert execution.status(1) == "active"


def test_how_long_a_timeout_lasts() -> None:
    """A timeout lasts as long as the widget says, and `speed` shortens it."""
    ends = []
    for speed in (1.0, 60.0):
        script = ContactScript(replies={}, delivery_errors={}, widget_s=0, speed=speed)
        _, execution = started(default_flow(walks=True), script)
        ends.append(execution.ends_us / SECOND_US)
    assert ends == [pytest.approx(3600, abs=0.01), pytest.approx(60, abs=0.01)]


def test_a_reply_after_the_timeout_is_too_late() -> None:
    flow = flow_of(state("ask", "send-and-wait-for-reply", {"incomingMessage": None, "timeout": None}, timeout="0"))
    at_once = ContactScript(replies={"Yes": 1}, delivery_errors={}, reply_after_s=0)
    assert path(flow, at_once)[-1] == ("ask", "timeout", "Ended")


@given(st.integers(0, 10_000), st.integers(0, 5_000 * SECOND_US), st.integers(0, 5_000 * SECOND_US))
def test_steps_never_change(contact: int, first_us: int, second_us: int) -> None:
    """Who looks later sees the same steps, and perhaps more."""
    flow = default_flow(walks=True)
    settings = SandboxSettings(flows=(flow,))
    runner, store = FlowRunner(settings), Executions(settings)
    execution = store.add(flow, flow.latest, f"+1555{contact:07}", "+1", None, created_us=0, request_n=0)
    store.set_end(execution, runner.end_us(execution, SID))
    earlier = runner.steps(execution, SID, min(first_us, second_us))
    later = runner.steps(execution, SID, max(first_us, second_us))
    assert later[: len(earlier)] == earlier
    for now_us, steps in ((min(first_us, second_us), earlier), (max(first_us, second_us), later)):
        assert (execution.status(now_us) == "ended") == (steps[-1].transitioned_to == "Ended")
        assert all(
            one.transitioned_to == other.transitioned_from and one.at_us < other.at_us for one, other in pairwise(steps)
        )


def test_an_execution_that_was_ended() -> None:
    """An execution that was ended takes no more steps."""
    runner, execution = started(default_flow(walks=True), YES)
    execution.ends_us = 1
    assert [step.transitioned_to for step in runner.steps(execution, SID, LATE_US)] == ["ask_yes_no"]


def test_a_trigger_that_leads_nowhere() -> None:
    """A trigger whose `incomingRequest` leads nowhere ends the execution at once."""
    flow = flow_of(state("ask", "send-message", {"sent": None}))
    states = flow.latest.definition["states"]
    del states[0]["transitions"][1]["next"]
    runner, execution = started(flow, YES)
    assert execution.ends_us == 0
    assert [(step.name, step.transitioned_to) for step in runner.steps(execution, SID, LATE_US)] == [
        ("incomingRequest", "Ended")
    ]


def test_a_flow_in_circles() -> None:
    """A flow in circles is stopped at ten visits of a widget."""
    flow = flow_of(
        state("one", "set-variables", {"next": "two"}, variables=[]),
        state("two", "set-variables", {"next": "one"}, variables=[]),
    )
    taken = path(flow, YES)
    assert [step[0] for step in taken].count("one") == 10
    assert taken[-1][2] == "Ended"


def test_widgets_of_other_kinds() -> None:
    """A widget of any other kind takes its first way on."""
    flow = flow_of(
        state("call", "make-http-request", {"success": "done", "failed": None}),
        state("done", "run-function", {"success": None, "fail": None}),
    )
    assert path(flow, YES) == [
        ("Trigger", "incomingRequest", "call"),
        ("call", "success", "done"),
        ("done", "success", "Ended"),
    ]


@pytest.mark.parametrize(
    ("kind", "value", "given_text", "expected"),
    [
        ("equal_to", "Yes", " yes ", True),
        ("equal_to", "Yes", "yes!", False),
        ("not_equal_to", "Yes", "no", True),
        ("matches_any_of", "yes, y,ok", "Y", True),
        ("matches_any_of", "yes,y", "maybe", False),
        ("does_not_match_any_of", "yes,y", "maybe", True),
        ("contains", "way", "No WAY", True),
        ("does_not_contain", "way", "No WAY", False),
        ("starts_with", "no", "No way", True),
        ("does_not_start_with", "no", "No way", False),
        ("is_blank", "", "  ", True),
        ("is_not_blank", "", "  ", False),
        ("less_than", "10", "9.5", True),
        ("greater_than", "10", "9.5", False),
        ("less_than", "10", "nine", False),
        ("regex", "^[1-5]$", "4", True),
        ("regex", "^[1-5]$", "6", False),
        ("regex", "(", "4", False),
        ("something_new", "4", "4", False),
    ],
)
def test_a_split_compares_as_its_condition_says(kind: str, value: str, given_text: str, expected: bool) -> None:
    split = {
        "name": "split",
        "type": "split-based-on",
        "transitions": [
            {"event": "noMatch", "next": "no"},
            {
                "event": "match",
                "next": "yes",
                "conditions": [{"type": kind, "value": value, "arguments": ["{{flow.data.x}}"]}],
            },
        ],
        "properties": {"input": "{{flow.data.x}}"},
    }
    ends = [state(name, "set-variables", {"next": None}) for name in ("yes", "no")]
    taken = path(flow_of(split, *ends), YES, orjson.dumps({"x": given_text}).decode())
    assert taken[1] == ("split", "match" if expected else "noMatch", "yes" if expected else "no")


def test_a_flow_that_does_not_walk() -> None:
    """Without a walk, an execution stands in the first widget until it ends."""
    settings = SandboxSettings(ends_after_s=2)
    runner, store, flow = FlowRunner(settings), Executions(settings), settings.flows[0]
    execution = store.add(flow, flow.latest, "+1", "+2", None, created_us=0, request_n=0)
    store.set_end(execution, runner.end_us(execution, SID))

    def taken(now_us: int) -> list[Step]:
        return runner.steps(execution, SID, now_us)

    assert execution.ends_us == 2 * SECOND_US
    assert [step.transitioned_to for step in taken(2 * SECOND_US - 1)] == ["ask_yes_no"]
    assert [step.transitioned_to for step in taken(2 * SECOND_US)] == ["ask_yes_no", "Ended"]


def test_an_execution_without_an_end() -> None:
    """Without a time to end, an execution stays active."""
    settings = SandboxSettings(ends_after_s=None)
    runner, store, flow = FlowRunner(settings), Executions(settings), settings.flows[0]
    execution = store.add(flow, flow.latest, "+1", "+2", None, created_us=0, request_n=0)
    assert runner.end_us(execution, SID) == NEVER_US


def test_parameters_that_are_no_object() -> None:
    """Parameters that are no object leave the texts blank, and break nothing."""
    runner, execution = started(default_flow(walks=True), YES, "[1, 2]")
    context = runner.steps(execution, SID, LATE_US)[-1].entered
    assert context["flow"]["data"] == [1, 2]
    assert context["widgets"]["ask_yes_no"]["outbound"]["Body"].startswith("Hello , ")
