"""The path through the widgets: what the context proves is what the steps tell, or nothing is claimed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.sandbox import ContactScript, FlowRevision, SandboxFlow, SandboxSettings, load_flow
from dispatcher.sandbox.executions import Executions
from dispatcher.sandbox.runner import FlowRunner
from dispatcher.studio.definition import read_definition
from dispatcher.studio.resources import Step
from dispatcher.tracking.paths import LOOKED_AT_MAX, path_of_steps, proved_path

FLOW_SID = "FW" + "0" * 32
SECOND_US = 1_000_000


def walks(flow: SandboxFlow, contacts: int, times_s: list[float], seed: int = 0) -> Iterator[tuple[Any, list[Step]]]:
    """Contexts and steps of executions of a flow, as the sandbox tells them at these times."""
    script = ContactScript(
        replies={"yes": 0.4, "no": 0.2, "who?": 0.1}, delivery_errors={30003: 0.1, 21610: 0.1}, reply_after_s=100
    )
    settings = SandboxSettings(flows=(flow,), contacts=script, seed=seed)
    runner, executions = FlowRunner(settings), Executions(settings)
    revision = flow.latest
    for n in range(contacts):
        execution = executions.add(
            flow, revision, f"+1555000{n:04}", "+15550001111", '{"a": "x"}', created_us=0, request_n=n
        )
        sid = executions.sids.at(execution.n)
        execution.ends_us = runner.end_us(execution, sid)
        for at_s in times_s:
            taken = runner.steps(execution, sid, int(at_s * SECOND_US))
            steps = [
                Step(transitioned_from=step.transitioned_from, transitioned_to=step.transitioned_to)
                for step in reversed(taken)
            ]
            yield taken[-1].entered, steps


def test_paths_of_the_sample_flow(root: Path) -> None:
    """Once they have ended, the sample flow's paths are all proved by the context."""
    flow = load_flow(root / "samples/flow.json", sid=FLOW_SID)
    definition = read_definition(flow.latest.definition)
    seen: Counter[tuple[str, ...] | None] = Counter()
    for context, steps in walks(flow, 300, [10_000]):
        path = proved_path(definition, context)
        assert path == path_of_steps(steps)
        seen[path] += 1
    assert ("ask_yes_no", "yes_or_no", "say_see_you", "note_coming") in seen
    assert ("ask_yes_no", "note_failure") in seen
    assert ("ask_yes_no", "remind") in seen
    assert len(seen) == 5


_KINDS = ("send-message", "send-and-wait-for-reply", "split-based-on", "set-variables", "run-function")


@st.composite
def _flows(draw: st.DrawFn) -> dict[str, Any]:
    """Small flows of every kind of widget; loops, dead ends and widgets that lead to the same place included."""
    names = [f"w{n}" for n in range(draw(st.integers(1, 6)))]
    states: list[dict[str, Any]] = [
        {
            "name": "Trigger",
            "type": "trigger",
            "transitions": [{"event": "incomingRequest", "next": draw(st.sampled_from([None, *names]))}],
        }
    ]
    for number, name in enumerate(names):
        kind = draw(st.sampled_from(_KINDS))
        # Mostly forwards; now and then back, or to itself.
        targets = st.sampled_from([None, *names] if draw(st.integers(0, 5)) == 0 else [None, *names[number + 1 :]])
        events = {
            "send-message": ["sent", "failed"],
            "send-and-wait-for-reply": ["incomingMessage", "timeout", "deliveryFailure"],
            "split-based-on": ["noMatch", "match"],
        }.get(kind, ["next"])
        transitions: list[dict[str, Any]] = [{"event": event, "next": draw(targets)} for event in events]
        if kind == "split-based-on":
            waiting = draw(st.sampled_from(names))
            transitions[1]["conditions"] = [
                {"arguments": [f"{{{{widgets.{waiting}.inbound.Body}}}}"], "type": "equal_to", "value": "yes"}
            ]
        properties: dict[str, Any] = {"body": "hello", "timeout": "100"}
        if kind == "set-variables":
            value = draw(st.sampled_from(["1", "2", "{{flow.data.a}}"]))
            properties = {"variables": [{"key": draw(st.sampled_from("xy")), "value": value}]}
        states.append({"name": name, "type": kind, "transitions": transitions, "properties": properties})
    return {"states": states, "initial_state": "Trigger"}


