"""The preview is what is really sent: held against the sandbox's flow runner, which has a Liquid of its own."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.sandbox import ContactScript, FlowRevision, SandboxFlow, SandboxSettings
from dispatcher.sandbox.executions import Executions
from dispatcher.sandbox.runner import FlowRunner
from dispatcher.studio.definition import read_definition
from dispatcher.studio.preview import FlowTexts, PreviewedText, RowTexts, RowValues

TO, SENDER, FLOW_SID = "+12025550100", "+15550001111", "FW" + "a" * 32
SAMPLES = Path(__file__).resolve().parents[3] / "samples"
SID = "FN" + "0" * 32
WAITS = "send-and-wait-for-reply"
ANSWERS = ("Yes", "no", "Who is this?", None)


def sent(definition: dict[str, Any], data: dict[str, str], answer: str | None) -> list[tuple[str, str, str]]:
    """What the runner sends, in its order: the widget, its type, the text."""
    revision = FlowRevision(revision=1, status="published", definition=definition)
    flow = SandboxFlow(sid=FLOW_SID, friendly_name="Judge", revisions=(revision,))
    script = ContactScript(replies={answer: 1} if answer else {}, delivery_errors={})
    sandbox = SandboxSettings(flows=(flow,), contacts=script)
    runner, store = FlowRunner(sandbox), Executions(sandbox)
    execution = store.add(flow, flow.latest, TO, SENDER, orjson.dumps(data).decode(), created_us=0, request_n=0)
    store.set_end(execution, runner.end_us(execution, SID))
    types = {state["name"]: state["type"] for state in definition["states"]}
    found: list[tuple[str, str, str]] = []
    for step in runner.steps(execution, SID, 1 << 61):
        widget = step.transitioned_to
        if types.get(widget, "").startswith("send-"):
            found.append((widget, types[widget], step.entered["widgets"][widget]["outbound"]["Body"]))
    return found


def previewed(definition: dict[str, Any], data: dict[str, str]) -> RowTexts:
    texts = FlowTexts(read_definition(definition), flow_sid=FLOW_SID)
    return texts.of(RowValues(data=data, to=TO, sender=SENDER))


def check(definition: dict[str, Any], data: dict[str, str], answer: str | None) -> None:
    """The expected texts are sent, all of them and in this order; what is sent after them was said to be possible."""
    real, found = sent(definition, data, answer), previewed(definition, data)
    expected = [(text.widget, text.text) for text in found.expected]
    assert [text.reason for text in found.expected] == [""] * len(expected)
    assert [(widget, text) for widget, _, text in real[: len(expected)]] == expected
    after = real[len(expected) :]
    possible = {text.widget: text for text in found.texts}
    for widget, _, text in after:
        assert agrees(possible[widget], text)
    if not found.decided_at:
        assert not after


def agrees(shown: PreviewedText, real: str) -> bool:
    """A text with parts that are known only later agrees with what was sent around these."""
    if not shown.later:
        return shown.text == real
    rest = shown.text
    for part in shown.later:
        before, _, rest = rest.partition(part)
        if not real.startswith(before):
            return False
        real = real[len(before) :]
    return real.endswith(rest)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("file", ["contacts.csv", "dirty.csv"])
def test_the_samples(file: str, answer: str | None) -> None:
    """For every row of the samples, the preview says what the sandbox's contact gets."""
    definition = orjson.loads((SAMPLES / "flow.json").read_bytes())
    with (SAMPLES / file).open(encoding="utf-8", newline="") as lines:
        rows = [{str(key): value or "" for key, value in row.items() if key} for row in csv.DictReader(lines)]
    assert len(rows) > 10
    for row in rows:
        check(definition, row, answer)


# --- generated definitions ---

