"""What a run has done so far, for the ledger; and what is new since the last commit, for whoever looks on."""

from __future__ import annotations

from collections.abc import Iterable

from dispatcher.events import AttemptsEnded
from dispatcher.ledger.records import AttemptEnd
from dispatcher.model import STATE_AFTER, Outcome, RowState


class Tally:
    """Counts of one run, over all its rounds."""

    __slots__ = ("_told_requests", "_told_throttled", "latency_ms", "requests", "throttled")

    def __init__(self) -> None:
        #: Requests that were sent, and how many of them were answered 429.
        self.requests = 0
        self.throttled = 0
        #: How many answers took less than so many ms (a power of two), since the last commit.
        self.latency_ms: dict[int, int] = {}
        self._told_requests = self._told_throttled = 0

    def took(self, elapsed_s: float) -> None:
        """An answer came, so long after its request was sent."""
        at_most_ms = 1 << int(elapsed_s * 1000).bit_length()
        self.latency_ms[at_most_ms] = self.latency_ms.get(at_most_ms, 0) + 1

    def committed(
        self, ends: Iterable[AttemptEnd], *, in_flight: int, window_now: int, worst_window: int
    ) -> AttemptsEnded:
        """The event for outcomes that are in the ledger now."""
        requests, throttled = self.requests - self._told_requests, self.throttled - self._told_throttled
        self._told_requests, self._told_throttled = self.requests, self.throttled
        latency_ms, self.latency_ms = self.latency_ms, {}
        return AttemptsEnded(
            rows=states_after(ends),
            requests=requests,
            throttled=throttled,
            in_flight=in_flight,
            window_now=window_now,
            worst_window=worst_window,
            latency_ms=latency_ms,
        )


def states_after(ends: Iterable[AttemptEnd]) -> dict[RowState, int]:
    """The states that rows have come to; those that are planned again are not counted."""
    created, rows = 0, dict[RowState, int]()
    for end in ends:
        outcome = end.outcome
        if outcome is Outcome.created:
            created += 1  # nearly all: the hash of an enumeration's member costs more than the comparison
        elif not is_planned_again(end):
            state = STATE_AFTER[outcome]
            rows[state] = rows.get(state, 0) + 1
    if created:
        rows[RowState.created] = created
    return rows


def is_planned_again(end: AttemptEnd) -> bool:
    """Whether the row is to be sent again."""
    return end.not_before_ms is not None or end.outcome is Outcome.throttled or end.outcome is Outcome.not_sent
