"""People and campaigns that are forgotten: nothing of them is left to read, and still nobody is reached twice."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from dispatcher.errors import AccountLocked
from dispatcher.ledger import Ledger
from dispatcher.ledger.erasing import Traces
from dispatcher.ledger.executions import TrackedExecution
from dispatcher.ledger.records import CampaignRecord, ForeignExecution, Look, PlanCounts
from dispatcher.ledger.striking import Person
from dispatcher.model import (
    ExecutionStatus,
    ListKind,
    Outcome,
    Reason,
    RowState,
    hash_of,
    is_pseudonym,
)
from tests.support.ledgers import NONE, SENDER, Line, account, batch, campaign, end, invalid, lines, new_input, report
from tests.unit.ledger.conformance.harness import Harness

ANN, BOB, CYD = "+12025550101", "+12025550102", "+12025550103"
PERSON = Person(ANN, "2025550101")
HOUR_MS = 3_600_000
AFTER_MS = 16 * HOUR_MS
NOW_MS = 1_790_000_000_000


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.ledger.store.clock_ms", lambda: NOW_MS)
    monkeypatch.setattr("dispatcher.ledger.erasures.now_ms", lambda: NOW_MS)


def quietly(done: int, total: int) -> None:
    pass


async def plan(ledger: Ledger, record: CampaignRecord, of: Sequence[Line]) -> PlanCounts:
    loading = await ledger.begin_input(record, new_input())
    await ledger.load_rows(loading.input_id, batch(of))
    return await ledger.finish_input(loading.input_id, "sha", repeat_after_ms=AFTER_MS)


async def sent(
    ledger: Ledger, record: CampaignRecord, outcome: Outcome | None = Outcome.created, limit: int = 100
) -> list[str]:
    """Whom a run reaches; None: it is killed with its requests on the wire."""
    run = await ledger.start_run(record, window_limit=200, now_ms=NOW_MS - HOUR_MS)
    rows = await ledger.begin_rows(
        run,
        limit,
        now_ms=NOW_MS - HOUR_MS,
        input_id=None,
        repeat_after_ms=AFTER_MS,
        dispatch_id=lambda key: f"d-{key}",
    )
    if outcome is not None:
        ends = [
            end(row, outcome, at_ms=NOW_MS - HOUR_MS)._replace(error_message=f"to {row.to_address}") for row in rows
        ]
        await ledger.end_rows(run, ends, now_ms=NOW_MS - HOUR_MS, totals=NONE)
        await ledger.stop_run(run, now_ms=NOW_MS - HOUR_MS, reason=None, totals=NONE)
    return [row.to_address for row in rows]


async def forget(ledger: Ledger, person: Person = PERSON, *, suppress: bool = False) -> Traces:
    return await ledger.erasures.forget(person, quietly, suppress=suppress, actor="me")


def everything(harness: Harness) -> str:
    """All that the tables hold, as text."""
    return "\n".join(repr(row) for table in harness.tables() for row in harness.query(f"SELECT * FROM {table}"))


async def test_nothing_is_left_of_a_person(ledger: Ledger, harness: Harness) -> None:
    """In no table, of no campaign: number, name, texts; the others stay whole."""
    spring, summer = await campaign(ledger), await campaign(ledger, "summer")
    await plan(
        ledger, spring, [Line(ANN, name="Ann Alike"), Line(BOB, name="ask (202) 555-0101"), invalid(name=f"x {ANN}")]
    )
    assert await sent(ledger, spring) == [ANN, BOB]
    await plan(ledger, summer, [Line("7", to=f"whatsapp:{ANN}", name="Ann Alike"), Line(f"{ANN}\x1f2", to=ANN)])
    found = await ledger.executions_to_track(spring, read_as="v", after=0, limit=9)
    texts = {"reply": f"Ann Alike here, {ANN}"}
    await ledger.save_executions(
        [
            TrackedExecution(
                attempt_id=one.attempt_id,
                status=ExecutionStatus.ended,
                seen_at_ms=NOW_MS,
                read_as="v",
                variables=texts if place == 0 else {"reply": "from +1 202.555.0101!"},
                opted_out="the reply was STOP" if place == 0 else None,
            )
            for place, one in enumerate(found)
        ]
    )
    mine = await account(ledger)
    await ledger.lists.add(mine, [ANN], actor="me", reason=f"Ann Alike wrote from {ANN}")
    await ledger.lists.add(mine, [CYD], actor="me", reason=f"as {ANN}")
    test = await ledger.begin_test(mine, to_address=BOB, now_ms=NOW_MS)
    await ledger.end_test(test, outcome=Outcome.rejected, sent_at_ms=1, ended_at_ms=2, error_message=f"not {ANN}")
    traces = await forget(ledger)
    assert (traces.rows, traces.campaigns, traces.mentions, traces.obstacles) == (4, ("spring", "summer"), 1, ())
    left = everything(harness)
    for trace in ("2025550101", "Ann Alike", "555-0101", "555.0101", "0101", hash_of(ANN)):
        assert trace not in left, trace
    assert BOB in left
    told = await report(ledger, 1)
    assert [(row.state, row.to_address, row.cells) for row in told] == [
        (RowState.created, None, ["", ""]),
        (RowState.created, BOB, [BOB, "ask "]),
        (RowState.invalid, None, ["", ""]),
    ]
    assert all(row.execution_sid for row in told[:2])
    status = await ledger.status(spring)
    assert (status.rows[RowState.created], status.rows[RowState.invalid]) == (2, 1)


async def test_a_number_in_odd_groups(ledger: Ledger, harness: Harness) -> None:
    """However its digits stand apart: in keys, replies, reasons and messages."""
    spring, odd = await campaign(ledger), "2 025 550 10 1"
    await plan(ledger, spring, [Line(f"no. {odd}", to=BOB, name=odd), Line(CYD)])
    await sent(ledger, spring)
    _, two = await ledger.executions_to_track(spring, read_as="v", after=0, limit=9)
    seen = TrackedExecution(attempt_id=two.attempt_id, status=ExecutionStatus.ended, seen_at_ms=NOW_MS, read_as="v")
    await ledger.save_executions([dataclasses.replace(seen, variables={"reply": odd}, error_message=f"to {odd}")])
    await ledger.lists.add(await account(ledger), [CYD], actor="me", reason=f"as {odd}")
    await forget(ledger)
    assert "550 10" not in everything(harness)


async def test_the_same_digits_in_another_country(ledger: Ledger) -> None:
    """They are somebody else's: what was sent to them stays, and what waits stands against nothing."""
    spring, summer, london = await campaign(ledger), await campaign(ledger, "summer"), "+44" + ANN[2:]
    counts = await plan(ledger, spring, [Line(ANN), Line(london, name="Lon")])
    await sent(ledger, spring)
    await plan(ledger, summer, [Line("7", to=f"whatsapp:{london}"), Line(f"{london}\x1f2", to=london)])
    traces = await forget(ledger)
    assert (traces.rows, traces.mentions, traces.obstacles) == (1, 0, ())
    _, theirs = await report(ledger, counts.input_id)
    assert (theirs.to_address, theirs.cells) == (london, [london, "Lon"])


