"""Expressions in widgets' texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.sandbox.liquid import render

CONTEXT = {
    "flow": {
        "data": {"first_name": "Ann", "age": 7, "vip": True, "first name": "A B", "tags": ["x", "y"], "none": None}
    },
    "widgets": {"ask": {"inbound": {"Body": "Yes"}}},
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("Hello {{flow.data.first_name}}!", "Hello Ann!"),
        ("{{ widgets.ask.inbound.Body }}", "Yes"),
        ("{{- flow.data.age -}}", "7"),
        ("{{flow.data.vip}}", "true"),
        ('{{flow.data["first name"]}}', "A B"),
        ("{{flow.data['first_name']}}", "Ann"),
        ("{{flow.data.tags[1]}}{{flow.data.tags[2]}}", "y"),
        ("{{flow.data.tags}}", '["x","y"]'),
        ("[{{flow.data.last_name}}]", "[]"),
        ("[{{flow.data.none}}]", "[]"),
        ("[{{flow.data.first_name.more}}]", "[]"),
        ('{{flow.data.last_name | default: "you"}}', "you"),
        ("{{flow.data.first_name | default: 'you'}}", "Ann"),
        ("{{flow.data.first_name | upcase}}", "ANN"),
        ("{{flow.data.first_name | reverse}}", "Ann"),
        ("a {{- flow.data.age -}} b {{flow.data.age}} c", "a7b 7 c"),
        ("{{flow.data.last_name | default: \"a|b's\" | append: '!' }}", "a|b's!"),
        ("{{flow.data.first_name | replace: 'n', flow.data.age | prepend: '{'}}", "{A77"),
        ("{{flow.data.first_name | truncate: 2, ''}}{{flow.data.first_name | size}}", "An3"),
        ("{{flow.data.first_name | append}}", "Ann"),
        ("{% if true %}no{% endif %}", "{% if true %}no{% endif %}"),
        ("{{", "{{"),
        (None, ""),
        (3600, "3600"),
    ],
)
def test_expressions(template: object, expected: str) -> None:
    """An expression becomes its value, and a missing one becomes nothing."""
    assert render(template, CONTEXT) == expected


@given(st.text())
def test_no_template_breaks_the_sandbox(template: str) -> None:
    render("{{" + template + "}}", CONTEXT)
