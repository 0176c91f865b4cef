"""What a trial is: how many accounts, what the clocks and the engine do, and what happens to the cluster meanwhile."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tests.chaos.cluster.plan import CRASHES, KILLS, STOPS, Plan

HOUR_S = 3600.0


class Trouble(StrEnum):
    """What can happen; its value is how the table tells it."""

    kill_holder = "kill -9 of a worker that holds an account"
    kill_any = "kill -9 of any worker"
    end_holder = "SIGTERM of a worker that holds an account"
    stop_holder = "SIGSTOP of a holder beyond its lease"
    stop_inside = "SIGSTOP of a holder inside a transaction, beyond its lease"
    stop_all = "SIGSTOP of all workers at once"
    crash = "PostgreSQL crashed (-m immediate) and restarted"
    restart = "PostgreSQL stopped and started"
    freeze_server = "PostgreSQL frozen for seconds"
    cut_commit = "connection cut between COMMIT and its answer"
    terminate = "all of a worker's connections ended by the server"
    part_ledger = "worker and PostgreSQL parted (black hole)"
    part_studio = "worker and Studio parted (black hole)"
    hold_studio = "what a worker has sent to Studio held back, and delivered seconds later"
    step_clock = "a worker's clock set by an hour while it runs"
    plan_more = "a second file planned while the account is sent"
    pause = "pause and resume from another machine"
    cancel = "a campaign cancelled from another machine"


#: Which of the table's targets a trouble counts for.
COUNTS_FOR: Mapping[Trouble, str] = {
    Trouble.kill_holder: KILLS,
    Trouble.kill_any: KILLS,
    Trouble.stop_holder: STOPS,
    Trouble.stop_inside: STOPS,
    Trouble.stop_all: STOPS,
    Trouble.crash: CRASHES,
}


class Engine(StrEnum):
    """What becomes of the jobs that are handed out."""

    whole = "every job delivered once"
    twice = "every job delivered twice"
    #: Nobody tells the workers of a campaign, neither by a job nor by a notification.
    ticks = "no job delivered but the tick's"
    half = "half of the shifts' jobs lost"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trial."""

    name: str
    #: How often each happens, against the others.
    troubles: Mapping[Trouble, int] = field(default_factory=dict)
    #: What happens, one after the other, in the place of that.
    script: tuple[Trouble, ...] = ()
    accounts: int = 1
    #: Of each account's campaign.
    rows: int = 700
    per_second: float = 30.0
    engine: Engine = Engine.whole
    #: How wrong the clock of each worker is, in turn.
    clocks_s: tuple[float, ...] = ()
    answer_s: float = 0.9
    settle_s: float = 1.0
    settings: Mapping[str, float] = field(default_factory=dict)

    @property
    def reroutes_studio(self) -> bool:
        """Whether each worker needs a wire of its own to Studio."""
        return bool({Trouble.part_studio, Trouble.hold_studio} & {*self.troubles, *self.script})


_WRONG = (0.0, HOUR_S, -HOUR_S)
_MANY = {"accounts": 20, "rows": 200, "per_second": 10.0}
_KILLS = {Trouble.kill_holder: 5, Trouble.kill_any: 2, Trouble.end_holder: 1}
#: What is delivered late needs more time than these have to settle.
_ALL: dict[Trouble, int] = {one: 3 if one in COUNTS_FOR else 1 for one in Trouble if one is not Trouble.hold_studio}

