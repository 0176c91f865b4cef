"""Whatever happens in whatever order, no row is sent twice or lost, and the ledger agrees with a naive model."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dispatcher.ledger import Ledger, attempts, runs
from dispatcher.ledger.db import Db
from dispatcher.ledger.records import AttemptEnd, CampaignRecord, GrantedRow, Run
from dispatcher.model import Outcome, Reason, RowState
from tests.support.ledgers import (
    NONE,
    Line,
    batch,
    campaign,
    cells,
    end,
    invalid,
    new_input,
    planned,
    report,
    suppressed,
)
from tests.unit.ledger.conformance.harness import BACKENDS, fewer, on
from tests.unit.ledger.conformance.model import Model, ModelRow

KEYS = ("a", "b", "c", "d", "e")
LINES = st.lists(
    st.tuples(
        st.sampled_from(KEYS),
        st.just("planned"),
        st.sampled_from((None, None, "+15550100001")),
        st.none(),
        st.none(),
        st.sampled_from(("Ann", "Bob")),
        st.sampled_from((0, 0, 0, 50)),
    ).map(lambda line: Line(*line))
    | st.sampled_from((None, *KEYS)).map(invalid)
    | st.sampled_from(KEYS).map(suppressed),
    max_size=7,
)


@dataclass
class Attempt:
    """A request that has been let go. `exists`: whether it made an execution, once that is decided."""

    row: GrantedRow
    run: Run
    exists: bool | None = None


class LedgerMachine(RuleBasedStateMachine):
    """One campaign, one sender that may die at any moment, and a Studio that keeps what it created."""

    backend = "sqlite"

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="ledger-"))
        self.harness = BACKENDS[self.backend](self.folder)
        self.model = Model()
        self.now_ms = 1
        self.ledger: Ledger = self.do(self.harness.open())
        self.run_: Run | None = None
        self.input_id: int | None = None
        #: Requests of which the ledger does not know the outcome yet, by attempt.
        self.flying: dict[int, Attempt] = {}
        #: Attempts that recovery or an answer left unknown.
        self.unresolved: dict[int, Attempt] = {}
        #: Key -> executions that Studio has.
        self.executions: Counter[str] = Counter()
        self.record: CampaignRecord = self.do(campaign(self.ledger))

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        self.now_ms += 1
        return self.runner.run(work)

    @initialize(of=LINES)
    def begin_with_a_file_and_a_run(self, of: list[Line]) -> None:
        """Most of what can go wrong happens to rows on their way: every example begins there."""
        self.plan([*of, Line("a")])
        self.start_run()
        self.begin(2, whole=True)

    # --- files ---

    @rule(of=LINES)
    def plan(self, of: list[Line]) -> None:
        counts = self.do(planned(self.ledger, self.record, of))
        self.input_id = counts.input_id
        self.model.plan(of)
        assert counts.total == len(of)
        assert counts.rows == {state: self.model.counts(self.model.latest)[state] for state in RowState}
        assert counts.left_planned == self.model.counts(self.model.earlier)[RowState.planned]
        assert counts.reasons == Counter(
            row.reason.value for row in self.model.latest if row.reason and row.state in ("invalid", "skipped")
        )

    @rule(of=LINES)
    def begin_a_load_that_is_never_finished(self, of: list[Line]) -> None:
        loading = self.do(self.ledger.begin_input(self.record, new_input()))
        self.do(self.ledger.load_rows(loading.input_id, batch(of)))

    # --- sending ---

    @rule()
    def start_run(self) -> None:
        """Also while another run sends: a second process that got hold of the account."""
        self.run_ = self.do(self.ledger.start_run(self.record, window_limit=200, now_ms=self.now_ms))
        assert self.run_ is not None
        recovered = 0
        for row in self.model.rows.values():
            if row.state == "sending":
                row.state = "unknown"
                row.attempts += 1
                recovered += 1
        assert self.run_.recovered == recovered

    @precondition(lambda self: self.run_ is not None)
    @rule(limit=st.integers(1, 6), whole=st.booleans())
    def begin(self, limit: int, whole: bool) -> None:
        run = self._run()
        scope = None if whole or self.input_id is None else self.input_id
        now_ms = self.now_ms
        granted = self.do(self.ledger.begin_rows(run, limit, now_ms=now_ms, input_id=scope))
        for row in granted:
            assert not self.executions[row.row_key], "a row whose execution exists leaves again"
            flying = [other for other in self.flying.values() if other.exists is None]
            assert all(other.row.row_key != row.row_key for other in flying), "a row on the wire leaves again"
            model = self.model.rows[row.row_key]
            assert model.state == "planned"
            assert (row.to_address, row.cells) == (model.to, cells(model.line))
            assert model.not_before_ms <= now_ms
            model.state, model.attempt_id = "sending", row.attempt_id
            self.flying[row.attempt_id] = Attempt(row, run)
        # Nobody whose time has come is left behind.
        due = [
            row
            for row in self.model.rows.values()
            if row.state == "planned" and row.not_before_ms <= now_ms and (scope is None or row.file == self.model.file)
        ]
        assert len(granted) == limit or not due

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        """Some answers come, from the run that holds the account or from one that lost it, and are written together."""
        chosen = data.draw(st.sets(st.sampled_from(sorted(self.flying)), min_size=1))
        run = self.flying[min(chosen)].run
        ends = []
        for attempt_id in sorted(chosen):
            attempt = self.flying.pop(attempt_id)
            outcome = data.draw(st.sampled_from(_possible(attempt)))
            waits = outcome in (Outcome.busy, Outcome.throttled) and data.draw(st.booleans())
            if attempt.exists is None and outcome is Outcome.unknown:
                self._decide(attempt, data.draw(st.booleans()))
            elif attempt.exists is None:
                self._decide(attempt, outcome is Outcome.created)
            not_before_ms = self.now_ms + 5 if waits else None
            ends.append(end(attempt.row, outcome, not_before_ms))
            row = self._resting_on(attempt_id)
            if row is not None and row.state in ("sending", "unknown"):
                self.model.end(row, outcome, row.state, not_before_ms)
                if row.state == "unknown":
                    self.unresolved[attempt_id] = attempt
        self.do(self.ledger.end_rows(run, ends, now_ms=self.now_ms, totals=NONE))

    @rule(data=st.data())
    def be_killed(self, data: st.DataObject) -> None:
        """What is on the wire may reach Studio or not; the next process finds the files as they are."""
        for attempt in self.flying.values():
            if attempt.exists is None:
                self._decide(attempt, data.draw(st.booleans()))
            self.unresolved[attempt.row.attempt_id] = attempt
        self.flying.clear()
        self.ledger = self.do(self.harness.kill(self.ledger))
        self.run_ = None

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def be_killed_and_start_again(self, data: st.DataObject) -> None:
        """With requests on the wire: the moment for which the ledger is there, too seldom met by chance."""
        self.be_killed(data)
        self.start_run()

    @rule(ends=st.booleans())
    def send_a_test(self, ends: bool) -> None:
        """A test send, which may be cut short: no count, report or row knows of it."""
        account = self.record.account
        attempt = self.do(self.ledger.begin_test(account, to_address="+15550100099", now_ms=self.now_ms))
        if ends:
            self.do(
                self.ledger.end_test(attempt, outcome=Outcome.created, sent_at_ms=self.now_ms, ended_at_ms=self.now_ms)
            )
        departures = self.do(self.ledger.departures(account, since_ms=self.now_ms - 2, now_ms=self.now_ms))
        assert departures

    # --- unknown rows and the user's word ---

    @precondition(lambda self: self.run_ is not None)
    @rule(data=st.data())
    def reconcile(self, data: st.DataObject) -> None:
        """The list of executions is asked; it shows what there is, and does not always help."""
        ends = []
        for found in self.do(self.ledger.unknown_rows(self.record)):
            attempt = self.unresolved.get(found.attempt_id) or self.flying[found.attempt_id]
            assert (found.row_key, found.to_address) == (attempt.row.row_key, attempt.row.to_address)
            if attempt.exists is None:
                self._decide(attempt, data.draw(st.booleans()))  # its sender lives, but has lost the account
            if data.draw(st.booleans()):
                outcome = Outcome.created if attempt.exists else Outcome.not_sent
                ends.append(end(attempt.row, outcome)._replace(row_id=found.row_id))
                row = self._resting_on(found.attempt_id)
                assert row is not None
                self.model.end(row, outcome, "unknown", None)
        if ends:
            self.do(self.ledger.resolve_rows(self._run(), ends))

    @rule(rejected=st.booleans(), busy=st.booleans(), cancelled=st.booleans())
    def retry(self, rejected: bool, busy: bool, cancelled: bool) -> None:
        count = self.do(
            self.ledger.retry_rows(
                self.record, all_rejected=rejected, busy=busy, skipped=[Reason.cancelled] * cancelled
            )
        )
        expected = 0
        for row in self.model.rows.values():
            taken_out = row.state == "skipped" and row.reason is Reason.cancelled
            if (rejected and row.state == "rejected") or (busy and row.state == "busy") or (cancelled and taken_out):
                row.state, row.reason = "planned", None
                expected += 1
            elif cancelled and row.state in ("sending", "unknown") and row.reason is Reason.cancelled:
                row.reason = None
        assert count == expected

    @rule()
    def cancel(self) -> None:
        count = self.do(self.ledger.cancel_rows(self.record, "called off"))
        expected = 0
        for row in self.model.rows.values():
            if row.state == "planned":
                row.state, row.reason = "skipped", Reason.cancelled
                expected += 1
            elif row.state in ("sending", "unknown"):
                row.reason = Reason.cancelled
        assert count == expected

    # --- what always holds ---

    @invariant()
    def nobody_is_contacted_twice(self) -> None:
        twice = [key for key, n in self.executions.items() if n > 1]
        assert not twice, f"contacted twice: {twice}"

    @invariant()
    def the_ledger_is_sound(self) -> None:
        assert self.harness.flaws() == []

    @invariant()
    def counts_and_report_say_what_the_model_says(self) -> None:
        status = self.do(self.ledger.status(self.record))
        assert status.rows == {state: self.model.counts(self.model.latest)[state] for state in RowState}
        assert status.earlier_rows == dict(self.model.counts(self.model.earlier))
        if self.input_id is None:
            return
        told = self.do(report(self.ledger, self.input_id))
        assert [row.row_number for row in told] == list(range(2, 2 + len(self.model.latest)))
        for row, model in zip(told, self.model.latest, strict=True):
            assert (row.cells, row.state, row.attempts) == (cells(model.line), model.state, model.attempts)
            if model.state in ("invalid", "skipped"):
                assert row.reason_code == model.reason
            if model.state == "created":
                assert model.key is not None
                assert self.executions[model.key] == 1

    def teardown(self) -> None:
        self.do(self.ledger.close())
        self.harness.close()
        self.runner.close()
        shutil.rmtree(self.folder)

    def _run(self) -> Run:
        assert self.run_ is not None
        return self.run_

    def _decide(self, attempt: Attempt, exists: bool) -> None:
        attempt.exists = exists
        self.executions[attempt.row.row_key] += exists

    def _resting_on(self, attempt_id: int) -> ModelRow | None:
        return next((row for row in self.model.rows.values() if row.attempt_id == attempt_id), None)


def _possible(attempt: Attempt) -> list[Outcome]:
    """What an answer can still say, where it is decided already what became of the request."""
    if attempt.exists is None:
        return list(Outcome)
    return [Outcome.created, Outcome.unknown] if attempt.exists else [o for o in Outcome if o is not Outcome.created]


SETTINGS = settings(
    stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)

#: The form that runs with every change; tests/chaos has the long one.
SHORT = settings(SETTINGS, max_examples=25)


def test_no_order_sends_twice_or_loses(backend: str) -> None:
    """One process that may die at any moment, every order of events."""
    run_state_machine_as_test(on(backend, LedgerMachine), settings=fewer(backend, SHORT))


class HopefulMachine(LedgerMachine):
    """Little more than sending and dying, and a model as hopeful as the mutant: only the world can tell the mistake."""

    retry = cancel = reconcile = begin_a_load_that_is_never_finished = the_ledger_is_sound = None  # type: ignore[assignment]

    @rule()
    def start_run(self) -> None:
        self.run_ = self.do(self.ledger.start_run(self.record, window_limit=200, now_ms=self.now_ms))
        for row in self.model.rows.values():
            if row.state == "sending":
                self.model.end(row, Outcome.not_sent, "sending", None)


def _hopeful(start: Callable[..., Run]) -> Callable[..., Run]:
    """A recovery that takes what was in flight for not sent."""

    def mutant(db: Db, record: CampaignRecord, **kwargs: int) -> Run:
        ends = []
        for attempt_id, *_, outcome in db.rows("departures_unresolved", account_id=record.account.account_id):
            if outcome is None:
                (row_id, _, _) = db.one("row_of_attempt", row_id=0, attempt_id=attempt_id)
                ends.append(AttemptEnd(row_id, attempt_id, Outcome.not_sent, None, kwargs["now_ms"]))
        attempts.end_one_by_one(db, ends, (RowState.sending,))
        return start(db, record, **kwargs)

    return mutant


@pytest.mark.parametrize("machine", [LedgerMachine, HopefulMachine])
def test_a_recovery_back_to_planned_is_caught(machine: type[LedgerMachine], monkeypatch: pytest.MonkeyPatch) -> None:
    """The short form can fail: with the one mistake that matters most, a model or the world tells it."""
    monkeypatch.setattr(runs, "start", _hopeful(runs.start))
    told = r"contacted twice|leaves again" if machine is HopefulMachine else None
    with pytest.raises(AssertionError, match=told):
        run_state_machine_as_test(
            machine, settings=settings(SHORT, derandomize=True, database=None, phases=[Phase.generate])
        )