@given(_flows(), st.integers(0, 3))
def test_a_proved_path_is_the_true_one(raw: dict[str, Any], seed: int) -> None:
    """A proved path is the true one, whatever the flow."""
    flow = SandboxFlow(
        sid=FLOW_SID,
        friendly_name="any",
        revisions=(FlowRevision(revision=1, status="published", definition=raw),),
    )
    definition = read_definition(raw)
    for context, steps in walks(flow, 8, [0, 0.5, 60, 1e6], seed):
        assert proved_path(definition, context) in (None, path_of_steps(steps))


def flow(*widgets: dict[str, Any]) -> dict[str, Any]:
    trigger = {"name": "Trigger", "type": "trigger", "transitions": [{"event": "incomingRequest", "next": "a"}]}
    return {"states": [trigger, *widgets], "initial_state": "Trigger"}


def widget(name: str, *following: str, kind: str = "send-message", **properties: Any) -> dict[str, Any]:
    exits = [{"event": f"e{n}", "next": one} for n, one in enumerate(following)]
    return {"name": name, "type": kind, "transitions": exits, "properties": properties}


def proved(raw: dict[str, Any], *visited: str, variables: dict[str, Any] | None = None) -> tuple[str, ...] | None:
    context = {"widgets": {name: {} for name in visited}, "flow": {"variables": variables or {}}}
    return proved_path(read_definition(raw), context)


def sets(name: str, key: str, value: str, *following: str) -> dict[str, Any]:
    return widget(name, *following, kind="set-variables", variables=[{"key": key, "value": value}])


def test_a_loop_proves_nothing() -> None:
    """A loop that may have been gone round proves nothing."""
    raw = flow(widget("a", "b"), widget("b", "a", "c"), widget("c"))
    assert proved(raw, "a", "b", "c") is None
    assert proved(raw, "a") == ("a",)


def test_what_tells_branches_apart() -> None:
    """Variables tell branches apart, and widgets without a trace do not."""
    raw = flow(widget("a", "yes", "no"), sets("yes", "answer", "yes"), sets("no", "answer", "no"))
    assert proved(raw, "a", variables={"answer": "no"}) == ("a", "no")
    # It may have been cut off in one of the two, before its variable was set.
    assert proved(raw, "a") is None
    assert proved(raw, "a", variables={"answer": "perhaps"}) is None
    assert proved(raw, "a", variables={"other": "x"}) is None
    same = flow(widget("a", "yes", "no"), sets("yes", "answer", "{{x}}"), sets("no", "answer", "{{y}}"))
    assert proved(same, "a", variables={"answer": "?"}) is None
    assert proved(flow(widget("a", "b"), widget("b", kind="enqueue-call")), "a") is None
    assert proved(flow(widget("a", "b"), widget("b", kind="enqueue-call")), "a", "b") == ("a", "b")


def test_a_widget_that_is_not_defined() -> None:
    """A result of a widget that the definition does not have proves nothing."""
    assert proved(flow(widget("a")), "a", "another") is None


def test_a_flow_that_ends_at_its_trigger() -> None:
    """A flow that ends at its trigger has an empty path."""
    raw = {"states": [{"name": "Trigger", "type": "trigger", "transitions": []}], "initial_state": "Trigger"}
    assert proved(raw) == ()


@pytest.mark.parametrize("context", [{}, {"widgets": []}, {"widgets": {}, "flow": {"variables": 3}}, {"flow": None}])
def test_a_context_of_another_shape_proves_nothing(context: dict[str, Any]) -> None:
    assert proved_path(read_definition(flow(widget("a"))), context) is None


def test_a_flow_with_a_thousand_ways() -> None:
    """A flow with a thousand ways is given up in time."""
    # Ten times a choice of two that leave no trace: 1,024 ways.
    widgets = [widget("a", "l0", "r0")]
    for n in range(LOOKED_AT_MAX // 10):
        following = [f"l{n + 1}", f"r{n + 1}"]
        widgets += [widget(f"l{n}", *following, kind="none"), widget(f"r{n}", *following, kind="none")]
    raw = flow(*widgets, widget("z"))
    assert proved(raw, "a", "z") is None


def test_the_path_of_the_steps() -> None:
    """Steps are read from old to new, without the end."""
    steps = [
        Step(transitioned_from="b", transitioned_to="Ended"),
        Step(transitioned_from="a", transitioned_to="b"),
        Step(transitioned_from="Trigger", transitioned_to="a"),
    ]
    assert path_of_steps(steps) == ("a", "b")
    assert path_of_steps([Step(transitioned_from="Trigger", transitioned_to="Ended")]) == ()
    assert path_of_steps([]) == ()


def test_the_sample_definition_is_read(root: Path) -> None:
    """The sample's definition can be read, so that what is shown here holds for the demo."""
    sample = orjson.loads((root / "samples/flow.json").read_bytes())
    assert read_definition(sample).first is not None
