"""Whatever campaigns, files and keys an account's people come in, and whenever it dies: nobody is reached twice."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dispatcher.errors import LedgerError
from dispatcher.ledger import contacted, pseudonyms
from dispatcher.ledger.chunks import ROW_NUMBER_BITS
from dispatcher.ledger.records import CampaignRecord, GrantedRow, Run
from dispatcher.ledger.striking import Person
from dispatcher.model import Outcome, contact_of
from tests.support.ledgers import NONE, Line, batch, campaign, end, new_input
from tests.unit.ledger.conformance.harness import BACKENDS, fewer, on
from tests.unit.ledger.conformance.test_state_machine import SETTINGS

CAMPAIGNS = ("spring", "spring FINAL", "from-another-folder")
PEOPLE = tuple(f"+1555010000{n}" for n in range(4))
#: All that happens in a test lies within it.
REPEAT_AFTER_MS = 3_600_000


def _spelled(contact: str, key: str | None, channel: bool) -> Line:
    to = f"whatsapp:{contact}" if channel else contact
    return Line(key or to, to=to if key else None)


#: People by their number alone, by a channel, or under keys of their own (two appointments of one person).
FILES = st.lists(
    st.builds(_spelled, st.sampled_from(PEOPLE), st.sampled_from((None, None, "A-1", "A-2")), st.booleans()),
    min_size=1,
    max_size=5,
    unique_by=lambda line: line.key,
)


@dataclass
class Reached:
    """A request that was let go. `exists` None: nobody has decided yet whether it made an execution."""

    campaign: str
    row: GrantedRow
    run: Run
    exists: bool | None = None


class PeopleMachine(RuleBasedStateMachine):
    """Campaigns of one account and flow that know of each other only by the ledger, one of them sending."""

    backend = "sqlite"

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="people-"))
        self.harness = BACKENDS[self.backend](self.folder)
        self.ledger = self.do(self.harness.open())
        self.records: dict[str, CampaignRecord] = {name: self.do(campaign(self.ledger, name)) for name in CAMPAIGNS}
        #: Input -> the keys of that file.
        self.keys_of: dict[int, set[str]] = {}
        self.planned: set[str] = set()
        self.sender: tuple[str, Run] | None = None
        self.flying: dict[int, Reached] = {}
        self.unknown: dict[int, Reached] = {}
        #: Contact -> what may have reached it, oldest first.
        self.reached: dict[str, list[Reached]] = {}

    def do(self, work: Any) -> Any:
        return self.runner.run(work)

    @initialize(of=FILES, name=st.sampled_from(CAMPAIGNS))
    def begin_with_a_campaign_that_sends(self, of: list[Line], name: str) -> None:
        """Every example has somebody whom it could reach again."""
        self.plan(of, name)
        self.start(name)
        self.begin(2)

    @rule(of=FILES, name=st.sampled_from(CAMPAIGNS))
    def plan(self, of: list[Line], name: str) -> None:
        record = self.do(self.ledger.begin_input(self.records[name], new_input("+15550999999")))
        self.do(self.ledger.load_rows(record.input_id, batch(of)))
        counts = self.do(self.ledger.finish_input(record.input_id, f"sha of {of}", repeat_after_ms=REPEAT_AFTER_MS))
        self.keys_of[record.input_id] = {str(line.key) for line in of}
        self.planned.add(name)
        # Who is told as reached has been.
        told = counts.reasons.get("contacted", 0)
        known = sum(bool(self._live(contact_of(str(line.to or line.key)))) for line in of)
        assert told <= known, f"{told} are told as reached, {known} were"

    @rule(name=st.sampled_from(CAMPAIGNS))
    def start(self, name: str) -> None:
        """Another campaign takes the account over, as after a kill."""
        if name not in self.planned:
            return
        for attempt_id in list(self.flying):
            self.unknown[attempt_id] = self.flying.pop(attempt_id)
        run = self.do(self.ledger.start_run(self.records[name], window_limit=200, now_ms=_now_ms()))
        self.sender = (name, run)

    @precondition(lambda self: self.sender is not None)
    @rule(limit=st.integers(1, 4))
    def begin(self, limit: int) -> None:
        assert self.sender is not None
        name, run = self.sender
        granted = self.do(
            self.ledger.begin_rows(run, limit, now_ms=_now_ms(), input_id=None, repeat_after_ms=REPEAT_AFTER_MS)
        )
        for row in granted:
            contact = contact_of(row.to_address)
            for other in self._live(contact):
                assert other.campaign == name, f"{contact} is reached by two campaigns"
                assert other.row.row_key != row.row_key, "a row leaves twice"
                # Two appointments of one person in one file are two messages that were wanted.
                beside = self.keys_of[row.row_id >> ROW_NUMBER_BITS]
                assert other.row.row_key in beside, f"{contact} is reached by two files of a campaign"
                assert contact_of(row.row_key) != contact, f"{contact} is reached by two channels"
            reached = Reached(name, row, run)
            self.flying[row.attempt_id] = reached
            self.reached.setdefault(contact, []).append(reached)

    @precondition(lambda self: self.flying)
    @rule(
        data=st.data(), outcome=st.sampled_from((Outcome.created, Outcome.rejected, Outcome.not_sent, Outcome.unknown))
    )
    def answer(self, data: st.DataObject, outcome: Outcome) -> None:
        attempt_id = data.draw(st.sampled_from(sorted(self.flying)))
        reached = self.flying.pop(attempt_id)
        self.do(self.ledger.end_rows(reached.run, [end(reached.row, outcome)], now_ms=_now_ms(), totals=NONE))
        if outcome is Outcome.unknown:
            self.unknown[attempt_id] = reached
        else:
            reached.exists = outcome is Outcome.created

    @rule(contact=st.sampled_from(PEOPLE))
    def forget(self, contact: str) -> None:
        """Nothing of them is left, and all that is asserted of a claim holds all the same; nobody goes by halves."""
        person = Person(contact, contact[2:])
        traces = self.do(self.ledger.erasures.forget(person, lambda done, total: None, suppress=False, actor="me"))
        open_ones = [*self.flying.values(), *self.unknown.values()]
        if any(contact_of(one.row.to_address) == contact for one in open_ones):
            assert traces.obstacles, "what may be on the wire is forgotten"
        assert open_ones or not traces.obstacles, "nothing stands against it"
        if not traces.obstacles:
            for table in ("rows", "row_keys", "contacts", "attempts", "chunks", "sent"):
                for row in self.harness.query(f"SELECT * FROM {table}"):
                    assert contact not in repr(row), table

    @precondition(lambda self: self.unknown and self.sender is not None)
    @rule(data=st.data(), found=st.booleans())
    def reconcile(self, data: st.DataObject, found: bool) -> None:
        """What Studio shows of a row left unknown: it was created, or was not."""
        assert self.sender is not None
        name, run = self.sender
        rows = {row.attempt_id: row for row in self.do(self.ledger.unknown_rows(self.records[name]))}
        mine = sorted(attempt_id for attempt_id in rows if attempt_id in self.unknown)
        if not mine:
            return
        attempt_id = data.draw(st.sampled_from(mine))
        reached = self.unknown.pop(attempt_id)
        outcome = Outcome.created if found else Outcome.not_sent
        ended = end(reached.row, outcome)._replace(row_id=rows[attempt_id].row_id)
        self.do(self.ledger.resolve_rows(run, [ended]))
        reached.exists = found

    @rule()
    def be_killed(self) -> None:
        self.ledger = self.do(self.harness.kill(self.ledger))
        for attempt_id in list(self.flying):
            self.unknown[attempt_id] = self.flying.pop(attempt_id)
        self.sender = None

    @rule(name=st.sampled_from(CAMPAIGNS))
    def put_everybody_back(self, name: str) -> None:
        """`retry` of all that it takes: whom others have reached meanwhile is told at the claim."""
        if name in self.planned:
            self.do(self.ledger.retry_rows(self.records[name], all_rejected=True))

    @invariant()
    def the_ledger_is_sound(self) -> None:
        assert self.harness.flaws() == []

    def _live(self, contact: str) -> list[Reached]:
        """What has reached a contact, or may have."""
        return [one for one in self.reached.get(contact, []) if one.exists is not False]

    def teardown(self) -> None:
        try:
            self._reach_everybody()
        finally:
            self.do(self.ledger.close())
            self.harness.close()
            self.runner.close()
            shutil.rmtree(self.folder)

    def _reach_everybody(self) -> None:
        """The rule leaves nobody waiting, and nobody out who has no execution, and no doubt, of their own."""
        for name in sorted(self.planned):
            self.start(name)
            for _ in range(len(PEOPLE) * 3):
                self.begin(10)
            for people in self.flying.values():
                people.exists = True
            record = self.records[name]
            status = self.do(self.ledger.status(record))
            assert status.rows["planned"] == 0, f"{name} leaves rows behind"


def _now_ms() -> int:
    return int(time.time() * 1000)


#: The form that runs with every change; tests/chaos has the long one.
SHORT = settings(SETTINGS, max_examples=25)


def test_nobody_is_reached_twice(backend: str) -> None:
    """Campaigns, files and deaths in every order."""
    run_state_machine_as_test(on(backend, PeopleMachine), settings=fewer(backend, SHORT))


@pytest.mark.parametrize("forgets", ["campaigns", "rows", "people"])
def test_a_memory_that_forgets_is_caught(forgets: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The short form can fail: a claim that does not ask again reaches somebody twice."""
    if forgets == "campaigns":
        monkeypatch.setattr(contacted, "recent", lambda db, campaign, since_ms: [campaign.campaign_id])
    elif forgets == "people":
        # Whom it has forgotten on request is a stranger to it.
        monkeypatch.setattr(pseudonyms, "in_use", lambda db: False)
    else:
        monkeypatch.setattr(contacted, "apart", lambda db, run, found, since_ms: (list(found), {}))
    # Or the database refuses what is the same key twice, once it is told again.
    with pytest.raises((AssertionError, LedgerError), match=r"is reached by two|leaves twice|UNIQUE"):
        run_state_machine_as_test(
            PeopleMachine, settings=settings(SHORT, derandomize=True, database=None, phases=[Phase.generate])
        )
