"""The rule for a row unknown, by table, and where its execution is looked for, whatever the clocks did.

Seconds on one clock: the row's intent was at 1,000, its end at 1,010.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.ledger.records import AbsentAttempt, LastCreated, SentExecution, UnknownRow
from dispatcher.model import Absence, Outcome
from dispatcher.sending.evidence import (
    RETENTION_S,
    SLACK_S,
    UNKNOWN_CLOCK_S,
    Decision,
    Evidence,
    Skew,
    Window,
    decide,
    is_later,
    window,
)
from dispatcher.settings import ReconcileSettings
from dispatcher.studio.resources import Execution

SID = "FN" + "0" * 32
OURS = Evidence(ours=Execution(sid=SID))
LATER = Evidence(later=True)
BEGUN_S, ENDED_S, SETTLE_S, CLOCK_S = 1000.0, 1010.0, 60.0, 5.0
NOTHING = Evidence()
PROVED = Decision(outcome=Outcome.not_sent, absence=Absence.proved)
ASSUMED = Decision(outcome=Outcome.not_sent, absence=Absence.assumed)


def row(*, begun_s: float = BEGUN_S, ended_s: float = ENDED_S, **more: Any) -> UnknownRow:
    values: dict[str, Any] = {"run_id": 1, "clock_skew_ms": 0} | more
    return UnknownRow(
        row_id=1,
        attempt_id=1,
        input_id=1,
        row_number=2,
        row_key="+14152000001",
        to_address="+14152000001",
        begun_at_ms=int(begun_s * 1000),
        ended_at_ms=int(ended_s * 1000),
        **values,
    )


def absent(*absences: Absence) -> tuple[AbsentAttempt, ...]:
    return tuple(AbsentAttempt(one, 500_000, None) for one in absences)


def decided(
    evidence: Evidence = NOTHING,
    *,
    listed_s: float = ENDED_S + SETTLE_S,
    has_id: bool = True,
    may_assume: bool = True,
    settle_s: float = SETTLE_S,
    of: UnknownRow | None = None,
) -> Decision:
    return decide(
        of or row(),
        evidence,
        listed_s=listed_s,
        begun_s=BEGUN_S,
        ended_s=ENDED_S,
        settle_s=settle_s,
        has_id=has_id,
        may_assume=may_assume,
    )


class TestDecide:
    def test_the_row_s_id(self) -> None:
        """An execution that carries it is the row's, whatever else is there."""
        for evidence in (OURS, replace(OURS, ambiguous=("FNother",), unread=True, later=True)):
            for listed_s in (ENDED_S, ENDED_S + SETTLE_S, ENDED_S + RETENTION_S + 10):
                decision = decided(evidence, listed_s=listed_s)
                assert (decision.outcome, decision.execution_sid) == (Outcome.created, SID)

    def test_nothing_listed_yet(self) -> None:
        """Before the list has had its time, the row waits until then, whatever else the list shows."""
        for listed_s in (ENDED_S, ENDED_S + 1, ENDED_S + SETTLE_S - 0.001):
            for evidence in (NOTHING, LATER):
                assert decided(evidence, listed_s=listed_s) == Decision(wait_until_s=ENDED_S + SETTLE_S)

    def test_nothing_listed_but_later_ones(self) -> None:
        """After the list has had its time and shows what began later, nothing was created: any number of times."""
        for listed_s in (ENDED_S + SETTLE_S, ENDED_S + SETTLE_S + 0.001, ENDED_S + 10 * SETTLE_S):
            for may_assume in (True, False):
                assert decided(LATER, listed_s=listed_s, may_assume=may_assume) == PROVED
        for before in (Absence.proved, Absence.assumed, Absence.risked):
            assert decided(LATER, of=row(absent=absent(before))) == PROVED

    def test_nothing_later_listed_either(self) -> None:
        """The list may not be up to date: the row is sent again once, and then stays unknown."""
        assert decided() == ASSUMED
        assert decided(of=row(absent=absent(Absence.proved, Absence.proved))) == ASSUMED
        for before in (Absence.assumed, Absence.risked):
            decision = decided(of=row(absent=absent(before, Absence.proved)))
            assert (decision.outcome, decision.wait_until_s) == (None, None)
            assert decision.note is not None
            assert "sent again once already" in decision.note

    def test_a_later_one_that_is_not_listed(self) -> None:
        """The list is known not to be up to date: it gets its time for that one too, and then proves nothing."""
        last = LastCreated("FNlast", SentExecution(1, 1_011_000), 1_012_000)
        evidence = Evidence(missing=last)
        assert decided(evidence).wait_until_s == 1012 + SETTLE_S
        for listed_s in (1012 + SETTLE_S, 1012 + 100 * SETTLE_S):
            decision = decided(evidence, listed_s=listed_s)
            assert (decision.outcome, decision.wait_until_s) == (None, None)
            assert decision.note is not None
            assert "FNlast" in decision.note

    def test_others_wait_to_be_sent(self) -> None:
        """Their executions will show how far the list is up to date: nothing is assumed before."""
        decision = decided(may_assume=False)
        assert (decision.outcome, decision.wait_until_s) == (None, None)
        assert decision.note is not None
        assert "once others have been sent" in decision.note

    @pytest.mark.parametrize("status", [200, 201, 204])
    def test_studio_said_that_it_was_created(self, status: int) -> None:
        """A 2xx without a SID is not sent again on an empty list alone."""
        decision = decided(of=row(http_status=status))
        assert (decision.outcome, decision.wait_until_s) == (None, None)
        assert decision.note is not None
        assert f"answered {status}" in decision.note
        assert decided(LATER, of=row(http_status=status)) == PROVED
        assert decided(of=row(http_status=500)) == ASSUMED

    def test_a_settle_time_of_zero(self) -> None:
        """It decides at once."""
        assert decided(LATER, listed_s=ENDED_S, settle_s=0) == PROVED

    @pytest.mark.parametrize("has_id", [True, False])
    @pytest.mark.parametrize("later", [True, False])
    def test_anybody_s_execution(self, has_id: bool, later: bool) -> None:
        """One that may be anybody's leaves the row unknown for good."""
        for listed_s in (ENDED_S, ENDED_S + SETTLE_S):
            evidence = Evidence(ambiguous=("FN1", "FN2", "FN3", "FN4"), later=later)
            decision = decided(evidence, listed_s=listed_s, has_id=has_id)
            assert (decision.outcome, decision.wait_until_s) == (None, None)
            assert decision.note is not None
            assert "FN1, FN2, FN3" in decision.note
            assert "FN4" not in decision.note
            assert ("without an id" in decision.note) is not has_id

    def test_a_context_that_is_not_there_yet(self) -> None:
        """Whose an execution is may be told later: the row waits for it, as it waits for the list."""
        evidence = Evidence(ambiguous=("FN1",), unread=True)
        assert decided(evidence, listed_s=ENDED_S + 1).wait_until_s == ENDED_S + SETTLE_S
        decision = decided(evidence)
        assert (decision.outcome, decision.wait_until_s) == (None, None)
        assert decision.note is not None

    def test_without_an_id_an_empty_list_is_no_proof(self) -> None:
        """Rows that carry no id stay unknown."""
        for evidence in (NOTHING, LATER):
            decision = decided(evidence, has_id=False)
            assert (decision.outcome, decision.wait_until_s) == (None, None)
            assert decision.note is not None
            assert "without an id" in decision.note

    def test_what_studio_has_forgotten(self) -> None:
        """After its executions are gone, an empty list is no proof."""
        listed_s = BEGUN_S + RETENTION_S
        assert decided(LATER, listed_s=listed_s - 1) == PROVED
        decision = decided(LATER, listed_s=listed_s + 1)
        assert (decision.outcome, decision.wait_until_s) == (None, None)
        assert decision.note is not None
        assert "30 days" in decision.note

    def test_retention_s_margin(self) -> None:
        """It stays below Studio's thirty days."""
        assert RETENTION_S < 30 * 86400


