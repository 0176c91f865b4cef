"""Errors and chosen values in a context."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.errors import SettingsError
from dispatcher.settings import load, variable_path
from dispatcher.tracking.context_values import VALUE_MAX, chosen_values, last_error, widget_errors


def context(**results: Any) -> dict[str, Any]:
    return {"widgets": results, "flow": {"variables": {}}}


@pytest.mark.parametrize(
    ("result", "code"),
    [
        ({"SmsStatus": "failed", "ErrorCode": "21610"}, 21610),
        ({"ErrorCode": 30007}, 30007),
        ({"outbound": {"Status": "undelivered", "ErrorCode": " 30003 "}}, 30003),
        ({"ErrorCode": "30005", "outbound": {"ErrorCode": "30003"}}, 30005),
        ({"ErrorCode": None}, None),
        ({"ErrorCode": ""}, None),
        ({"ErrorCode": "0"}, None),
        ({"ErrorCode": "oops"}, None),
        ({"ErrorCode": ["21610"]}, None),
        # What a flow fetched from elsewhere is not Twilio's word.
        ({"parsed": {"ErrorCode": "21610"}, "body": "ErrorCode"}, None),
        ("ErrorCode", None),
        (None, None),
    ],
)
def test_where_error_codes_are_found(result: Any, code: int | None) -> None:
    """An error code is found where Twilio puts it, and nowhere else."""
    assert [error.code for error in widget_errors(context(hello=result))] == ([] if code is None else [code])


def test_the_words_of_an_error() -> None:
    """An error is told by its meaning, and one that is not known by Twilio's own words."""
    known, strange = widget_errors(
        context(a={"ErrorCode": "21610", "ErrorMessage": "x"}, b={"ErrorCode": "39999", "ErrorMessage": "A new one"})
    )
    assert (known.widget, known.message) == ("a", "the contact has opted out")
    assert (strange.widget, strange.message) == ("b", "A new one")


def test_which_of_several_errors_counts() -> None:
    """Of several errors, the one furthest on the path counts."""
    errors = widget_errors(context(z={"ErrorCode": "30003"}, a={"ErrorCode": "30007"}))
    assert [error.code for error in errors] == [30003, 30007]
    assert last_error(errors, ("a", "x", "z")).code == 30003  # type: ignore[union-attr]
    assert last_error(errors, ("z", "a")).code == 30007  # type: ignore[union-attr]
    assert last_error(errors, ()).code == 30007  # type: ignore[union-attr]
    assert last_error([], ("a",)) is None


def test_chosen_values() -> None:
    """Chosen values are found by their paths, and what is missing is left out."""
    values = {
        "widgets": {"ask": {"inbound": {"Body": "Yes, at 9"}}, "http": {"parsed": {"list": [{"id": 7}], "ok": True}}},
        "flow": {"data": {"First name": "Ann"}, "variables": {"coming": "yes"}},
    }
    paths = {
        "reply": "widgets.ask.inbound.Body",
        "id": "widgets.http.parsed.list[0].id",
        "ok": "widgets.http.parsed.ok",
        "all": "widgets.http.parsed.list",
        "name": 'flow.data["First name"]',
        "coming": "flow.variables['coming']",
        "none": "widgets.ask.outbound.Body",
        "beyond": "widgets.http.parsed.list[9]",
        "into_text": "widgets.ask.inbound.Body.x",
    }
    assert chosen_values(values, paths) == {
        "reply": "Yes, at 9",
        "id": "7",
        "ok": "true",
        "all": '[{"id":7}]',
        "name": "Ann",
        "coming": "yes",
    }


def test_a_long_value_is_cut_and_says_so() -> None:
    (value,) = chosen_values({"flow": {"x": "y" * 1_000_000}}, {"x": "flow.x"}).values()
    assert (len(value), value[-2:]) == (VALUE_MAX, "y…")


def test_a_deeply_nested_value() -> None:
    """A value nested beyond all measure does not make reading it fail: a few words stand for it."""
    deep: Any = []
    for _ in range(900):
        deep = [deep]
    assert chosen_values({"flow": {"x": deep}}, {"x": "flow.x"}) == {"x": "(nested too deeply to be shown)"}


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["widgets", "flow", "ErrorCode", "outbound", "a"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["widgets", "flow", "trigger"]), _json))
def test_any_context_can_be_read(one: dict[str, Any]) -> None:
    """No context makes reading its errors and values fail."""
    widget_errors(one)
    chosen_values(one, {"a": "widgets.a.outbound[0]", "b": "flow.a"})


def test_a_context_of_a_megabyte_takes_a_moment() -> None:
    """The errors in a context of a megabyte are found in a moment."""
    large = context(**{f"w{n}": {"body": "x" * 1_000, "ErrorCode": "30003"} for n in range(1_000)})
    started = time.perf_counter()
    errors = widget_errors(large)
    assert last_error(errors, ()).widget == "w999"  # type: ignore[union-attr]
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("widgets.a.b", ("widgets", "a", "b")),
        ("flow.data[\"x y\"]['z'][0]", ("flow", "data", "x y", "z", "0")),
        ("trigger.request.to", ("trigger", "request", "to")),
        ("contact.channel.address", ("contact", "channel", "address")),
    ],
)
def test_a_variable_s_path_is_read(text: str, steps: tuple[str, ...]) -> None:
    """A variable's path is read into its steps: names after dots, names and numbers in brackets."""
    assert variable_path(text) == steps


@pytest.mark.parametrize(
    "text", ["", "flow", "widget.a", "widgets", "widgets.", "widgets..a", "flow.a b", "flow[x]", "{{flow.x}}"]
)
def test_what_is_no_path_is_refused_by_the_settings(text: str) -> None:
    with pytest.raises(SettingsError, match="tracking"):
        load(flags={"tracking.variables": [text]}, environ={})


@pytest.mark.parametrize("name", ["status", "path", "a\nb", "", "=x"])
def test_a_variable_s_name(name: str) -> None:
    """A variable's name must be able to be a column's, and is none of ours."""
    with pytest.raises(SettingsError, match="cannot be a column"):
        load(flags={"tracking.variables": {name: "flow.data.x"}}, environ={})


def test_how_variables_are_given() -> None:
    """Variables come as a list, as a table, or from the environment."""

    def named(**how: Any) -> dict[str, str]:
        return load(**{"environ": {}, **how}).settings.tracking.named_variables

    assert named(flags={"tracking.variables": ["flow.data.x"]}) == {"flow.data.x": "flow.data.x"}
    assert named(flags={"tracking.variables": {"x": "flow.data.x"}}) == {"x": "flow.data.x"}
    assert named(environ={"DISPATCHER_TRACKING_VARIABLES": "flow.data.x, flow.data.y"}) == {
        "flow.data.x": "flow.data.x",
        "flow.data.y": "flow.data.y",
    }
