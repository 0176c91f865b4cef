"""What the kill loop does, and what came of it."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.worlds import FAULTS

CONFIG = """\
[account]
base_url = "{base_url}"
[campaign]
flow = "{flow}"
from = "+15550001111"
[columns]
to = "phone"
[rate]
per_second = {per_second}
window_s = {window_s}
in_flight = {in_flight}
headroom = {headroom}
[retry]
backoff_base_s = 0.05
backoff_max_s = 0.5
breaker_failures = 1000
connect_attempts = 1000
[timeouts]
connect_s = 1.0
answer_s = {answer_s}
stop_s = 3.0
[reconcile]
settle_s = {settle_s}
[state]
dir = ".dispatcher"
"""
#: What a world with rules adds to it.
RULES = """\
[hours]
mode = "wait"
presets = []
open = "00:00-24:00"
close_early_min = 0
[schedule]
deadline = "{deadline}"
zone = "UTC"
[suppress]
files = ["do-not-contact.csv"]
[cooloff]
max = 1
action = "{cools}"
[caps]
per_day = 1_000_000
per_day_per_sender = 1_000_000
"""
#: Which worlds a loop draws from where nothing else is said.
WORLDS = "all"
SHORT_KILLS = 25


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the loop does."""

    kills: int
    seed: int
    #: `plain`, or another world's name: that one, and everybody comes once. `all`: each, and the same come again.
    worlds: str = WORLDS
    rows: int = 400
    per_second: float = 120.0
    window_s: float = 2.0
    in_flight: int = 40
    #: More than usual: the sandbox counts arrivals, and a busy machine brings some late.
    headroom: float = 0.3
    settle_s: float = 0.3
    answer_s: float = 0.4
    #: The sandbox's answers come this late: so that requests are in flight when the program dies.
    latency_s: float = 0.03
    #: A process that is to be killed while sending lives at most so long from its first claim on.
    life_s: float = 1.2
    faults: dict[str, float] = field(default_factory=lambda: dict(FAULTS))
    #: Of one campaign, so that a loop sees many worlds. None: as many as come.
    kills_per_campaign: int | None = None
    #: No more kills after so long; what is under way is finished.
    stop_killing_after_s: float = math.inf
    #: Gives up, so that a bug that makes no progress ends.
    timeout_s: float = 600.0


def short(seed: int, worlds: str = WORLDS) -> Plan:
    """What runs with every change."""
    if worlds == "plain":
        return Plan(kills=SHORT_KILLS, seed=seed)
    return Plan(kills=SHORT_KILLS, seed=seed, worlds=worlds, rows=120, kills_per_campaign=4, per_second=60)


def long(seed: int, *, kills: int, minutes: float, worlds: str) -> Plan:
    """What `make chaos` does. In every world: a window that each campaign fills, and no more headroom than usual."""
    common: dict[str, Any] = {"stop_killing_after_s": minutes * 60, "timeout_s": minutes * 60 + 900}
    if worlds == "plain":
        return Plan(kills=kills, seed=seed, rows=500, per_second=150, window_s=10, headroom=0.1, **common)
    return Plan(
        kills=kills,
        seed=seed,
        worlds=worlds,
        rows=200,
        kills_per_campaign=6,
        per_second=60,
        window_s=2,
        headroom=0.01,
        **common,
    )


@dataclass
class Tally:
    """What came of it."""

    kills: int = 0
    processes: int = 0
    campaigns: int = 0
    rows: int = 0
    #: By what the ledger said when the process was dead.
    killed_in: Counter[str] = field(default_factory=Counter)
    #: How many campaigns were sent in each world, and how often the same people came again in each way.
    worlds: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    create_requests: int = 0
    creates: int = 0
    #: Rows created more than once, and contacts started more than once.
    rows_twice: int = 0
    contacts_twice: int = 0
    #: Executions that the ledgers do not hold as they are, or hold and that are none.
    books_differ: int = 0
    #: Executions of ours that a ledger learned of by its next look, and whose contacts it tells as reached.
    seen_late: int = 0
    #: Contacts who were on a suppression list and were started all the same.
    suppressed_reached: int = 0
    #: Executions that arrived after their campaign's deadline, and how late the latest was of all, in seconds.
    after_deadline: int = 0
    latest_s: float = -math.inf
    #: Campaigns with a deadline that comes while they are sent.
    deadlines: int = 0
    #: Contacts who had been reached on another flow as often as the cool-off allows, and were started all the same.
    cooled_reached: int = 0
    #: Contacts whose row says that it was left out, and who were started by that campaign all the same.
    both: int = 0
    #: Rows that a rule left out, in worlds with rules, by the reason that the ledger gives.
    left_out: Counter[str] = field(default_factory=Counter)
    #: Rows with neither an execution nor a reason.
    lost: int = 0
    #: Rows without an execution, by their state; each states its reason.
    not_sent: Counter[str] = field(default_factory=Counter)
    #: Rows left unknown by a crash or a fault, and how they were resolved.
    resolved: int = 0
    found: int = 0
    sent_again: int = 0
    #: Rows that were unknown when their campaign was done; of those, the ones that a later execution could have proved.
    unknown: int = 0
    unknown_with_a_witness: int = 0
    #: Rows that were still unknown once a later execution was there to see, but for those that somebody else's explain.
    unknown_left: int = 0
    unknown_by_others: int = 0
    #: Of each contact that was started twice: the world, the times, and what the ledgers say.
    doubles: list[str] = field(default_factory=list)
    worst_window: int = 0
    window_limit: int = 0
    seconds: float = 0.0

    def problems(self) -> list[str]:
        """What broke a promise."""
        claims = {
            "rows were sent twice": self.rows_twice,
            "contacts were started twice": self.contacts_twice,
            "suppressed contacts were started": self.suppressed_reached,
            "executions came after their deadline": self.after_deadline,
            "contacts were started within their cool-off": self.cooled_reached,
            "contacts were started and told as left out": self.both,
            "rows were lost": self.lost,
            "executions are not in the ledgers as they are": self.books_differ,
            "rows stayed unknown although a later execution was listed": self.unknown_with_a_witness,
            "rows stayed unknown to the end": self.unknown_left,
        }
        found = [f"{n} {claim}" for claim, n in claims.items() if n]
        if self.worst_window > self.window_limit:
            found.append(f"{self.worst_window} requests in a window of {self.window_limit}")
        return found
