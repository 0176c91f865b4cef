"""Whatever is suppressed, let go, planned and claimed, by two processes: nobody is granted who is suppressed then."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from dispatcher.ledger.executions import TrackedExecution
from dispatcher.model import ExecutionStatus, ListKind, Outcome, contact_of, hash_of
from tests.support.ledgers import NONE, Line, batch, campaign, end, new_input
from tests.unit.ledger.conformance.harness import BACKENDS, fewer, on
from tests.unit.ledger.conformance.test_state_machine import SHORT

PEOPLE = tuple(f"+1555010000{n}" for n in range(5))
SOME = st.sets(st.sampled_from(PEOPLE), min_size=1, max_size=3)
LINES = st.lists(
    st.builds(
        lambda contact, key, channel: Line(key or channel + contact, to=channel + contact),
        st.sampled_from(PEOPLE),
        st.sampled_from((None, None, "A-1", "A-2")),
        st.sampled_from(("", "whatsapp:")),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda line: line.key,
)


class SuppressionMachine(RuleBasedStateMachine):
    """One process sends a campaign, another changes the account's lists. `suppressed` is what anybody would expect."""

    backend = "sqlite"

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="suppressed-"))
        self.harness = BACKENDS[self.backend](self.folder)
        self.sender, self.other = self.do(self.harness.open()), self.do(self.harness.open())
        self.record = self.do(campaign(self.sender))
        self.account = self.record.account
        self.run = self.do(self.sender.start_run(self.record, window_limit=200, now_ms=1))
        #: By hand or learned; by kind of a file, with its list.
        self.own: set[str] = set()
        self.files: dict[ListKind, tuple[int, set[str]]] = {}

    def do(self, work: Any) -> Any:
        return self.runner.run(work)

    @property
    def suppressed(self) -> set[str]:
        return self.own.union(*[contacts for _, contacts in self.files.values()])

    @property
    def list_ids(self) -> list[int]:
        return [list_id for list_id, _ in self.files.values()]

    @initialize(of=LINES, contacts=SOME)
    def begin(self, of: list[Line], contacts: set[str]) -> None:
        self.plan(of)
        self.suppress(contacts)

    @rule(of=LINES)
    def plan(self, of: list[Line]) -> None:
        made = self.do(self.sender.begin_input(self.record, new_input()))
        self.do(self.sender.load_rows(made.input_id, batch(of)))
        counts = self.do(self.sender.finish_input(made.input_id, f"{of}", list_ids=self.list_ids))
        told = counts.reasons.get("suppressed", 0)
        assert told <= sum(contact_of(str(line.to)) in self.suppressed for line in of)

    @rule(contacts=SOME)
    def suppress(self, contacts: set[str]) -> None:
        self.do(self.other.lists.add(self.account, sorted(contacts), actor="", reason=""))
        self.own |= contacts

    @rule(contacts=SOME)
    def let_go(self, contacts: set[str]) -> None:
        removed = self.do(self.other.lists.remove(self.account, sorted(contacts), actor="", reason=""))
        assert removed == contacts & self.own
        self.own -= contacts

    @rule(contacts=SOME, kind=st.sampled_from((ListKind.file, ListKind.hashed)), whole=st.booleans())
    def read_a_file(self, contacts: set[str], kind: ListKind, whole: bool) -> None:
        list_id = self.do(self.other.lists.begin(self.account, kind, "/dnc"))
        named = [hash_of(one) if kind is ListKind.hashed else one for one in contacts]
        self.do(self.other.lists.load(self.account, list_id, named))
        if whole:
            self.do(self.other.lists.finish(self.account, list_id, read_as="", unreadable=0))
            self.files[kind] = (list_id, contacts)

    @rule(limit=st.integers(1, 4), outcome=st.sampled_from((*Outcome, None)), stops=st.booleans())
    def send(self, limit: int, outcome: Outcome | None, stops: bool) -> None:
        rows = self.do(self.sender.begin_rows(self.run, limit, now_ms=10, input_id=None, list_ids=self.list_ids))
        reached = {contact_of(row.to_address) for row in rows}
        assert not reached & self.suppressed, "somebody was granted who is suppressed"
        if outcome is not None:
            self.do(self.sender.end_rows(self.run, [end(row, outcome) for row in rows], now_ms=5, totals=NONE))
        if outcome is Outcome.created and stops:
            seen = [
                TrackedExecution(
                    attempt_id=row.attempt_id, status=ExecutionStatus.ended, seen_at_ms=9, read_as="", opted_out="STOP"
                )
                for row in rows
            ]
            self.do(self.other.save_executions(seen))
            self.own |= reached

    @rule()
    def take_over(self) -> None:
        """The sender dies; what was on the wire is unknown, and proved to have created nothing."""
        self.run = self.do(self.sender.start_run(self.record, window_limit=200, now_ms=20))
        unknown = self.do(self.sender.unknown_rows(self.record))
        rows = [end(row, Outcome.not_sent) for row in unknown]
        self.do(self.sender.resolve_rows(self.run, rows))

    @invariant()
    def the_lists_are_as_they_were_made(self) -> None:
        held = {contact for contact, _ in self.do(self.other.lists.held(self.account, list(PEOPLE)))}
        assert held == self.suppressed
        counted = sum(one.entries for one in self.do(self.other.lists.all(self.account)))
        assert counted >= len(self.own) + sum(len(contacts) for _, contacts in self.files.values())

    def teardown(self) -> None:
        for ledger in (self.sender, self.other):
            self.do(ledger.close())
        flaws = self.harness.flaws()
        self.harness.close()
        self.runner.close()
        shutil.rmtree(self.folder)
        assert flaws == []


def test_nobody_suppressed_is_granted(backend: str) -> None:
    """Two processes, every order of events."""
    run_state_machine_as_test(on(backend, SuppressionMachine), settings=fewer(backend, SHORT))