@pytest.mark.parametrize("prefix", ["", "whatsapp:"])
async def test_who_is_forgotten_was_reached(ledger: Ledger, prefix: str) -> None:
    """By another campaign, by the same file of the same one, and by a key of its own: nobody is reached again."""
    spring, summer = await campaign(ledger), await campaign(ledger, "summer")
    await plan(ledger, spring, lines(prefix + ANN, BOB))
    await sent(ledger, spring)
    await forget(ledger)
    for _ in range(2):
        counts = await plan(ledger, spring, lines(prefix + ANN, BOB))
        assert (counts.rows[RowState.created], counts.rows[RowState.planned], counts.new) == (2, 0, 0)
    counts = await plan(ledger, summer, [Line("a", to=ANN), Line("b", to=CYD)])
    assert counts.reasons == {"contacted": 1}
    assert await sent(ledger, summer) == [CYD]
    # Once it is back, it can be forgotten again.
    assert (await forget(ledger)).rows == 2
    assert (await plan(ledger, spring, lines(prefix + ANN))).rows[RowState.created] == 1


async def test_a_claim_knows_who_is_forgotten(ledger: Ledger) -> None:
    """Also rows that were planned by then: nothing is asked for at planning alone."""
    spring, summer = await campaign(ledger), await campaign(ledger, "summer")
    await plan(ledger, spring, lines(ANN))
    await sent(ledger, spring)
    await forget(ledger)
    loading = await ledger.begin_input(summer, new_input())
    await ledger.load_rows(loading.input_id, batch(lines(ANN, BOB)))
    await ledger.finish_input(loading.input_id, "sha")
    left_out = await ledger.count_left_out(summer, repeat_after_ms=AFTER_MS)
    assert (left_out.contacted, left_out.suppressed) == (1, 0)
    assert await sent(ledger, summer) == [BOB]


