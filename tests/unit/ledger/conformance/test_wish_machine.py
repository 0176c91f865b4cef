"""Whatever is paused, lifted, planned and claimed, by two processes: nothing is granted of what is paused then."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from dispatcher.errors import CampaignPaused
from dispatcher.ledger.wishes import Wish
from dispatcher.model import Outcome, Pause, PausedBy, RowState
from tests.support.ledgers import NONE, campaign, end, lines, planned
from tests.unit.ledger.conformance.harness import BACKENDS, fewer, on
from tests.unit.ledger.conformance.test_state_machine import SHORT

KEYS = tuple(f"+1555010000{n}" for n in range(6))
WHO = st.sampled_from(PausedBy)


class WishMachine(RuleBasedStateMachine):
    """One process sends a campaign, another pauses it and lifts that. `by` is who holds it, as anybody would expect."""

    backend = "sqlite"

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="wishes-"))
        self.harness = BACKENDS[self.backend](self.folder)
        self.sender, self.other = self.do(self.harness.open()), self.do(self.harness.open())
        self.record = self.do(campaign(self.sender))
        self.run = self.do(self.sender.start_run(self.record, window_limit=200, now_ms=1))
        self.by: PausedBy | None = None
        self.version = 0
        self.due_ms: int | None = None
        self.seen: Wish | None = None
        self.in_flight: list[Any] = []

    def do(self, work: Any) -> Any:
        return self.runner.run(work)

    def is_paused(self, by: PausedBy) -> None:
        """Who holds it once somebody has paused it: the first, but a verdict above a user or a server."""
        verdicts = (PausedBy.guard, PausedBy.canary)
        if self.by is None or (self.by not in verdicts and by in verdicts):
            self.by = by
            self.version += 1

    @initialize()
    def begin(self) -> None:
        self.plan(2)

    @rule(count=st.integers(1, len(KEYS)))
    def plan(self, count: int) -> None:
        self.do(planned(self.sender, self.record, lines(*KEYS[:count])))

    @rule(by=WHO)
    def pause(self, by: PausedBy) -> None:
        held, is_new = self.do(self.other.wishes.pause(self.record, Pause(at_ms=1, by=by)))
        before = self.version
        self.is_paused(by)
        assert (held.by, is_new) == (self.by, self.version > before)

    @rule()
    def look(self) -> None:
        self.seen = self.do(self.other.wishes.of(self.record))

    @rule()
    def lift(self) -> None:
        """By whoever has looked some time ago."""
        if self.seen is None:
            return
        lifted = self.do(self.sender.wishes.lift(self.record, self.seen))
        assert lifted == (self.seen.version == self.version)
        if lifted:
            self.by = None
            self.version += 1

    @rule(due_ms=st.sampled_from((None, 7, 9)))
    def order(self, due_ms: int | None) -> None:
        """As that: of a page that may be stale."""
        if self.seen is None:
            return
        ordered = self.do(self.sender.wishes.order(self.record, self.seen, due_ms))
        assert ordered == (self.seen.version == self.version)
        if ordered:
            self.due_ms = due_ms
            self.version += 1

    @rule()
    def fulfil(self) -> None:
        """What is left is asked of the rows of all files."""
        status = self.do(self.other.status(self.record))
        left = {state for rows in (status.rows, status.earlier_rows) for state, n in rows.items() if n}
        self.do(self.sender.wishes.fulfil(self.run))
        if self.due_ms is not None and not left & {RowState.planned, RowState.sending}:
            self.due_ms = None
            self.version += 1

    @rule(limit=st.integers(0, 3))
    def claim(self, limit: int) -> None:
        status = self.do(self.other.status(self.record))
        waiting = status.rows[RowState.planned] or status.earlier_rows.get(RowState.planned, 0)
        claim = self.sender.begin_rows(self.run, limit, now_ms=10, input_id=None)
        if self.by is None or not (waiting or limit == 0):
            self.in_flight += self.do(claim)
            return
        with pytest.raises(CampaignPaused) as caught:
            self.do(claim)
        verdict = self.by in (PausedBy.guard, PausedBy.canary)
        assert caught.value.code == (self.by if verdict else "paused")

    @rule(outcome=st.sampled_from((Outcome.created, Outcome.rejected, Outcome.throttled)), trips=st.booleans())
    def answer(self, outcome: Outcome, trips: bool) -> None:
        """What is in flight ends as always, and may be what the guard stops at."""
        ends = [end(row, outcome) for row in self.in_flight]
        pause = Pause(at_ms=2, by=PausedBy.guard) if trips else None
        self.do(self.sender.end_rows(self.run, ends, now_ms=5, totals=NONE, pause=pause))
        self.in_flight = []
        if pause is not None:
            self.is_paused(PausedBy.guard)

    @invariant()
    def both_see_the_same(self) -> None:
        for ledger in (self.sender, self.other):
            wish = self.do(ledger.wishes.of(self.record))
            assert (wish.version, wish.pause and wish.pause.by) == (self.version, self.by)
            assert wish.due_ms == self.due_ms

    def teardown(self) -> None:
        for ledger in (self.sender, self.other):
            self.do(ledger.close())
        flaws = self.harness.flaws()
        self.harness.close()
        self.runner.close()
        shutil.rmtree(self.folder)
        assert flaws == []


def test_nothing_is_granted_while_paused(backend: str) -> None:
    """Two processes, every order of events."""
    run_state_machine_as_test(on(backend, WishMachine), settings=fewer(backend, SHORT))
