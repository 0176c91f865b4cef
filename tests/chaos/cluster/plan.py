"""What the loop of the cluster does, and what came of it."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

#: What a table's three targets count.
KILLS, STOPS, CRASHES = "kills", "stops", "crashes"
#: Failover after the death of a worker that sends, at the defaults.
FAILOVER_MAX_S = 12.0
#: What a worker may have open, whatever the number of its accounts.
CONNECTIONS_MAX = 4


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the loop does: trial after trial, until each of the three has happened so often, or the time is over."""

    kills: int
    stops: int
    crashes: int
    seed: int
    #: Names of trials, of which each is drawn in turn; empty: all.
    trials: tuple[str, ...] = ()
    workers: int = 3
    lease_s: float = 6.0
    tick_s: int = 2
    #: More than usual where a busy machine brings requests late to a server that counts arrivals.
    headroom: float = 0.01
    #: Within this the next trouble comes; each of a trial's is drawn anew.
    pause_s: tuple[float, float] = (0.5, 7.0)
    #: A trial has at most so many troubles, and then goes on in peace to its end.
    troubles: int = 14
    #: So many trials go on beside each other, each on a server of its own.
    at_once: int = 1
    #: Begins no more trials after so long.
    stop_after_s: float = math.inf
    #: A trial that has not come to its end so long after its last trouble never will.
    patience_s: float = 180.0

    def missing(self, counts: Mapping[str, int]) -> dict[str, int]:
        """How many are still to come, of what is."""
        wanted = {KILLS: self.kills, STOPS: self.stops, CRASHES: self.crashes}
        left = {name: n - counts.get(name, 0) for name, n in wanted.items()}
        return {name: n for name, n in left.items() if n > 0}


@dataclass
class Tally:
    """What came of it: of a trial, or of all of them."""

    #: `kills`, `stops`, `crashes`.
    counts: Counter[str] = field(default_factory=Counter)
    #: Everything that was done to the cluster, in words.
    troubles: Counter[str] = field(default_factory=Counter)
    trials: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    #: What a planner did meanwhile, and how long it waited for the account at most.
    planners: Counter[str] = field(default_factory=Counter)
    planner_waited_s: float = 0.0
    campaigns: int = 0
    accounts: int = 0
    rows: int = 0
    create_requests: int = 0
    creates: int = 0
    contacts_twice: int = 0
    rows_twice: int = 0
    strangers: int = 0
    #: Executions that the ledger does not hold as they are, or holds and that are none.
    books_differ: int = 0
    #: Valid rows with neither an execution nor a reason.
    lost: int = 0
    #: Campaigns that did not come to their end.
    unfinished: int = 0
    #: Rows without an execution, by state and reason.
    left_out: Counter[str] = field(default_factory=Counter)
    #: Rows that were unknown when everything was done; and after a later execution was there to see.
    unknown: int = 0
    unknown_left: int = 0
    #: Attempts begun after `pause` or `cancel` had returned.
    claimed_while_paused: int = 0
    claimed_after_cancel: int = 0
    #: Of rows that were on their way when their campaign was cancelled.
    sent_again_after_cancel: int = 0
    #: Over all accounts: those with a window above their limit, and the fullest window.
    windows_above: int = 0
    worst_window: int = 0
    window_limit: int = 0
    #: Kind of trouble → seconds until an intent of another run was in the ledger, each undisturbed by a second trouble.
    failovers_s: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    #: Workers that ended by themselves, by how; their supervisor starts them again.
    exits: Counter[str] = field(default_factory=Counter)
    started: int = 0
    #: Workers that had no connection to the server at their trial's end; or did not end on SIGTERM.
    not_back: int = 0
    not_ended: int = 0
    handed_over_s: list[float] = field(default_factory=list)
    #: Connections of one worker at the same time, while nothing was done to it.
    connections: Counter[int] = field(default_factory=Counter)
    #: What workers wrote of bugs on stderr: the first line of each.
    tracebacks: Counter[str] = field(default_factory=Counter)
    #: Campaigns that a worker held for a person to look at, by its reason.
    held: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, other: Tally) -> None:
        """What came of another trial, too."""
        for name, value in vars(other).items():
            mine = getattr(self, name)
            if name in ("worst_window", "window_limit"):
                continue
            if name == "failovers_s":
                for kind, times in value.items():
                    mine[kind] += times
            elif name == "planner_waited_s":
                self.planner_waited_s = max(mine, value)
            elif isinstance(mine, Counter):
                mine.update(value)
            else:
                setattr(self, name, mine + value)
        self.saw_window(other.worst_window, other.window_limit)

    def saw_window(self, requests: int, limit: int) -> None:
        """An account's fullest window: the one that is nearest to its limit, or most above it, is told."""
        if limit and (not self.window_limit or requests / limit > self.worst_window / self.window_limit):
            self.worst_window, self.window_limit = requests, limit

    def problems(self) -> list[str]:
        """What broke a promise."""
        claims = {
            "contacts were started twice": self.contacts_twice,
            "rows were sent twice": self.rows_twice,
            "contacts were started who are in no file": self.strangers,
            "rows were lost": self.lost,
            "campaigns did not come to their end": self.unfinished,
            "executions are not in the ledger as they are": self.books_differ,
            "rows stayed unknown to the end": self.unknown_left,
            "rows were claimed while their campaign was paused": self.claimed_while_paused,
            "rows were claimed after their campaign was cancelled": self.claimed_after_cancel,
            "accounts had a window above their limit": self.windows_above,
            "campaigns were held for a person": sum(self.held.values()),
            "workers did not come back": self.not_back,
            "workers did not end when they were told": self.not_ended,
            f"take-overs after a kill took more than {FAILOVER_MAX_S:g} s": self.slow,
            f"times a worker had more than {CONNECTIONS_MAX} connections": self.crowded,
        }
        return [f"{n} {claim}" for claim, n in claims.items() if n]

    @property
    def slow(self) -> int:
        """Failovers after a kill that took too long."""
        return sum(one > FAILOVER_MAX_S for kind, times in self.failovers_s.items() if "kill" in kind for one in times)

    @property
    def crowded(self) -> int:
        """How often a worker was seen with too many connections."""
        return sum(n for connections, n in self.connections.items() if connections > CONNECTIONS_MAX)
