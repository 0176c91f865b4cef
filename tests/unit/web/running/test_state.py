"""The state of a campaign's page: by table, every state and every button."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from dispatcher.events import EventBus, Phase, PhaseChanged, Snapshot
from dispatcher.ledger.records import Account, CampaignRecord, CampaignStatus, LedgerPlace
from dispatcher.model import Pause, PausedBy, RowState, empty_counts
from dispatcher.web.running import Button, State, page_state
from dispatcher.web.store import Draft, Stage
from tests.unit.web.running.drafts import LAUNCHED

NOW_MS = 1_795_808_400_000
BEFORE, LATER = NOW_MS - 60_000, NOW_MS + 60_000
ACCOUNT = Account(account_id=1, account_sid="AC" + "0" * 32, base_url="http://127.0.0.1")
USER, HELD, GUARD = (Pause(at_ms=1, by=by, reason="why") for by in (PausedBy.user, PausedBy.held, PausedBy.guard))


def status(rows: Mapping[str, int] | None = None, **more: Any) -> CampaignStatus:
    """The ledger's counts."""
    record = CampaignRecord(campaign_id=1, name="spring", account=ACCOUNT, flow_sid="FW" + "0" * 32, input_id=1)
    nothing = CampaignStatus(
        campaign=record,
        ledger=LedgerPlace(location="", since_ms=None),
        rows=empty_counts() | {RowState(name): n for name, n in (rows or {}).items()},
        earlier_rows={},
        attempts=0,
        throttled=0,
        worst_window=0,
        window_limit=200,
        first_started_at_ms=None,
        duration_s=0.0,
        running=False,
        stop_reason=None,
        report_path=None,
    )
    return replace(nothing, **more)


def at(phase: Phase) -> Snapshot:
    """What is done now."""
    bus = EventBus()
    bus.emit(PhaseChanged(phase=phase))
    return bus.snapshot()


HALF = {"created": 5, "planned": 5}
DONE = {"created": 10}


@pytest.mark.parametrize(
    ("draft", "counts", "snapshot", "state"),
    [
        (replace(LAUNCHED, stage=Stage.columns), None, None, State.needs_columns),
        (replace(LAUNCHED, stage=Stage.checking), None, None, State.checking),
        (replace(LAUNCHED, stage=Stage.failed), None, None, State.draft),
        (replace(LAUNCHED, stage=Stage.checked), None, None, State.checked),
        # A draft that is not launched is that, whatever campaign has its name.
        (replace(LAUNCHED, stage=Stage.checked), status(HALF, running=True), None, State.checked),
        (LAUNCHED, None, None, State.queued),
        (LAUNCHED, status(due_ms=BEFORE), None, State.queued),
        (LAUNCHED, status(due_ms=LATER), None, State.scheduled),
        (LAUNCHED, status(HALF, due_ms=BEFORE), None, State.queued),
        (LAUNCHED, status(HALF, due_ms=BEFORE, running=True), None, State.sending),
        (LAUNCHED, status(HALF, due_ms=BEFORE), at(Phase.planning), State.sending),
        (LAUNCHED, status(HALF, due_ms=BEFORE), at(Phase.sending), State.sending),
        (LAUNCHED, status(HALF, due_ms=BEFORE), at(Phase.reconciling), State.settling),
        (LAUNCHED, status(DONE), at(Phase.recalling), State.recalling),
        (LAUNCHED, status(HALF, due_ms=BEFORE, next_at_ms=LATER), None, State.waiting),
        (LAUNCHED, status(HALF, due_ms=BEFORE, next_at_ms=BEFORE), None, State.queued),
        (LAUNCHED, status(HALF, due_ms=BEFORE, paused=USER), None, State.paused),
        (LAUNCHED, status(HALF, due_ms=BEFORE, paused=GUARD), None, State.paused),
        (LAUNCHED, status(HALF, due_ms=BEFORE, paused=HELD), None, State.held),
        (LAUNCHED, status(due_ms=LATER, paused=USER), None, State.paused),
        (LAUNCHED, status({"created": 5, "skipped": 5}, paused=USER), None, State.stopped),
        (LAUNCHED, status(HALF, paused=USER), None, State.stopped),
        (LAUNCHED, status({"created": 5, "skipped": 5}, paused=HELD), None, State.stopped),
        # It stops at its next rows, and that it is paused already can be seen.
        (LAUNCHED, status(HALF, due_ms=BEFORE, paused=USER), at(Phase.sending), State.sending),
        (LAUNCHED, status(DONE), None, State.finished),
        (LAUNCHED, status({"rejected": 10}), None, State.finished),
        (LAUNCHED, status({"created": 9, "unknown": 1}), None, State.finished),
        (LAUNCHED, status(DONE, earlier_rows={RowState.planned: 1}, due_ms=BEFORE), None, State.queued),
        # Rows wait, and nobody is to send them: somebody has planned them again, or a terminal has begun them.
        (LAUNCHED, status(HALF), None, State.paused),
        (None, status(HALF), None, State.left),
        (None, status(HALF, running=True), None, State.sending),
        (None, status(HALF, paused=USER), None, State.paused),
        (None, status(DONE, paused=USER), None, State.finished),
        (None, status(HALF, next_at_ms=LATER), None, State.waiting),
        (None, status(DONE), None, State.finished),
    ],
)
def test_the_state(draft: Draft | None, counts: CampaignStatus | None, snapshot: Snapshot | None, state: State) -> None:
    """One word, from what the store, the ledger and the run say."""
    assert page_state(draft, counts, snapshot, now_ms=NOW_MS).state is state


