"""The rule for a row unknown, by table. Seconds on one clock: the row's intent was at 1,000, its end at 1,010."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.ledger.records import UnknownRow
from dispatcher.model import Outcome
from dispatcher.sending.reconcile import RETENTION_S, Decision, Evidence, decide, on_our_clock
from dispatcher.studio.resources import Execution

SID = "FN" + "0" * 32
OURS = Execution(sid=SID)
BEGUN_S, ENDED_S, SETTLE_S = 1000.0, 1010.0, 60.0
NOTHING = Evidence(None, ())


def row(*, begun_s: float = BEGUN_S, ended_s: float = ENDED_S) -> UnknownRow:
    return UnknownRow(
        row_id=1,
        attempt_id=1,
        input_id=1,
        row_number=2,
        row_key="+14152000001",
        to_address="+14152000001",
        begun_at_ms=int(begun_s * 1000),
        ended_at_ms=int(ended_s * 1000),
        run_id=1,
        clock_skew_ms=0,
    )


def decided(
    evidence: Evidence = NOTHING,
    *,
    listed_s: float = ENDED_S + SETTLE_S,
    seen_s: float = ENDED_S,
    has_id: bool = True,
    settle_s: float = SETTLE_S,
    ended_s: float = ENDED_S,
    begun_s: float = BEGUN_S,
) -> Decision:
    return decide(
        row(begun_s=begun_s, ended_s=ended_s),
        evidence,
        listed_s=listed_s,
        seen_s=seen_s,
        settle_s=settle_s,
        has_id=has_id,
    )


def test_the_row_s_id() -> None:
    """An execution that carries the row's id is the row's, whatever else is there."""
    for evidence in (Evidence(OURS, ()), Evidence(OURS, ("FNother",))):
        for listed_s in (ENDED_S, ENDED_S + SETTLE_S, ENDED_S + RETENTION_S + 10):
            decision = decided(evidence, listed_s=listed_s)
            assert (decision.outcome, decision.execution_sid) == (Outcome.created, SID)


def test_nothing_listed_yet() -> None:
    """Before the list has had its time, the row waits until then."""
    for listed_s in (ENDED_S, ENDED_S + 1, ENDED_S + SETTLE_S - 0.001):
        decision = decided(listed_s=listed_s)
        assert (decision.outcome, decision.wait_until_s) == (None, ENDED_S + SETTLE_S)


def test_nothing_listed() -> None:
    """After the list has had its time, nothing listed proves that nothing was created."""
    for listed_s in (ENDED_S + SETTLE_S, ENDED_S + SETTLE_S + 0.001, ENDED_S + 10 * SETTLE_S):
        assert decided(listed_s=listed_s) == Decision(Outcome.not_sent)


def test_settle_s_of_zero() -> None:
    """With a `settle_s` of zero, an empty list decides at once."""
    assert decided(listed_s=ENDED_S, settle_s=0).outcome is Outcome.not_sent


def test_anybody_s_execution() -> None:
    """An execution that may be anybody's leaves the row unknown for good."""
    for has_id in (True, False):
        for listed_s in (ENDED_S, ENDED_S + SETTLE_S):
            decision = decided(Evidence(None, ("FN1", "FN2", "FN3", "FN4")), listed_s=listed_s, has_id=has_id)
            assert (decision.outcome, decision.wait_until_s) == (None, None)
            assert decision.note is not None
            assert "FN1, FN2, FN3" in decision.note
            assert "FN4" not in decision.note
            assert ("without an id" in decision.note) is not has_id


def test_without_an_id_an_empty_list_is_no_proof() -> None:
    decision = decided(has_id=False)
    assert (decision.outcome, decision.wait_until_s) == (None, None)
    assert decision.note is not None
    assert "without an id" in decision.note


def test_what_studio_has_forgotten() -> None:
    """After Studio's executions of that time are gone, an empty list is no proof."""
    listed_s = BEGUN_S + RETENTION_S
    assert decided(listed_s=listed_s - 1).outcome is Outcome.not_sent
    decision = decided(listed_s=listed_s + 1)
    assert (decision.outcome, decision.wait_until_s) == (None, None)
    assert decision.note is not None
    assert "30 days" in decision.note


def test_retention_s_margin() -> None:
    """The retention that we count on stays below Studio's thirty days."""
    assert RETENTION_S < 30 * 86400


def test_an_end_in_the_future() -> None:
    """An attempt whose end lies in the future waits from when it is seen, and that wait has an end.

    The clock was an hour ahead when the attempt ended, and has been put right since.
    """
    ended_s, seen_s = ENDED_S + 3600, ENDED_S + 5
    first = decided(listed_s=seen_s, seen_s=seen_s, ended_s=ended_s)
    assert (first.outcome, first.wait_until_s) == (None, seen_s + SETTLE_S)
    # And the wait has an end: the next look comes when it said.
    assert decided(listed_s=seen_s + SETTLE_S, seen_s=seen_s, ended_s=ended_s).outcome is Outcome.not_sent


