"""What a flow's definition uses, read from its texts, whatever stands in it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.studio.definition import WIDGETS_MAX, ParameterUses, parameter_uses, read_definition


def definition(*texts: str, **properties: Any) -> dict[str, Any]:
    """A flow whose n-th widget (`w1`, `w2`, …) holds the n-th text."""
    states: list[dict[str, Any]] = [
        {"name": "Trigger", "type": "trigger", "transitions": [{"event": "incomingRequest", "next": "w1"}]}
    ]
    states += [
        {"name": f"w{n}", "type": "send-message", "properties": {"body": text, **properties}, "transitions": []}
        for n, text in enumerate(texts, start=1)
    ]
    return {"states": states, "initial_state": "Trigger"}


def uses(*texts: str) -> ParameterUses:
    return parameter_uses(read_definition(definition(*texts)))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Hello {{flow.data.first_name}}!", ["first_name"]),
        ("{{ flow.data['First Name'] }} {{flow.data[\"b\"]}}", ["First Name", "b"]),
        ("{{trigger.request.parameters.a}}{{trigger.request.parameters['b c']}}", ["a", "b c"]),
        ("{{ flow['data'].a }}{{flow . data . b}}", ["a", "b"]),
        ("{{- flow.data.a | upcase | truncate: 5 -}}", ["a"]),
        ("{% if flow.data.vip == 'yes' and flow.data.n > 3 %}x{% endif %}", ["vip", "n"]),
        ("{% unless flow.data.a contains flow.data.b %}{% endunless %}", ["a", "b"]),
        ("{% for one in flow.data.list %}{{ one.name }}{% endfor %}", ["list"]),
        ("{% case flow.data.kind %}{% when 'x' %}{{flow.data.y}}{% endcase %}", ["kind", "y"]),
        ("{%- assign d = flow.data -%}{{ d.a }}{{ d['b'] }}", ["a", "b"]),
        ("{% assign f = flow %}{{ f.data.a }}", ["a"]),
        ("{% assign name = flow.data.a | default: flow.data.b %}{{ name }}", ["a", "b"]),
        ("{{ widgets.x.parsed | append: flow.data.a }}", ["a"]),
        ('{"name": "{{flow.data.a}}", "n": {{flow.data.b}} }', ["a", "b"]),
        ("{{flow.data.first-name}}{{flow.data.größe}}", ["first-name", "größe"]),
        ("{{flow.data.a}}{{flow.data.a}}", ["a"]),
        # Not uses
        ("flow.data.a", []),
        ("{{ 'flow.data.a' }}", []),
        ("{{widgets.flow.data.a}}{{xflow.data.a}}{{flow.variables.a}}{{flow.channel.address}}", []),
        ("{% comment %}{{flow.data.a}}{% endcomment %}{{flow.data.b}}", ["b"]),
        ("{% raw %}{{flow.data.a}}{% endraw %}{{flow.data.b}}", ["b"]),
        ("{{flow.data.a", []),
        ("{% if {{flow.data.a}}", ["a"]),
        ("{{ {% if flow.data.a %}", ["a"]),
        ("{{}}{%%}{{ | }}{{[}}{{]}}", []),
    ],
)
def test_ways_to_write_a_parameter(text: str, names: list[str]) -> None:
    """Every way to write a parameter is found, and nothing else."""
    assert list(uses(text).named) == names


@pytest.mark.parametrize(
    ("text", "covered"),
    [
        ("{{flow.data.a | default: 'friend'}}", True),
        ("{{flow.data.a | strip | default: 'friend' | upcase}}", True),
        ("{{flow.data.a}}{{flow.data.a | default: 'friend'}}", False),
        ("{{ widgets.x | default: flow.data.a }}", False),
        ("{{ flow.data.a | append: 'default' }}", False),
        ("{% if flow.data.a %}x{% endif %}", False),
    ],
)
def test_a_default_filter(text: str, covered: bool) -> None:
    """A default filter after a parameter stands in for its missing value."""
    assert uses(text).named["a"].without_default == ([] if covered else ["w1"])


@pytest.mark.parametrize(
    "text",
    [
        "{{flow.data[widgets.ask.inbound.Body]}}",
        "{{flow.data | json}}",
        "{% for pair in flow.data %}{{pair}}{% endfor %}",
        "{{trigger.request.parameters}}",
    ],
)
def test_names_known_only_at_run_time(text: str) -> None:
    """Parameters whose names are known only at run time are said to be so."""
    assert uses("x", text).dynamic == ("w2",)


def test_a_name_inside_a_computed_name() -> None:
    """A parameter that computes another one's name is a use, beside the computed one."""
    found = uses("{{ flow.data[flow.data.key] }}")
    assert (list(found.named), found.dynamic) == (["key"], ("w1",))


