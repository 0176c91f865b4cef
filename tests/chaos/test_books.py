"""The kill loop's own books find what they are there to find."""

from __future__ import annotations

import random

import pytest

from dispatcher.sandbox import DEFAULT_FLOW_SID, Sandbox, SandboxSettings
from dispatcher.sandbox.routes import Operation, Request, Route
from tests.chaos import books, worlds
from tests.chaos.plan import Tally, short

PATH = f"/v2/Flows/{DEFAULT_FLOW_SID}/Executions"
ROUTE = Route(Operation.CREATE, "v2", PATH, (DEFAULT_FLOW_SID,))


def create(sandbox: Sandbox, to: str, dispatch_id: str) -> None:
    body = f'To=%2B{to}&From=%2B1&Parameters={{"dispatch_id":"{dispatch_id}"}}'.encode()
    assert sandbox.studio.carry_out(ROUTE, Request("http://x", body=body), sandbox.now_us()).status == 201


def test_contacts_and_rows_are_counted_apart() -> None:
    """A contact under two ids is one contact twice; an id twice is a row twice; other programs' are nobody's."""
    sandbox = Sandbox(SandboxSettings(ends_after_s=0))
    for to, dispatch_id in (("1", "a"), ("1", "b"), ("2", "c"), ("3", "d"), ("3", "d")):
        create(sandbox, to, dispatch_id)
    sandbox.studio.creator.plant(DEFAULT_FLOW_SID, "+2", "+1", None, now_us=sandbox.now_us(), age_us=0, ends_after_us=0)
    log = books.log(sandbox)
    assert log.contacts_twice == {"+1": 2, "+3": 2}
    assert log.rows_twice == {"d": 2}
    assert (len(log.ours), len(log.every_s)) == (5, 6)


def test_a_witness_is_what_was_begun_later() -> None:
    """Anybody's execution, after the one time and until the other."""
    log = books.Log(every_s=[1.0, 2.0, 3.0])
    assert log.after(1.0, 2.5) == [2.0]
    assert log.after(3.0, 9.0) == []


@pytest.mark.parametrize(
    "broken",
    [
        "contacts_twice",
        "rows_twice",
        "suppressed_reached",
        "after_deadline",
        "cooled_reached",
        "both",
        "lost",
        "books_differ",
        "unknown_with_a_witness",
        "unknown_left",
        "worst_window",
    ],
)
def test_every_broken_promise_is_a_problem(broken: str) -> None:
    """And nothing else is: rows that are unknown for a reason are counted, not blamed."""
    tally = Tally(creates=10, unknown=3, unknown_by_others=1)
    assert tally.problems() == []
    setattr(tally, broken, 1)
    assert len(tally.problems()) == 1


def test_a_deck_shows_every_card() -> None:
    """Each world comes once before any comes again, in an order that repeats with the seed."""
    drawn = []
    for _ in range(2):
        deck = worlds.deck(random.Random(1), "all")
        drawn.append([deck.draw().name for _ in range(len(worlds.WORLDS) * 3 // 2)])
    assert drawn[0] == drawn[1]
    assert {world.name for world in worlds.WORLDS} <= set(drawn[0])


@pytest.mark.parametrize("world", worlds.WORLDS, ids=lambda world: world.name)
def test_every_world_is_one_that_the_sandbox_has(world: worlds.World) -> None:
    """Its settings and faults are known, and leave the usual faults room."""
    settings = SandboxSettings(faults={**short(1).faults, **world.faults})
    here = settings.changed(worlds.settings_of(world, settings))
    assert {name: getattr(here, name) for name in world.settings} == world.settings