@pytest.mark.parametrize("seen_s", [ENDED_S, ENDED_S + 30, ENDED_S + 3600])
def test_a_row_that_is_seen_late(seen_s: float) -> None:
    """A row that is seen late waits from its attempt's end, and not from then."""
    assert decided(listed_s=max(seen_s, ENDED_S + SETTLE_S), seen_s=seen_s).outcome is Outcome.not_sent


HOUR_MS = 3_600_000


class TestOnOurClock:
    """Studio's clock is two hours ahead of ours; the row's run is 1, ours is 2."""

    def moved(self, *, theirs_ms: int | None, run_id: int | None = 2, now_s: float = BEGUN_S + 100_000) -> UnknownRow:
        return on_our_clock(
            replace(row(), clock_skew_ms=theirs_ms), run_id=run_id, skew_ms=2 * HOUR_MS, now_ms=int(now_s * 1000)
        )

    def test_a_row_of_this_run(self) -> None:
        """A row of this run is on our clock already."""
        moved = self.moved(theirs_ms=None, run_id=1)
        assert (moved.begun_at_ms, moved.ended_at_ms) == (row().begun_at_ms, row().ended_at_ms)
        assert moved.clock_skew_ms is not None

    @pytest.mark.parametrize("measured_ms", [-900, 0, 900])
    def test_a_run_with_the_same_clock(self, measured_ms: int) -> None:
        """A run with the same clock stays as it is, though each run measures it to half a second only."""
        theirs_ms = 2 * HOUR_MS + measured_ms
        assert self.moved(theirs_ms=theirs_ms) == replace(row(), clock_skew_ms=theirs_ms)

    def test_a_clock_ahead_of_ours(self) -> None:
        """A run whose clock is ahead of ours began earlier, and is not taken to have ended earlier."""
        moved = self.moved(theirs_ms=HOUR_MS)
        assert moved.begun_at_ms == row().begun_at_ms - HOUR_MS
        assert moved.ended_at_ms == row().ended_at_ms

    @pytest.mark.parametrize("run_id", [2, None])
    def test_a_clock_behind_ours(self, run_id: int | None) -> None:
        """A run whose clock is behind ours began and ended later."""
        moved = self.moved(theirs_ms=3 * HOUR_MS, run_id=run_id)
        assert moved.begun_at_ms == row().begun_at_ms + HOUR_MS
        assert moved.ended_at_ms == row().ended_at_ms + HOUR_MS

    def test_a_clock_never_measured(self) -> None:
        """A run whose clock was never measured is believed, but for an intent in the future."""
        assert self.moved(theirs_ms=None) == replace(row(), clock_skew_ms=None)
        # As old as anything that Studio keeps, and not so old that the list would prove nothing.
        now_s = BEGUN_S - 60
        moved = self.moved(theirs_ms=None, now_s=now_s)
        age_s = now_s - moved.begun_at_ms / 1000
        assert RETENTION_S - 3 * 86400 < age_s < RETENTION_S
        assert moved.clock_skew_ms is None


times = st.floats(0, 10_000_000)


@given(
    begun_s=times,
    took_s=st.floats(0, 3600),
    seen_after_s=st.floats(0, 3600),
    listed_after_s=st.floats(0, 4_000_000),
    settle_s=st.floats(0, 600),
    has_id=st.booleans(),
    ambiguous=st.lists(st.just("FNx"), max_size=2),
    ours=st.booleans(),
)
def test_not_created(
    begun_s: float,
    took_s: float,
    seen_after_s: float,
    listed_after_s: float,
    settle_s: float,
    has_id: bool,
    ambiguous: list[str],
    ours: bool,
) -> None:
    """Not created is only ever said with an id, nothing listed, and the whole wait behind."""
    ended_s = begun_s + took_s
    seen_s = ended_s + seen_after_s
    listed_s = seen_s + listed_after_s
    decision = decided(
        Evidence(OURS if ours else None, tuple(ambiguous)),
        begun_s=begun_s,
        ended_s=ended_s,
        seen_s=seen_s,
        listed_s=listed_s,
        settle_s=settle_s,
        has_id=has_id,
    )
    if decision.outcome is Outcome.not_sent:
        assert has_id
        assert not ours
        assert not ambiguous
        assert listed_s - ended_s >= settle_s - 0.01
        assert listed_s - begun_s <= RETENTION_S + 1
    else:
        assert decision.outcome in (None, Outcome.created)
        # A row that stays is told what it waits for, or why nothing can be proved.
        assert decision.outcome is not None or (decision.wait_until_s is None) is not (decision.note is None)
