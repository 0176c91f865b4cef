"""The cluster's loop counts what it is there to count, and draws what is missing."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tests.chaos.cluster.__main__ import table
from tests.chaos.cluster.plan import CRASHES, KILLS, STOPS, Plan, Tally
from tests.chaos.cluster.trials import COUNTS_FOR, SHORT, TRIALS, Engine, Trial, Trouble, drawn, next_trouble

PLAN = Plan(kills=5, stops=2, crashes=1, seed=1)


@pytest.mark.parametrize(
    "broken",
    [
        "contacts_twice",
        "rows_twice",
        "strangers",
        "books_differ",
        "lost",
        "unfinished",
        "unknown_left",
        "claimed_while_paused",
        "claimed_after_cancel",
        "windows_above",
        "not_back",
        "not_ended",
    ],
)
def test_every_broken_promise_is_a_problem(broken: str) -> None:
    tally = Tally(creates=10, unknown=3)
    tally.exits["code 1"] += 3
    assert tally.problems() == []
    setattr(tally, broken, 1)
    assert len(tally.problems()) == 1


def test_slow_failovers_crowds_and_held_campaigns_are_problems() -> None:
    """A stop lasts as long as it lasts: of that no failover is told."""
    tally = Tally()
    tally.failovers_s[Trouble.kill_holder.value] += [7.0, 12.5]
    tally.failovers_s[Trouble.stop_all.value] += [16.0]
    tally.connections.update({4: 3, 5: 2})
    tally.held["held: why"] += 1
    assert [problem.partition(" ")[0] for problem in tally.problems()] == ["1", "1", "2"]


def test_trials_are_drawn_as_long_as_something_is_missing() -> None:
    """Each comes once before any comes again, if it brings what is missing."""
    tally = Tally(counts=Counter({KILLS: 5, CRASHES: 1}))
    trials = drawn(PLAN, random.Random(1), lambda: PLAN.missing(tally.counts))
    found = [next(trials) for _ in range(3)]
    assert len({trial.name for trial in found}) == 3
    assert all(any(COUNTS_FOR.get(trouble) == STOPS for trouble in trial.troubles) for trial in found)
    tally.counts[STOPS] = 2
    assert list(trials) == []


def test_what_was_counted_often_enough_does_not_happen_again() -> None:
    chance = random.Random(1)
    trial = Trial(name="x", troubles={Trouble.kill_holder: 9, Trouble.crash: 1, Trouble.step_clock: 1})
    found = {next_trouble(trial, chance, {CRASHES: 1}) for _ in range(100)}
    assert found == {Trouble.crash, Trouble.step_clock}


def test_every_trouble_and_every_fault_of_the_engine_happens_in_some_trial() -> None:
    assert {trouble for trial in TRIALS for trouble in trial.troubles} == set(Trouble)
    assert {trial.engine for trial in TRIALS} == set(Engine)
    assert {COUNTS_FOR[trouble] for trouble in SHORT.script if trouble in COUNTS_FOR} == {KILLS, STOPS, CRASHES}
    assert len({trial.name for trial in TRIALS}) == len(TRIALS)


def test_trials_are_added_up() -> None:
    """Of the windows the one that is nearest to its limit is told."""
    tally = Tally()
    for kills, worst, waited_s in ((1, 90, 2.0), (2, 99, 1.0), (3, 80, 0.5)):
        trial = Tally(counts=Counter({KILLS: kills}), rows=10, planner_waited_s=waited_s, notes=["x"])
        trial.failovers_s["a kill"].append(waited_s)
        trial.saw_window(worst, 100)
        tally.add(trial)
    assert (tally.counts[KILLS], tally.rows, tally.notes) == (6, 30, ["x"] * 3)
    assert (tally.worst_window, tally.window_limit, tally.planner_waited_s) == (99, 100, 2.0)
    assert tally.failovers_s == {"a kill": [2.0, 1.0, 0.5]}


def test_a_table_can_be_made_of_nothing() -> None:
    assert "contacts started twice" in table(Tally(), 1)
