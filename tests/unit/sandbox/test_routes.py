"""Which operation a path means."""

from __future__ import annotations

import orjson
import pytest

from dispatcher.sandbox.answers import Answer
from dispatcher.sandbox.routes import Operation, Route, match

FLOW, EXECUTION, STEP = "FW" + "0" * 32, "FN" + "0" * 32, "FT" + "0" * 32
UNDER = f"/Flows/{FLOW}/Executions/{EXECUTION}"

SERVED = [
    ("GET", "/Flows", Operation.FLOWS, ()),
    ("GET", f"/Flows/{FLOW}", Operation.FLOW, (FLOW,)),
    ("GET", f"/Flows/{FLOW}/Executions", Operation.LIST, (FLOW,)),
    ("POST", f"/Flows/{FLOW}/Executions", Operation.CREATE, (FLOW,)),
    ("GET", UNDER, Operation.FETCH, (FLOW, EXECUTION)),
    ("POST", UNDER, Operation.UPDATE, (FLOW, EXECUTION)),
    ("DELETE", UNDER, Operation.DELETE, (FLOW, EXECUTION)),
    ("GET", f"{UNDER}/Context", Operation.CONTEXT, (FLOW, EXECUTION)),
    ("GET", f"{UNDER}/Steps", Operation.STEPS, (FLOW, EXECUTION)),
    ("GET", f"{UNDER}/Steps/{STEP}", Operation.STEP, (FLOW, EXECUTION, STEP)),
    ("GET", f"{UNDER}/Steps/{STEP}/Context", Operation.STEP_CONTEXT, (FLOW, EXECUTION, STEP)),
]
ONLY_V2 = [
    ("GET", f"/Flows/{FLOW}/Revisions", Operation.REVISIONS, (FLOW,)),
    ("GET", f"/Flows/{FLOW}/Revisions/LatestPublished", Operation.REVISION, (FLOW, "LatestPublished")),
    ("GET", f"/Flows/{FLOW}/TestUsers", Operation.TEST_USERS, (FLOW,)),
]


def status(answer: Route | Answer) -> int:
    assert isinstance(answer, Answer)
    return answer.status


@pytest.mark.parametrize(("method", "path", "operation", "sids"), SERVED)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_what_both_versions_serve(
    version: str, method: str, path: str, operation: Operation, sids: tuple[str, ...]
) -> None:
    """Both versions serve executions, steps and flows."""
    assert match(method, f"/{version}{path}") == Route(operation, version, f"/{version}{path}", sids)  # type: ignore[arg-type]


@pytest.mark.parametrize(("method", "path", "operation", "sids"), ONLY_V2)
def test_revisions_and_test_users_are_only_in_v2(
    method: str, path: str, operation: Operation, sids: tuple[str, ...]
) -> None:
    assert match(method, f"/v2{path}") == Route(operation, "v2", f"/v2{path}", sids)
    assert status(match(method, f"/v1{path}")) == 404


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/v2",
        "/v3/Flows",
        "/v2/flows",
        "//v2/Flows",
        "/2010-04-01",
        f"/v2/Flows/{FLOW}/executions",
        f"/v2/Flows/{FLOW}/Steps",
        f"/v2{UNDER}/Steps/{STEP}/Context/more",
        f"/v2{UNDER}/Steps/{STEP}/context",
    ],
)
def test_any_other_path_is_404_and_case_matters(path: str) -> None:
    assert status(match("GET", path)) == 404


def test_a_method_that_is_not_served() -> None:
    """A method that a path does not have is answered 405, and the answer names those that it has."""
    answer = match("PUT", f"/v2{UNDER}")
    assert isinstance(answer, Answer)
    assert (answer.status, orjson.loads(answer.body)["code"], answer.headers["Allow"]) == (
        405,
        20004,
        "GET, POST, DELETE",
    )


@pytest.mark.parametrize("rest", ["", f"/{EXECUTION}", f"/{EXECUTION}/Context"])
def test_engagements_are_gone(rest: str) -> None:
    """Engagements are gone (404), and the answer names executions."""
    answer = match("POST", f"/v1/Flows/{FLOW}/Engagements{rest}")
    assert isinstance(answer, Answer)
    assert answer.status == 404
    assert f"/Flows/{FLOW}/Executions" in orjson.loads(answer.body)["message"]