async def test_an_opt_out_outlives_its_person(ledger: Ledger) -> None:
    """By hand, learned or by a list of digests; it can be lifted, and is in the log without its reason."""
    mine, spring = await account(ledger), await campaign(ledger)
    await ledger.lists.add(mine, [ANN], actor="me", reason="asked")
    hashed = await ledger.lists.begin(mine, ListKind.hashed, "/their/list")
    await ledger.lists.load(mine, hashed, [hash_of(ANN)])
    await ledger.lists.finish(mine, hashed, read_as="x", unreadable=0)
    traces = await forget(ledger)
    assert (traces.rows, traces.is_suppressed, traces.lists) == (0, True, ("/their/list",))
    assert (await plan(ledger, spring, lines(ANN, BOB))).reasons == {"suppressed": 1}
    assert len(await ledger.lists.held(mine, [ANN])) == 2
    assert await ledger.lists.add(mine, [ANN], actor="me", reason="") == 0
    (entry,) = await ledger.lists.history(mine, ANN)
    assert is_pseudonym(entry.contact or "")
    assert (entry.action, entry.reason) == ("added", "")
    assert await ledger.lists.remove(mine, [ANN], actor="me", reason="back") == {ANN}
    assert len(await ledger.lists.held(mine, [ANN])) == 1


async def test_suppress_keeps_a_stranger_out(ledger: Ledger) -> None:
    """Someone never seen, of every account; and the log says that somebody was forgotten."""
    spring, other = await campaign(ledger), await campaign(ledger, "other", "AC" + "1" * 32)
    traces = await forget(ledger, suppress=True)
    assert (traces.rows, traces.is_suppressed) == (0, False)
    for record in (spring, other):
        assert (await plan(ledger, record, lines(ANN))).reasons == {"suppressed": 1}
    (entry,) = await ledger.erasures.log()
    assert (entry.action, entry.rows, entry.actor, entry.cleaned_at_ms) == ("forgotten", 0, "me", None)
    await ledger.erasures.cleaned()
    assert (await ledger.erasures.log())[0].cleaned_at_ms == NOW_MS


@pytest.mark.parametrize("outcome", [Outcome.unknown, None])
async def test_in_flight_or_unknown_is_refused(ledger: Ledger, harness: Harness, outcome: Outcome | None) -> None:
    """Whole: not one cell, of no other campaign, is changed."""
    spring, summer = await campaign(ledger), await campaign(ledger, "summer")
    await plan(ledger, summer, lines(ANN))
    await plan(ledger, spring, lines(ANN))
    await sent(ledger, spring, outcome)
    before = everything(harness)
    traces = await forget(ledger, suppress=True)
    (obstacle,) = traces.obstacles
    assert (obstacle.campaign, obstacle.row_number, obstacle.is_others) == ("spring", 2, False)
    assert obstacle.begun_at_ms == NOW_MS - HOUR_MS
    assert everything(harness) == before
    assert (await ledger.erasures.look(PERSON, quietly)).obstacles == traces.obstacles


