"""Which reads are made for an execution's details, and what is claimed without them.

The double stands for a Studio whose contexts say something else than its steps; the sandbox's never do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dispatcher.errors import ResourceNotFound
from dispatcher.settings import TrackingSettings
from dispatcher.studio.resources import ExecutionContext, Flow, Step
from dispatcher.tracking.details import SAMPLE, DetailReader

FLOW_SID = "FW" + "0" * 32


def definition() -> dict[str, Any]:
    def widget(name: str, kind: str, *following: str) -> dict[str, Any]:
        return {"name": name, "type": kind, "transitions": [{"event": "x", "next": one} for one in following]}

    return {
        "initial_state": "T",
        "states": [
            {"name": "T", "type": "trigger", "transitions": [{"event": "incomingRequest", "next": "ask"}]},
            widget("ask", "send-and-wait-for-reply", "yes", "no", "silent"),
            widget("yes", "send-message"),
            widget("no", "send-message"),
            widget("silent", "enqueue-call"),
        ],
    }


class FakeStudio:
    """Contexts and paths by SID; counts what is asked."""

    def __init__(self, api_version: str = "v2") -> None:
        self.api_version = api_version
        self.asked: Counter[str] = Counter()
        self.contexts: dict[str, Any] = {}
        self.paths: dict[str, list[tuple[str, str]]] = {}
        self.has_revision = True

    def add(self, sid: str, visited: list[str], path: list[tuple[str, str]], **result: Any) -> None:
        """`path`: (event, widget it leads to) from the trigger on."""
        self.contexts[sid] = {"widgets": {name: dict(result) for name in visited}, "flow": {"variables": {}}}
        self.paths[sid] = path

    async def flow_revision(self, flow_sid: str, revision: str) -> Flow:
        self.asked["revision"] += 1
        if not self.has_revision:
            raise ResourceNotFound
        return Flow(sid=flow_sid, revision=int(revision), definition=definition())

    async def execution_context(self, flow_sid: str, sid: str) -> ExecutionContext:
        self.asked["context"] += 1
        return ExecutionContext(context=self.contexts[sid])

    async def steps(self, flow_sid: str, sid: str) -> AsyncIterator[Step]:
        self.asked["steps"] += 1
        steps, last = [], "T"
        for event, to in self.paths[sid]:
            steps.append(Step(name=event, transitioned_from=last, transitioned_to=to))
            last = to
        for step in reversed(steps):
            yield step


def reader(studio: FakeStudio, **settings: Any) -> DetailReader:
    settings = {"variables": ["flow.data.x"], "concurrency": 1, **settings}
    return DetailReader(studio, FLOW_SID, TrackingSettings(**settings))  # type: ignore[arg-type]


TRUE = [("incomingRequest", "ask"), ("incomingMessage", "yes"), ("sent", "Ended")]


async def test_a_path_that_the_steps_confirm() -> None:
    """A path is compared with the steps once, and then claimed."""
    studio = FakeStudio()
    one = reader(studio)
    for n in range(50):
        studio.add(f"FN{n}", ["ask", "yes"], TRUE)
        assert (await one.read(f"FN{n}", 1)).path == ("ask", "yes")
    assert studio.asked == {"context": 50, "revision": 1, "steps": 1}


async def test_a_contradiction() -> None:
    """After one contradiction, nothing is claimed from contexts of that revision."""
    studio = FakeStudio()
    one = reader(studio)
    # What the widgets leave says `ask, yes`; the steps say it went another way before.
    studio.add("FN0", ["ask", "yes"], [("incomingRequest", "silent"), ("x", "ask"), ("y", "yes"), ("sent", "Ended")])
    studio.add("FN1", ["ask", "no"], [("incomingRequest", "ask"), ("x", "no"), ("sent", "Ended")])
    assert (await one.read("FN1", 1)).path == ("ask", "no")
    assert (await one.read("FN0", 1)).path == ("silent", "ask", "yes")
    # Also what was compared before and agreed.
    for steps in (3, 4, 5):
        assert (await one.read("FN1", 1)).path == ("ask", "no")
        assert studio.asked["steps"] == steps
    for _ in range(3):
        assert (await one.read("FN1", 2)).path == ("ask", "no")
    assert studio.asked["steps"] == 6


async def test_second_reads_are_few() -> None:
    """Second reads are few, and what they would have told is left open."""
    studio = FakeStudio()
    one = reader(studio)
    details = []
    for n in range(500):
        studio.add(f"FN{n}", ["ask"], [("incomingRequest", "ask"), ("timeout", "silent"), ("x", "Ended")])
        details.append(await one.read(f"FN{n}", 1))
    assert {one.path for one in details} == {None, ("ask", "silent")}
    assert studio.asked["context"] == 500
    assert studio.asked["steps"] <= 21 + 500 / 12
    assert sum(not one.is_complete for one in details) == 500 - studio.asked["steps"]


async def test_when_the_steps_come_first() -> None:
    """Without values to read, the steps come first where contexts prove nothing."""
    studio = FakeStudio()
    one = reader(studio, variables=[])
    for n in range(300):
        studio.add(f"FN{n}", ["ask"], [("incomingRequest", "ask"), ("timeout", "silent"), ("x", "Ended")])
        details = await one.read(f"FN{n}", 1)
        assert (details.path, details.is_complete) == (("ask", "silent"), True)
    assert studio.asked["context"] == SAMPLE
    # A failure in the steps asks the context what it was.
    studio.add("FNf", ["ask"], [("incomingRequest", "ask"), ("deliveryFailure", "silent")], ErrorCode="30007")
    failed = await one.read("FNf", 1)
    assert failed.error is not None
    assert (failed.error.code, failed.last_step) == (30007, "silent")


@pytest.mark.parametrize("why", ["v1", "no revision", "no version"])
async def test_without_a_definition_nothing_is_proved(why: str) -> None:
    studio = FakeStudio("v1" if why == "v1" else "v2")
    studio.has_revision = why != "no revision"
    one = reader(studio)
    version = None if why == "no version" else 1
    for n in range(3):
        studio.add(f"FN{n}", ["ask", "yes"], TRUE)
        assert (await one.read(f"FN{n}", version)).path == ("ask", "yes")
    assert studio.asked["steps"] == 3
    assert studio.asked["revision"] == (why == "no revision")


async def test_steps_never() -> None:
    """With `steps` set to `never`, no steps are read, and what is proved is claimed."""
    studio = FakeStudio()
    one = reader(studio, steps="never")
    studio.add("FN0", ["ask", "yes"], TRUE)
    studio.add("FN1", ["ask"], TRUE)
    assert (await one.read("FN0", 1)).path == ("ask", "yes")
    open_ = await one.read("FN1", 1)
    assert (open_.path, open_.last_step, open_.is_complete) == (None, None, True)
    assert studio.asked["steps"] == 0


async def test_a_flow_that_ended_at_its_trigger() -> None:
    """A flow that ended at its trigger came to the trigger, by an empty path."""
    studio = FakeStudio()
    studio.add("FN0", [], [("incomingRequest", "Ended")])
    details = await reader(studio, steps="always").read("FN0", 1)
    assert (details.path, details.last_step) == ((), "Trigger")


async def test_a_context_that_is_none_is_no_error() -> None:
    studio = FakeStudio()
    studio.add("FN0", [], TRUE)
    studio.contexts["FN0"] = None
    details = await reader(studio).read("FN0", 1)
    assert (details.path, details.error, details.variables) == (("ask", "yes"), None, {})


@pytest.mark.parametrize("event", ["incomingMessage", "failed", "sent"])
async def test_opt_outs_are_not_missed_for_a_read(event: str) -> None:
    """Where paths come from the steps, the context of whoever has answered or was not reached is read, too."""
    studio = FakeStudio()
    settings = TrackingSettings(concurrency=1)
    one = DetailReader(studio, FLOW_SID, settings, ["STOP"])  # type: ignore[arg-type]
    path = [("incomingRequest", "ask"), (event, "silent"), ("sent", "Ended")]
    found = []
    for n in range(100):
        studio.add(f"FN{n}", ["ask", "silent"], path, inbound={"Body": "Stop"})
        # Contexts that prove no path.
        studio.contexts[f"FN{n}"]["widgets"]["elsewhere"] = {}
        found.append((await one.read(f"FN{n}", 1)).opted_out)
    told = [how is not None for how in found]
    assert told == ([True] * 100 if event != "sent" else [True] * sum(told) + [False] * (100 - sum(told)))
    assert sum(told) >= SAMPLE