def test_parts_of_a_parameter() -> None:
    """A part of a parameter is noticed, and a text's own properties (`size`) are not parts."""
    found = uses("{{flow.data.address.city}} {{flow.data.name.size}}")
    assert found.named["address"].parts == ["w1"]
    assert found.named["name"].parts == []


def test_where_texts_are_found() -> None:
    """Texts are found in nested properties and in conditions, and widgets stand in order."""
    raw = definition("{{flow.data.a}}", "-", "{{flow.data.a}}")
    raw["states"][2]["properties"] = {"parameters": [{"key": "k", "value": "{{flow.data.a}}"}], "n": 5, "x": None}
    raw["states"][3]["transitions"] = [
        {"event": "match", "conditions": [{"arguments": ["{{flow.data.b}}"], "value": "{{flow.data.c}}"}]}
    ]
    found = parameter_uses(read_definition(raw)).named
    assert found["a"].widgets == ["w1", "w2", "w3"]
    assert found["b"].widgets == found["c"].widgets == ["w3"]


def test_the_sample_flow_uses_one_parameter(root: Path) -> None:
    read = read_definition(orjson.loads((root / "samples/flow.json").read_bytes()))
    assert (read.problems, read.first and read.first.name) == ((), "ask_yes_no")
    found = parameter_uses(read)
    assert found.named["first_name"].widgets == ["ask_yes_no", "say_see_you", "say_sorry", "remind"]
    assert (list(found.named), found.dynamic) == (["first_name"], ())


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (None, "it is missing"),
        ("{}", "it is a str"),
        ({}, "its `states` are missing"),
        ({"states": {}}, "its `states` are a dict"),
        ({"states": [7]}, "its state 1 has no name"),
        ({"states": [{"name": "a"}, {"name": "a"}]}, "two of its widgets are named a"),
        ({"states": [{"name": f"w{n}"} for n in range(WIDGETS_MAX + 1)]}, "it has 2,001 widgets"),
    ],
)
def test_what_cannot_be_read_is_named(raw: object, problem: str) -> None:
    """What cannot be read of a definition is named, and the rest is read."""
    read = read_definition(raw)
    assert read.problems[0].startswith(problem)
    assert read.first is None


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("{{flow.data.a}}"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
_state = st.dictionaries(st.sampled_from(["name", "type", "properties", "transitions"]), _json, max_size=4)


@given(
    st.dictionaries(st.sampled_from(["states", "initial_state", "flags"]), _json | st.lists(_state, max_size=4)) | _json
)
def test_any_definition_can_be_read(raw: object) -> None:
    """No definition, whatever it is, makes reading it fail."""
    read = read_definition(raw)
    parameter_uses(read)
    assert read.first is None or read.first.name in read.widgets


@given(st.text(alphabet="{}%-[]'\"|.: aflowdt_", max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    """No text, whatever it is, makes reading it fail."""
    uses(text)


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from(["{{flow.data.%s}}", "{%% if flow.data.%s %%}"]))))
def test_every_use_among_other_text_is_found(parts: list[tuple[str, str]]) -> None:
    text = " and { so % on } ".join(shape % name for name, shape in parts)
    assert set(uses(text).named) == {name for name, _ in parts}


@pytest.mark.parametrize("piece", ["{{", "{%", "{{%", "{{a[", "{{flow.data.", "{{'", "{% raw %}"])
def test_a_huge_text_takes_a_moment(piece: str) -> None:
    """Texts of 20,000 pieces that open and never close are read in seconds."""
    started = time.perf_counter()
    for text in (piece * 20_000, "{{" + piece * 20_000 + "}}"):
        uses(text)
    assert time.perf_counter() - started < 5


def test_a_deeply_nested_definition() -> None:
    """A definition nested beyond all measure is read."""
    deep: Any = "{{flow.data.a}}"
    for _ in range(100_000):
        deep = [deep]
    read = read_definition(definition("x", more=deep))
    assert list(parameter_uses(read).named) == ["a"]
    while isinstance(deep, list):  # taken apart by hand: freeing it is recursive
        deep = deep.pop()