class TestIsLater:
    """What we began ourselves needs no comparison of clocks."""

    def later(self, run_id: int, begun_s: float, late_s: float = 0.0) -> bool:
        return is_later(row(run_id=7), SentExecution(run_id, int(begun_s * 1000)), late_s=late_s)

    def test_in_the_same_run(self) -> None:
        """What was begun after the end was created after it."""
        assert not self.later(7, ENDED_S - 0.001)
        assert self.later(7, ENDED_S)

    def test_in_another_run(self) -> None:
        """A later run began when this one was dead, whatever its clock says; an earlier one proves nothing."""
        assert self.later(8, BEGUN_S - 10_000)
        assert not self.later(6, ENDED_S + 10_000)

    def test_a_request_that_may_still_be_on_its_way(self) -> None:
        """What was begun before it must have arrived proves nothing."""
        for run_id in (7, 8):
            assert not self.later(run_id, ENDED_S + 119, late_s=120)
            assert self.later(run_id, ENDED_S + 120, late_s=120)

    def test_nothing_of_ours(self) -> None:
        """Where none of ours is listed there is nothing to go by."""
        assert not is_later(row(), None, late_s=0.0)


def looked(
    of: UnknownRow,
    skew: Skew | None = None,
    *,
    own_run: bool = False,
    seen_s: float = BEGUN_S + 100_000,
    late_s: float = 0.0,
) -> Window:
    settings = ReconcileSettings(clock_skew_s=CLOCK_S)
    return window(of, skew or Skew(), settings, own_run=own_run, seen_s=seen_s, late_s=late_s)