def test_every_state_is_in_the_table() -> None:
    """None is left that nobody can reach."""
    (table,) = [mark for mark in test_the_state.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
    assert {row[-1] for row in table.args[1]} == set(State)


@pytest.mark.parametrize(
    ("counts", "buttons"),
    [
        (status(HALF, due_ms=BEFORE), {Button.pause, Button.stop, Button.recall, Button.download}),
        (status(HALF, due_ms=BEFORE, running=True, paused=USER), {Button.stop, Button.recall, Button.download}),
        (
            status(HALF, due_ms=BEFORE, paused=HELD),
            {Button.go_on, Button.stop, Button.correct, Button.recall, Button.download},
        ),
        (status(due_ms=LATER), {Button.check, Button.preview, Button.unschedule, Button.pause}),
        (
            status({"created": 5, "rejected": 3, "unknown": 2}),
            {Button.correct, Button.retry, Button.reconcile, Button.recall, Button.download},
        ),
        (status({"rejected": 10}), {Button.correct, Button.retry, Button.download}),
        (status({"created": 5, "skipped": 5}, paused=USER), {Button.put_back, Button.recall, Button.download}),
        (status({"skipped": 5, "rejected": 5}, paused=USER), {Button.put_back, Button.download}),
    ],
)
def test_the_buttons(counts: CampaignStatus, buttons: set[Button]) -> None:
    """What can be done then, and nothing else."""
    assert set(page_state(LAUNCHED, counts, now_ms=NOW_MS).buttons) == buttons


@pytest.mark.parametrize("counts", [status(HALF), status(HALF, running=True), status(DONE), status(HALF, paused=USER)])
def test_a_terminals_campaign_is_looked_at(counts: CampaignStatus) -> None:
    """It may be paused and downloaded; it goes on where it was begun."""
    assert set(page_state(None, counts, now_ms=NOW_MS).buttons) <= {Button.pause, Button.download}


def test_what_could_not_be_written_is_shown() -> None:
    """A hold that a full disk keeps from the ledger holds all the same."""
    shown = page_state(LAUNCHED, status(HALF, due_ms=BEFORE), now_ms=NOW_MS, held=HELD)
    assert (shown.state, shown.pause) == (State.held, HELD)


def test_a_queued_one_tells_its_place() -> None:
    """And what the account waits for."""
    shown = page_state(LAUNCHED, status(due_ms=BEFORE), now_ms=NOW_MS, place=2, waits_for="another program")
    assert (shown.place, shown.waits_for) == (2, "another program")
