"""Studio's resources as values: nothing is lost, nothing raises."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.studio.resources import Execution, ExecutionContext, Flow, Resource, Step, StepContext

KINDS: list[type[Resource]] = [Execution, ExecutionContext, Flow, Step, StepContext]
SID = "FN" + "0" * 32

#: An execution as v2 answers it (OpenAPI twilio_studio_v2), and as v1 does.
V2: dict[str, Any] = {
    "sid": SID,
    "account_sid": "AC" + "0" * 32,
    "flow_sid": "FW" + "0" * 32,
    "contact_channel_address": "+15550000001",
    "contact_sid": "FC" + "0" * 32,
    "flow_version": 3,
    "initiated_by": "RQ" + "0" * 32,
    "context": {},
    "status": "active",
    "date_created": "2026-03-24T10:00:00Z",
    "date_updated": None,
    "url": "https://studio.twilio.com/v2/Flows/FW/Executions/FN",
    "links": {"steps": "https://studio.twilio.com/v2/…/Steps"},
}
V1 = {name: value for name, value in V2.items() if name not in ("flow_version", "initiated_by")}


def test_an_execution_of_v2() -> None:
    """An execution of v2 has every field, and its times are aware."""
    execution = Execution.from_json(V2)
    assert execution.sid == SID
    assert execution.flow_version == 3
    assert execution.date_created == datetime(2026, 3, 24, 10, tzinfo=UTC)
    assert execution.date_updated is None
    assert execution.links == V2["links"]
    assert execution.extra == {}


def test_what_v1_does_not_have_is_none() -> None:
    execution = Execution.from_json(V1)
    assert (execution.flow_version, execution.initiated_by) == (None, None)
    assert execution.contact_channel_address == "+15550000001"


@pytest.mark.parametrize("kind", KINDS)
def test_fields_of_a_later_api_are_kept(kind: type[Resource]) -> None:
    resource = kind.from_json({"url": "u", "brand_new": [1], "date_brand_new": "2026-01-01T00:00:00Z"})
    assert resource.extra == {"brand_new": [1], "date_brand_new": "2026-01-01T00:00:00Z"}
    assert resource.url == "u"


@pytest.mark.parametrize("kind", KINDS)
def test_nulls_are_as_good_as_absent(kind: type[Resource]) -> None:
    names = [name for name in kind.__dataclass_fields__ if name != "extra"]
    assert kind.from_json(dict.fromkeys(names)) == kind.from_json({}) == kind()


def test_a_time_that_is_none_of_studio_s_is_none() -> None:
    assert Execution.from_json({"date_created": "soon"}).date_created is None
    assert Execution.from_json({"date_created": 5}).date_created is None


@given(st.dictionaries(st.text(max_size=12) | st.sampled_from(sorted(V2)), st.none() | st.text() | st.integers()))
def test_any_object(payload: dict[str, Any]) -> None:
    """No object makes reading it raise, and every name in it is known or kept."""
    for kind in KINDS:
        resource = kind.from_json(payload)
        known = set(kind.__dataclass_fields__) - {"extra"}
        assert set(resource.extra) == set(payload) - known


# --- where our own id is found ---


def context_of(context: Any) -> ExecutionContext:
    return ExecutionContext.from_json({"context": context})


@pytest.mark.parametrize(
    "context",
    [
        {"flow": {"data": {"dispatch_id": "d-1"}}},
        {"trigger": {"request": {"parameters": {"dispatch_id": "d-1"}}}},
        {"flow": {"data": {}}, "trigger": {"request": {"parameters": {"dispatch_id": "d-1"}}}},
        {"flow": {"data": {"dispatch_id": None}}, "trigger": {"request": {"parameters": {"dispatch_id": "d-1"}}}},
        {"flow": {"data": {"dispatch_id": "d-1"}}, "trigger": {"request": {"parameters": {"dispatch_id": "d-2"}}}},
    ],
)
def test_where_the_id_is_read(context: Any) -> None:
    """The id is read from `flow.data`, and else from the trigger."""
    assert context_of(context).parameter("dispatch_id") == "d-1"


@pytest.mark.parametrize(
    "context",
    [
        None,
        {},
        {"flow": None},
        {"flow": []},
        {"flow": {"data": None}},
        {"flow": {"data": "d-1"}},
        {"flow": {"data": {"Dispatch_Id": "d-1"}}},
        {"flow": {"data": {"dispatch_id": 1}}},
        {"flow": {"data": {"dispatch_id": ["d-1"]}}},
        {"trigger": {"message": {"Body": "d-1"}}},
        {"widgets": {"dispatch_id": "d-1"}},
    ],
)
def test_a_context_without_the_id_has_none(context: Any) -> None:
    assert context_of(context).parameter("dispatch_id") is None