HOUR_S = 3600.0
skews = st.floats(-3 * HOUR_S, 3 * HOUR_S)


class TestWindow:
    @given(least_s=skews, most_s=skews, theirs_s=st.none() | skews, own_run=st.booleans())
    def test_no_skew_moves_the_beginning_to_a_later_time(
        self, least_s: float, most_s: float, theirs_s: float | None, own_run: bool
    ) -> None:
        """Studio's clock may jump ahead after the intent, or its header alone."""
        of = row(clock_skew_ms=None if theirs_s is None else round(theirs_s * 1000))
        span = looked(of, Skew(min(least_s, most_s), max(least_s, most_s)), own_run=own_run)
        assert span.earliest_s <= BEGUN_S - SLACK_S
        assert span.earliest_s <= span.likely_s <= BEGUN_S - CLOCK_S
        assert span.begun_s <= BEGUN_S

    @given(skew_s=skews, own_run=st.booleans())
    def test_a_studio_whose_clock_is_wrong(self, skew_s: float, own_run: bool) -> None:
        """What it created while the request was out lies inside, by its own clock."""
        span = looked(row(clock_skew_ms=round(skew_s * 1000)), Skew(skew_s, skew_s), own_run=own_run)
        assert span.latest_s is not None
        assert span.earliest_s < BEGUN_S + skew_s < ENDED_S + skew_s < span.latest_s
        assert span.later_s >= ENDED_S + skew_s + CLOCK_S + 1

    def test_a_clock_that_was_behind_ours(self) -> None:
        """An end that another clock wrote is never made earlier, and none lies ahead."""
        ours = Skew(2 * HOUR_S, 2 * HOUR_S)
        behind, ahead = row(clock_skew_ms=int(3 * HOUR_S * 1000)), row(clock_skew_ms=int(HOUR_S * 1000))
        assert looked(behind, ours).ended_s == ENDED_S + HOUR_S
        assert looked(ahead, ours).ended_s == ENDED_S
        assert looked(ahead, ours).begun_s == BEGUN_S - HOUR_S
        assert looked(behind, ours, seen_s=ENDED_S + 60).ended_s == ENDED_S + 60
        assert looked(row(ended_s=ENDED_S + HOUR_S), seen_s=ENDED_S + 5).ended_s == ENDED_S + 5

    def test_a_clock_that_was_never_measured(self) -> None:
        """The list is read a day further back, and the row's end is when it was first seen."""
        span = looked(row(clock_skew_ms=None), seen_s=ENDED_S + 50)
        assert span.earliest_s <= BEGUN_S - UNKNOWN_CLOCK_S
        assert (span.ended_s, span.latest_s) == (ENDED_S + 50, None)
        own = looked(row(clock_skew_ms=None), own_run=True, seen_s=ENDED_S + 50)
        assert own.earliest_s > BEGUN_S - UNKNOWN_CLOCK_S
        assert own.ended_s == ENDED_S

    def test_an_intent_in_the_future(self) -> None:
        """It may be as old as anything that Studio keeps, and not so old that the list would prove nothing."""
        seen_s = BEGUN_S - 60
        span = looked(row(clock_skew_ms=None), seen_s=seen_s)
        assert RETENTION_S - 3 * 86400 < seen_s - span.begun_s < RETENTION_S
        assert span.earliest_s < span.begun_s

    def test_earlier_attempts_of_the_row(self) -> None:
        """Their executions may show late: the list is read from the first of them on."""
        of = row(absent=absent(Absence.assumed))
        assert looked(of, own_run=True).earliest_s == 500 - CLOCK_S - SLACK_S
        assert looked(of, own_run=True).likely_s == BEGUN_S - CLOCK_S

    def test_a_request_that_may_arrive_late(self) -> None:
        """Everything that counts from the end counts from when it must have arrived."""
        span, late = looked(row(), own_run=True), looked(row(), own_run=True, late_s=120)
        assert late.ended_s == span.ended_s + 120
        assert late.later_s == span.later_s + 120
        assert span.latest_s is not None
        assert late.latest_s == span.latest_s + 120


