"""Which operation a method and a path mean. Paths are case-sensitive, as Studio's are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from dispatcher.sandbox import answers
from dispatcher.sandbox.answers import Answer
from dispatcher.sandbox.faults import Target

Version = Literal["v1", "v2"]


class Operation(StrEnum):
    """What is served; the values are the names in the statistics."""

    CREATE = "create"
    LIST = "list"
    FETCH = "fetch"
    UPDATE = "update"
    DELETE = "delete"
    CONTEXT = "context"
    STEPS = "steps"
    STEP = "step"
    STEP_CONTEXT = "step_context"
    FLOWS = "flows"
    FLOW = "flow"
    REVISIONS = "revisions"
    REVISION = "revision"
    TEST_USERS = "test_users"

    @property
    def target(self) -> Target:
        """Which of the fault tables applies."""
        if self is Operation.CREATE:
            return Target.CREATE
        return Target.UPDATE if self in (Operation.UPDATE, Operation.DELETE) else Target.READ


@dataclass(frozen=True, slots=True)
class Route:
    """An operation and the SIDs in its path, outermost first. `path` is without the query."""

    operation: Operation
    version: Version
    path: str
    sids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """An API request without its transport. `base` is scheme and host as the client wrote them, `n` counts requests."""

    base: str
    query: str = ""
    body: bytes = b""
    n: int = 0


_FLOWS = {"GET": Operation.FLOWS}
_FLOW = {"GET": Operation.FLOW}
_UNDER_FLOW = {
    "Executions": {"GET": Operation.LIST, "POST": Operation.CREATE},
    "Revisions": {"GET": Operation.REVISIONS},
    "TestUsers": {"GET": Operation.TEST_USERS},
}
_ONE_UNDER_FLOW = {
    "Executions": {"GET": Operation.FETCH, "POST": Operation.UPDATE, "DELETE": Operation.DELETE},
    "Revisions": {"GET": Operation.REVISION},
}
_UNDER_EXECUTION = {"Context": {"GET": Operation.CONTEXT}, "Steps": {"GET": Operation.STEPS}}
_STEP = {"GET": Operation.STEP}
_STEP_CONTEXT = {"GET": Operation.STEP_CONTEXT}
_ONLY_V2 = frozenset({Operation.REVISIONS, Operation.REVISION, Operation.TEST_USERS})


def match(method: str, path: str) -> Route | Answer:
    """The route, or the answer to a path (404/20404) or method (405/20004) that there is not."""
    methods: dict[str, Operation] | None = None
    sids: tuple[str, ...] = ()
    version: Version = "v1"
    match path.split("/"):
        case ["", "v1" | "v2" as found, "Flows", *rest]:
            version = "v1" if found == "v1" else "v2"
            match rest:
                case []:
                    methods = _FLOWS
                case [flow]:
                    methods, sids = _FLOW, (flow,)
                case [flow, "Engagements", *_]:
                    return _engagements(flow)
                case [flow, collection]:
                    methods, sids = _UNDER_FLOW.get(collection), (flow,)
                case [flow, collection, one]:
                    methods, sids = _ONE_UNDER_FLOW.get(collection), (flow, one)
                case [flow, "Executions", execution, collection]:
                    methods, sids = _UNDER_EXECUTION.get(collection), (flow, execution)
                case [flow, "Executions", execution, "Steps", step]:
                    methods, sids = _STEP, (flow, execution, step)
                case [flow, "Executions", execution, "Steps", step, "Context"]:
                    methods, sids = _STEP_CONTEXT, (flow, execution, step)
    if methods is None:
        return answers.not_found(path)
    operation = methods.get(method)
    if version == "v1" and not _ONLY_V2.isdisjoint(methods.values()):
        return answers.not_found(path)
    if operation is None:
        return answers.method_not_allowed(", ".join(methods))
    return Route(operation, version, path, sids)


def _engagements(flow: str) -> Answer:
    """Engagements ceased in January 2019: whoever still calls them is told the name they have now."""
    return answers.problem(
        404,
        20404,
        f"The requested resource /Flows/{flow}/Engagements was not found. Engagements are now Executions: "
        f"use /Flows/{flow}/Executions",
    )
