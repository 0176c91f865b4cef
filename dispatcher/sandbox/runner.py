"""How an execution goes through its flow: computed from its record and the time when someone asks, never run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from dispatcher.sandbox.executions import Execution


@dataclass(frozen=True, slots=True)
class Step:
    """One transition: out of `transitioned_from`, by the event `name`, into `transitioned_to` (or `Ended`)."""

    index: int
    name: str
    transitioned_from: str
    transitioned_to: str
    type: str
    at_us: int
    context: Mapping[str, Any]


def parameters_of(execution: Execution) -> Any:
    """Parameters as the flow sees them; whatever was let through that is not JSON stays the text it was."""
    if not execution.parameters:
        return {}
    try:
        return orjson.loads(execution.parameters)
    except orjson.JSONDecodeError:
        return execution.parameters


def first_context(execution: Execution, sid: str) -> dict[str, Any]:
    """The context at the start: the shape of recorded answers, with Parameters in both of their places."""
    parameters = parameters_of(execution)
    return {
        "trigger": {"request": {"to": execution.to, "from": execution.sender, "parameters": parameters}},
        "contact": {"channel": {"address": execution.to}},
        "flow": {
            "sid": sid,
            "flow_sid": execution.flow.sid,
            "channel": {"address": execution.sender},
            "data": parameters,
            "variables": {},
        },
        "widgets": {},
    }


def steps(execution: Execution, sid: str, now_us: int) -> list[Step]:
    """The steps taken so far, oldest first."""
    return [
        Step(0, "incomingRequest", "Trigger", "Ended", "trigger", execution.created_us, first_context(execution, sid))
    ]