@given(
    listed_after_s=st.floats(0, 4_000_000),
    settle_s=st.floats(0, 600),
    has_id=st.booleans(),
    ambiguous=st.lists(st.just("FNx"), max_size=2),
    unread=st.booleans(),
    ours=st.booleans(),
    later=st.booleans(),
    may_assume=st.booleans(),
    before=st.lists(st.sampled_from(Absence), max_size=3),
    http_status=st.none() | st.sampled_from([201, 409, 500]),
)
def test_not_created(
    listed_after_s: float,
    settle_s: float,
    has_id: bool,
    ambiguous: list[str],
    unread: bool,
    ours: bool,
    later: bool,
    may_assume: bool,
    before: list[Absence],
    http_status: int | None,
) -> None:
    """It is only ever said with an id, nothing listed, the whole wait behind, and something later; or once without."""
    listed_s = ENDED_S + listed_after_s
    decision = decided(
        Evidence(
            ours=Execution(sid=SID) if ours else None,
            ambiguous=tuple(ambiguous),
            unread=unread and bool(ambiguous),
            later=later,
        ),
        listed_s=listed_s,
        settle_s=settle_s,
        has_id=has_id,
        may_assume=may_assume,
        of=row(absent=absent(*before), http_status=http_status),
    )
    if decision.outcome is Outcome.not_sent:
        assert has_id
        assert not ours
        assert not ambiguous
        assert listed_after_s >= settle_s - 0.01
        assert listed_s - BEGUN_S <= RETENTION_S + 1
        if decision.absence is Absence.assumed:
            assert may_assume
            assert set(before) <= {Absence.proved}
            assert http_status != 201
        else:
            assert later
    else:
        assert decision.outcome in (None, Outcome.created)
        # A row that stays is told what it waits for, or why nothing can be proved.
        assert decision.outcome is not None or (decision.wait_until_s is None) is not (decision.note is None)