NAMES = ("first_name", "city", "Last-Name", "vip", "missing")
LITERALS = st.text(st.characters(exclude_characters="{}%\\\"'", exclude_categories=["Cs"]), max_size=6)
VALUES = st.one_of(
    st.sampled_from(["", "Ann", "yes", " YES ", "7", "10.5", "a,b", "Zoë", "😀", "{{flow.data.city}}", "%}", "\r\n"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
FILTERS = st.one_of(
    st.sampled_from(["upcase", "downcase", "strip", "lstrip", "rstrip", "size"]),
    LITERALS.map(lambda text: f"default: '{text}'"),
    LITERALS.map(lambda text: f'append: "{text}"'),
    LITERALS.map(lambda text: f"prepend: '{text}'"),
    st.tuples(LITERALS.filter(bool), LITERALS).map(lambda pair: f"replace: '{pair[0]}', \"{pair[1]}\""),
    LITERALS.filter(bool).map(lambda text: f"remove: '{text}'"),
    st.sampled_from(NAMES).map(lambda name: f"append: flow.data.{name}"),
    st.integers(0, 9).map(lambda n: f"truncate: {n}, '.'"),
)
PATHS = st.one_of(
    st.sampled_from(NAMES).map(lambda name: f"flow.data.{name}"),
    st.sampled_from(NAMES).map(lambda name: f'flow.data["{name}"]'),
    st.sampled_from(NAMES).map(lambda name: f"flow['data'].{name}"),
    st.sampled_from(NAMES).map(lambda name: f"trigger.request.parameters.{name}"),
    st.sampled_from(["contact.channel.address", "flow.channel.address", "flow.flow_sid", "trigger.request.to"]),
    st.sampled_from(["flow.variables.a", "flow.variables.b", "trigger.message.Body", "name"]),
)


@st.composite
def outputs(draw: st.DrawFn) -> str:
    left, right = draw(st.sampled_from([("{{", "}}"), ("{{ ", " }}"), ("{{- ", " -}}"), ("{{-", "}}")]))
    return left + " | ".join([draw(PATHS), *draw(st.lists(FILTERS, max_size=3))]) + right


#: Without braces: literal text beside an expression must not become a part of it.
PIECES = st.one_of(LITERALS, outputs(), outputs())
TEXTS = st.lists(PIECES, max_size=5).map("".join)
KINDS = (
    "equal_to not_equal_to matches_any_of does_not_match_any_of contains does_not_contain starts_with"
    " does_not_start_with is_blank is_not_blank less_than greater_than regex"
)
CONDITIONS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(KINDS.split()),
        "value": st.one_of(st.sampled_from(["yes", "a, yes", "7", "A.*", "", "^[a-z]+$", "("]), outputs()),
        "arguments": outputs().map(lambda text: [text]),
    }
)


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Any]:
    names = [f"w{n}" for n in range(draw(st.integers(1, 7)))]
    anywhere = st.one_of(st.none(), st.sampled_from(names), st.sampled_from(names))

    def exit_(event: str, **more: Any) -> dict[str, Any]:
        following = draw(anywhere)
        return {"event": event, **({"next": following} if following else {}), **more}

    states: list[dict[str, Any]] = [
        {"name": "Trigger", "type": "trigger", "transitions": [{"event": "incomingRequest", "next": names[0]}]}
    ]
    for name in names:
        kind = draw(st.sampled_from(["send-message", "send-message", "split-based-on", "set-variables", WAITS]))
        if kind == "send-message":
            exits = [exit_("sent"), exit_("failed")]
            properties: dict[str, Any] = {"body": draw(TEXTS)}
        elif kind == WAITS:
            exits = [exit_("incomingMessage"), exit_("timeout"), exit_("deliveryFailure")]
            properties = {"body": draw(TEXTS), "timeout": "3600"}
        elif kind == "split-based-on":
            conditions = draw(st.lists(st.lists(CONDITIONS, min_size=1, max_size=2), max_size=3))
            exits = [exit_("noMatch"), *[exit_("match", conditions=one) for one in conditions]]
            properties = {"input": draw(outputs())}
        else:
            pairs = st.tuples(st.sampled_from("ab"), TEXTS)
            found = [{"key": key, "value": value} for key, value in draw(st.lists(pairs, max_size=2))]
            exits, properties = [exit_("next")], {"variables": found}
        states.append({"name": name, "type": kind, "transitions": exits, "properties": properties})
    return {"description": "", "states": states, "initial_state": "Trigger", "flags": {}}


@settings(max_examples=150, deadline=None)
@given(definitions(), st.dictionaries(st.sampled_from(NAMES[:-1]), VALUES), st.sampled_from(ANSWERS))
def test_generated_flows(definition: dict[str, Any], data: dict[str, str], answer: str | None) -> None:
    """Whatever the flow, the expected texts are what the sandbox sends, and nothing else comes than was said."""
    check(definition, data, answer)