async def test_a_load_of_another_account_stays(ledger: Ledger) -> None:
    """An account that was made since the others were held: its file is being loaded, and is not cut short."""
    spring, other = await campaign(ledger), await campaign(ledger, "other", "AC" + "1" * 32)
    await plan(ledger, spring, lines(ANN))
    await sent(ledger, spring)
    loading = await ledger.begin_input(other, new_input())
    await ledger.load_rows(loading.input_id, batch(lines(ANN, BOB)))
    held = {spring.account.account_id}
    with pytest.raises(AccountLocked):
        await ledger.erasures.forget(PERSON, quietly, suppress=False, actor="me", held=held)
    with pytest.raises(AccountLocked):
        await ledger.erasures.prune(spring, actor="me", held=held)
    assert (await ledger.finish_input(loading.input_id, "sha")).total == 2
    held.add(other.account.account_id)
    assert await ledger.erasures.prune(spring, actor="me", held=held) == 1


async def test_cells_of_who_is_still_to_be_reached(ledger: Ledger) -> None:
    """A number in another's row would be sent there: it cannot go before that row."""
    spring = await campaign(ledger)
    await plan(ledger, spring, [Line(BOB, name=f"ask {ANN}")])
    (obstacle,) = (await forget(ledger)).obstacles
    assert (obstacle.state, obstacle.is_others) == (RowState.planned, True)
    await ledger.cancel_rows(spring, "no")
    assert (await forget(ledger)).mentions == 1


async def test_a_load_cut_short_stands_against_nothing(ledger: Ledger, harness: Harness) -> None:
    """Its rows are never sent as they are: they are no obstacle, nobody's rows, and go."""
    spring = await campaign(ledger)
    loading = await ledger.begin_input(spring, new_input())
    await ledger.load_rows(loading.input_id, batch([Line(BOB, name=f"ask {ANN}"), Line(ANN), Line(f"{ANN}-2", to=BOB)]))
    for traces in (await ledger.erasures.look(PERSON, quietly), await forget(ledger)):
        assert (traces.rows, traces.waiting, traces.mentions, traces.obstacles) == (0, 0, 0, ())
    assert "2025550101" not in everything(harness)


@pytest.mark.parametrize("outcome", [Outcome.rejected, Outcome.busy])
async def test_no_retry_sends_empty_rows(ledger: Ledger, outcome: Outcome) -> None:
    """What was refused, left out or waited keeps its state, and is never sent without its cells."""
    spring = await campaign(ledger)
    await plan(ledger, spring, lines(ANN, BOB))
    await sent(ledger, spring, outcome)
    await forget(ledger)

    async def retry(*, count_only: bool = False, most: int | None = None) -> int:
        every = list(Reason)
        return await ledger.retry_rows(
            spring, all_rejected=True, busy=True, skipped=every, count_only=count_only, most=most
        )

    assert await retry(count_only=True, most=9) == 1
    assert await retry() == 1
    status = await ledger.status(spring)
    assert status.rows[RowState(outcome.value)] == 1
    # The file brings it back, as what it was.
    counts = await plan(ledger, spring, lines(ANN))
    assert (counts.rows[RowState(outcome.value)], counts.corrected) == (1, 0)
    assert await retry() == 1


async def test_rows_that_waited_are_left_out(ledger: Ledger) -> None:
    """And come back with the file that brings them."""
    spring = await campaign(ledger)
    counts = await plan(ledger, spring, lines(ANN, BOB))
    assert (await forget(ledger)).waiting == 1
    assert await ledger.reasons(spring) == {"forgotten": 1}
    assert await ledger.retry_rows(spring, skipped=[Reason.forgotten]) == 0
    assert await sent(ledger, spring) == [BOB]
    assert [row.reason_code for row in await report(ledger, counts.input_id)] == ["forgotten", None]
    assert (await plan(ledger, spring, lines(ANN, BOB))).rows[RowState.planned] == 1