TRIALS = (
    Trial(name="kills", troubles=_KILLS),
    Trial(name="kills, twenty accounts", troubles=_KILLS, **_MANY),  # type: ignore[arg-type]
    Trial(
        name="stops",
        troubles={Trouble.stop_holder: 3, Trouble.stop_inside: 4, Trouble.stop_all: 2, Trouble.kill_any: 1},
        clocks_s=_WRONG,
    ),
    Trial(
        name="the server",
        troubles={
            Trouble.crash: 6,
            Trouble.restart: 1,
            Trouble.freeze_server: 1,
            Trouble.terminate: 1,
            Trouble.cut_commit: 3,
            Trouble.kill_holder: 2,
        },
    ),
    Trial(
        name="partitions",
        troubles={
            Trouble.part_ledger: 4,
            Trouble.part_studio: 3,
            Trouble.cut_commit: 3,
            Trouble.kill_holder: 2,
        },
    ),
    Trial(
        name="late requests",
        troubles={Trouble.hold_studio: 4, Trouble.kill_holder: 3, Trouble.stop_holder: 1},
        # So long an answer may take, and Studio to show what was sent, whoever has sent it.
        answer_s=3.0,
        settle_s=5.0,
    ),
    Trial(
        name="wrong clocks",
        troubles={Trouble.kill_holder: 4, Trouble.step_clock: 4, Trouble.stop_holder: 1, Trouble.crash: 1},
        clocks_s=_WRONG,
    ),
    Trial(
        name="jobs twice",
        troubles={Trouble.kill_holder: 4, Trouble.stop_holder: 1, Trouble.crash: 1},
        engine=Engine.twice,
    ),
    Trial(
        name="ticks alone",
        troubles={Trouble.kill_holder: 4, Trouble.crash: 1, Trouble.stop_inside: 1},
        engine=Engine.ticks,
    ),
    Trial(
        name="half of the jobs",
        troubles={Trouble.kill_holder: 4, Trouble.crash: 1, Trouble.cut_commit: 1},
        engine=Engine.half,
        clocks_s=_WRONG,
    ),
    Trial(
        name="a planner in the middle",
        troubles={
            Trouble.plan_more: 3,
            Trouble.pause: 3,
            Trouble.cancel: 2,
            Trouble.kill_holder: 4,
            Trouble.end_holder: 1,
            Trouble.stop_inside: 1,
            Trouble.crash: 1,
        },
    ),
    Trial(
        name="all at once",
        troubles=_ALL,
        clocks_s=_WRONG,
        engine=Engine.twice,
    ),
    Trial(
        name="all at once, twenty accounts",
        troubles=_ALL,
        clocks_s=_WRONG,
        **_MANY,  # type: ignore[arg-type]
    ),
)

#: What runs with every change.
SHORT = Trial(
    name="short",
    rows=300,
    per_second=20.0,
    script=(
        Trouble.kill_holder,
        Trouble.cut_commit,
        Trouble.stop_inside,
        Trouble.kill_holder,
        Trouble.crash,
        Trouble.kill_any,
    ),
    clocks_s=(HOUR_S, -HOUR_S),
    engine=Engine.twice,
)


def drawn(plan: Plan, chance: random.Random, missing: Callable[[], Mapping[str, int]]) -> Iterator[Trial]:
    """Trials, each as often as any other, as long as something is missing that they bring."""
    named = [trial for trial in (*TRIALS, SHORT) if trial.name in plan.trials] if plan.trials else TRIALS
    while wanted := missing():
        useful = [trial for trial in named if _brings(trial) & wanted.keys()]
        if not useful:
            return
        for trial in chance.sample(useful, len(useful)):
            if _brings(trial) & missing().keys():
                yield trial


def _brings(trial: Trial) -> set[str]:
    return {COUNTS_FOR[trouble] for trouble in (*trial.troubles, *trial.script) if trouble in COUNTS_FOR}


def next_trouble(trial: Trial, chance: random.Random, missing: Mapping[str, int]) -> Trouble:
    """What happens next: by the trial's weights; of what is counted, only what is missing, unless all is there."""
    wanted = [
        trouble
        for trouble in trial.troubles
        if trouble not in COUNTS_FOR or COUNTS_FOR[trouble] in missing or not missing
    ]
    return chance.choices(wanted, [trial.troubles[trouble] for trouble in wanted])[0]