async def test_what_studio_shows_stays_forgotten(ledger: Ledger, harness: Harness) -> None:
    """Its list brings no number back, and tracking no text; an opt-out is learned all the same."""
    spring, summer = await campaign(ledger), await campaign(ledger, "summer")
    await plan(ledger, spring, lines(ANN))
    await sent(ledger, spring)
    await forget(ledger)
    mine = await account(ledger)
    (one,) = await ledger.executions_to_track(spring, read_as="v", after=0, limit=9)
    assert await ledger.known_executions(mine, {one.execution_sid: ANN, "FN" + "f" * 32: ANN}) == {one.execution_sid}
    tracked = TrackedExecution(
        attempt_id=one.attempt_id,
        status=ExecutionStatus.ended,
        seen_at_ms=NOW_MS,
        read_as="v",
        error_message=f"to {ANN}",
        variables={"reply": f"STOP {ANN}"},
        opted_out=f"the reply was {ANN}",
    )
    await ledger.save_executions([tracked, tracked])
    run = await ledger.start_run(summer, window_limit=200, now_ms=NOW_MS)
    look = Look(looked_at_ms=NOW_MS, clock_skew_ms=0, since_ms=0, departed_at_ms=None)
    await ledger.keep_look(run, look, [ForeignExecution(ANN, "FN" + "e" * 32, NOW_MS - 5, True)])
    assert ANN not in everything(harness)
    assert len(await ledger.lists.held(mine, [ANN])) == 1
    await ledger.lists.remove(mine, [ANN], actor="me", reason="for the test")
    loading = await ledger.begin_input(summer, new_input())
    await ledger.load_rows(loading.input_id, batch(lines(ANN)))
    await ledger.finish_input(loading.input_id, "sha")
    (foreign,) = await ledger.foreign_executions(summer, since_ms=0)
    assert foreign.contact == ANN


async def test_a_sender_has_sent_to_who_is_forgotten(ledger: Ledger) -> None:
    """Its cap counts them, also once their file comes again with another sender."""
    spring, mine = await campaign(ledger), await account(ledger)
    await plan(ledger, spring, lines(ANN))
    await sent(ledger, spring)
    before = await ledger.senders.begun_since(mine, 0)
    await forget(ledger)
    loading = await ledger.begin_input(spring, new_input("+12025550999"))
    await ledger.load_rows(loading.input_id, batch(lines(ANN)))
    await ledger.finish_input(loading.input_id, "sha")
    assert await ledger.senders.begun_since(mine, 0) == before == {SENDER: 1}


async def test_a_campaign_is_pruned_whole(ledger: Ledger, harness: Harness) -> None:
    """Cells, addresses and texts; what it was stays, and its own file finds it as it left it."""
    spring, summer = await campaign(ledger), await campaign(ledger, "summer")
    people = [f"+1202556{n:04}" for n in range(300)]
    await plan(ledger, spring, [*lines(*people), invalid(name="wrong")])
    assert await ledger.erasures.prune(spring, actor="me") == 0
    await sent(ledger, spring, limit=1000)
    before = await ledger.status(spring)
    assert await ledger.erasures.prune(spring, actor="me") == 301
    left = everything(harness)
    assert not [one for one in (*people, "Ann", "wrong") if one in left]
    after = await ledger.status(spring)
    assert (after.rows, after.attempts) == (before.rows, before.attempts)
    counts = await plan(ledger, summer, lines(*people, CYD))
    assert counts.reasons == {"contacted": 300}
    assert (await plan(ledger, spring, lines(*people[:200]))).rows[RowState.created] == 200
    ages = await ledger.erasures.ages()
    assert [ages[one.campaign_id].is_over for one in (spring, summer)] == [True, False]


async def test_a_pruned_campaign_is_told_by_its_age(ledger: Ledger) -> None:
    """It counts as pruned until something happens to it again."""
    spring = await campaign(ledger)
    await plan(ledger, spring, lines(ANN))
    await sent(ledger, spring)
    assert await ledger.erasures.prune(spring, actor="me") == 1
    assert (await ledger.erasures.ages())[spring.campaign_id].is_pruned
    assert (await ledger.erasures.log())[0].campaign == "spring"
