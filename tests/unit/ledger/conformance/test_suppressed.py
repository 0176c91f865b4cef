"""Nobody who is suppressed is sent anything: told when a file is planned, and held at each claim."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pytest

from dispatcher.errors import SuppressedContact, SuppressionError
from dispatcher.ledger import Ledger
from dispatcher.ledger.attempts import LOTS_MAX
from dispatcher.ledger.executions import TrackedExecution
from dispatcher.ledger.records import Account, CampaignRecord, GrantedRows, PlanCounts, Run
from dispatcher.ledger.suppressed import Suppression
from dispatcher.model import ExecutionStatus, ListKind, Outcome, Reason, RowState, hash_of
from tests.support.ledgers import NONE, Line, account, batch, campaign, end, lines, new_input, planned, report
from tests.unit.ledger.conformance.harness import Harness

ANN, BOB, CYD, DAN = (f"+1555010000{n}" for n in range(1, 5))
HOUR_MS = 3_600_000


async def file_list(
    ledger: Ledger, owner: Account, contacts: Iterable[str], *, source: str = "/lists/dnc.csv", hashed: bool = False
) -> int:
    """A list as a file is read into it."""
    kind = ListKind.hashed if hashed else ListKind.file
    list_id = await ledger.lists.begin(owner, kind, source)
    await ledger.lists.load(owner, list_id, [*contacts])
    await ledger.lists.finish(owner, list_id, read_as="sha", unreadable=0)
    return list_id


async def plan(ledger: Ledger, record: CampaignRecord, of: Iterable[Line], lists: Collection[int] = ()) -> PlanCounts:
    loading = await ledger.begin_input(record, new_input())
    await ledger.load_rows(loading.input_id, batch([*of]))
    return await ledger.finish_input(loading.input_id, "sha", list_ids=lists)


async def run_of(ledger: Ledger, record: CampaignRecord) -> Run:
    return await ledger.start_run(record, window_limit=200, now_ms=1)


async def claim(ledger: Ledger, run: Run, lists: Collection[int] = (), limit: int = 100) -> GrantedRows:
    return await ledger.begin_rows(run, limit, now_ms=10, input_id=None, list_ids=lists)


async def reasons(ledger: Ledger, input_id: int) -> list[tuple[RowState, str | None, str | None]]:
    return [(row.state, row.reason_code, row.reason) for row in await report(ledger, input_id)]


async def test_a_file_is_planned_without_those(ledger: Ledger) -> None:
    """Whoever is on a list when a file is planned is skipped, with which list says so."""
    spring = await campaign(ledger)
    dnc = await file_list(ledger, spring.account, [ANN, DAN])
    await ledger.lists.add(spring.account, [BOB], actor="me", reason="asked")
    counts = await plan(ledger, spring, lines(ANN, f"whatsapp:{BOB}", CYD), [dnc])
    assert (counts.rows[RowState.planned], counts.reasons) == (1, {"suppressed": 2})
    assert await reasons(ledger, counts.input_id) == [
        (RowState.skipped, "suppressed", "the contact is on the list dnc.csv"),
        (RowState.skipped, "suppressed", "the contact was suppressed by hand"),
        (RowState.planned, None, None),
    ]


@pytest.mark.parametrize("hashed", [False, True])
async def test_a_claim_asks_again(ledger: Ledger, hashed: bool) -> None:
    """Whoever comes on a list after planning is not granted, whatever the row's key and channel are."""
    spring = await campaign(ledger)
    counts = await plan(ledger, spring, [*lines(ANN, BOB), Line("C-1", to=f"whatsapp:{CYD}")])
    named = [hash_of(contact) for contact in (ANN, CYD)] if hashed else [ANN, CYD]
    dnc = await file_list(ledger, spring.account, named, hashed=hashed)
    granted = await claim(ledger, await run_of(ledger, spring), [dnc])
    assert ([row.to_address for row in granted], granted.skipped) == ([BOB], 2)
    states = [state for state, *_ in await reasons(ledger, counts.input_id)]
    assert states == [RowState.skipped, RowState.sending, RowState.skipped]
    assert (await ledger.status(spring)).rows[RowState.skipped] == 2


async def test_a_digest_holds_when_a_file_is_planned(ledger: Ledger) -> None:
    """A list of digests is asked by the digest of each contact."""
    spring = await campaign(ledger)
    dnc = await file_list(ledger, spring.account, [hash_of(ANN)], hashed=True)
    counts = await plan(ledger, spring, lines(f"whatsapp:{ANN}", BOB), [dnc])
    assert (counts.rows[RowState.planned], counts.reasons) == (1, {"suppressed": 1})


async def test_a_files_list_is_its_campaigns_alone(ledger: Ledger) -> None:
    """A campaign whose settings do not name the file reaches those on it; the account's own lists hold for all."""
    spring = await campaign(ledger)
    await file_list(ledger, spring.account, [ANN])
    await ledger.lists.add(spring.account, [BOB], actor="", reason="")
    counts = await plan(ledger, spring, lines(ANN, BOB))
    assert [state for state, *_ in await reasons(ledger, counts.input_id)] == [RowState.planned, RowState.skipped]
    assert [row.to_address for row in await claim(ledger, await run_of(ledger, spring))] == [ANN]


async def test_another_accounts_lists_do_not_hold(ledger: Ledger) -> None:
    """Suppressions are an account's."""
    spring, other = await campaign(ledger), await account(ledger, "AC" + "9" * 32)
    await ledger.lists.add(other, [ANN], actor="", reason="")
    await planned(ledger, spring, lines(ANN))
    assert len(await claim(ledger, await run_of(ledger, spring))) == 1


async def test_a_list_that_is_gone_stops_the_claim(ledger: Ledger) -> None:
    """A list that was read anew is another one: what was claimed by the old one is not claimed by none."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines(ANN))
    old = await file_list(ledger, spring.account, [ANN])
    new = await file_list(ledger, spring.account, [BOB])
    run = await run_of(ledger, spring)
    with pytest.raises(SuppressionError):
        await claim(ledger, run, [old])
    with pytest.raises(SuppressionError):
        await plan(ledger, spring, lines(CYD), [old, new])
    assert [row.to_address for row in await claim(ledger, run, [new])] == [ANN]


async def test_a_reading_cut_short_changes_nothing(ledger: Ledger) -> None:
    """Until a file is read whole its last reading holds, and what was left of the other goes."""
    spring = await campaign(ledger)
    dnc = await file_list(ledger, spring.account, [ANN])
    half = await ledger.lists.begin(spring.account, ListKind.file, "/lists/dnc.csv")
    await ledger.lists.load(spring.account, half, [BOB])
    assert [one.list_id for one in await ledger.lists.all(spring.account)] == [dnc]
    assert await ledger.lists.held(spring.account, [ANN, BOB]) == [Suppression(ANN, dnc)]
    counts = await plan(ledger, spring, lines(ANN, BOB), [dnc])
    assert counts.reasons == {"suppressed": 1}
    whole = await file_list(ledger, spring.account, [CYD])
    assert [one.entries for one in await ledger.lists.all(spring.account)] == [1]
    assert await ledger.lists.page(spring.account, after=None, limit=10) == [Suppression(CYD, whole)]


async def test_a_row_on_the_wire_is_not_sent_again(ledger: Ledger) -> None:
    """A 429 after the contact was suppressed: the row is planned again, and left out at its next claim."""
    spring = await campaign(ledger)
    counts = await planned(ledger, spring, lines(ANN))
    run = await run_of(ledger, spring)
    rows = await claim(ledger, run)
    await ledger.lists.add(spring.account, [ANN], actor="", reason="")
    await ledger.end_rows(run, [end(rows[0], Outcome.throttled)], now_ms=5, totals=NONE)
    assert await claim(ledger, run) == []
    assert await reasons(ledger, counts.input_id) == [
        (RowState.skipped, "suppressed", "the contact was suppressed by hand")
    ]


async def test_who_is_removed_may_be_retried(ledger: Ledger) -> None:
    """A row that was left out goes back by retry, and every list is asked once more."""
    spring = await campaign(ledger)
    await ledger.lists.add(spring.account, [ANN, BOB], actor="me", reason="asked")
    await planned(ledger, spring, lines(ANN, BOB))
    assert await ledger.lists.remove(spring.account, [ANN, CYD], actor="me", reason="asked back") == {ANN}
    left_out = await ledger.count_left_out(spring, skipped=[Reason.suppressed])
    assert left_out == (1, 0)
    assert await ledger.retry_rows(spring, skipped=[Reason.suppressed]) == 2
    assert [row.to_address for row in await claim(ledger, await run_of(ledger, spring))] == [ANN]
    assert [change.action for change in await ledger.lists.history(spring.account, ANN)] == ["added", "removed"]


async def test_more_than_a_lot_are_left_out(ledger: Ledger) -> None:
    """A claim that finds only suppressed rows ends before it has gone through all of them, and says so."""
    spring = await campaign(ledger)
    keys = [f"+1555010{n:04}" for n in range(1_000, 1_000 + LOTS_MAX + 5)]
    await planned(ledger, spring, lines(*keys))
    await ledger.lists.add(spring.account, keys[:-1], actor="", reason="")
    run = await run_of(ledger, spring)
    first = await claim(ledger, run, limit=1)
    assert (first, first.skipped, first.is_cut) == ([], LOTS_MAX, True)
    second = await claim(ledger, run, limit=1)
    assert ([row.to_address for row in second], second.skipped, second.is_cut) == ([keys[-1]], 4, False)


async def test_a_test_send_is_refused(ledger: Ledger) -> None:
    """A test's number is a contact like any other."""
    mine = await account(ledger)
    dnc = await file_list(ledger, mine, [ANN])
    await ledger.lists.add(mine, [BOB], actor="", reason="")
    for to in (ANN, f"whatsapp:{BOB}"):
        with pytest.raises(SuppressedContact) as caught:
            await ledger.begin_test(mine, to_address=to, now_ms=1, list_ids=[dnc])
        assert to not in str(caught.value)
    await ledger.begin_test(mine, to_address=CYD, now_ms=1, list_ids=[dnc])


async def tracked(ledger: Ledger, record: CampaignRecord, run: Run, to: str, opted_out: str | None) -> int:
    """A row of the campaign that was sent, and what tracking has seen of its execution."""
    (row,) = [one for one in await claim(ledger, run) if one.to_address == to]
    await ledger.end_rows(run, [end(row, Outcome.created)], now_ms=5, totals=NONE)
    seen = TrackedExecution(
        attempt_id=row.attempt_id, status=ExecutionStatus.ended, seen_at_ms=50, read_as="x", opted_out=opted_out
    )
    await ledger.save_executions([seen])
    return row.attempt_id


async def test_an_opt_out_holds_for_every_campaign(ledger: Ledger) -> None:
    """What tracking of one campaign has learned leaves the contact out of another, also while that sends."""
    spring, summer = await campaign(ledger), await campaign(ledger, "summer")
    await planned(ledger, spring, lines(f"whatsapp:{ANN}"))
    run = await run_of(ledger, spring)
    await planned(ledger, summer, lines(ANN, BOB))
    attempt_id = await tracked(ledger, spring, run, f"whatsapp:{ANN}", "the reply was STOP")
    assert [row.to_address for row in await claim(ledger, await run_of(ledger, summer))] == [BOB]
    (one,) = await ledger.lists.all(spring.account)
    assert (one.kind, one.entries) == (ListKind.learned, 1)
    (change,) = await ledger.lists.history(spring.account, ANN)
    assert (change.action, change.actor, change.reason, change.at_ms) == ("added", "", "the reply was STOP", 50)
    assert attempt_id


async def test_an_execution_teaches_once(ledger: Ledger) -> None:
    """Whoever was taken off the list by hand is not put back by the same execution's being read again."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines(ANN))
    attempt_id = await tracked(ledger, spring, await run_of(ledger, spring), ANN, "the reply was STOP")
    await ledger.lists.remove(spring.account, [ANN], actor="me", reason="START")
    again = TrackedExecution(
        attempt_id=attempt_id, status=ExecutionStatus.ended, seen_at_ms=60, read_as="y", opted_out="the reply was STOP"
    )
    await ledger.save_executions([again])
    assert await ledger.lists.held(spring.account, [ANN]) == []


async def test_a_row_that_has_moved_teaches_all_the_same(ledger: Ledger) -> None:
    """A newer file has given the row another number and another address: whoever was reached has opted out."""
    spring = await campaign(ledger)
    loading = await ledger.begin_input(spring, new_input())
    await ledger.load_rows(loading.input_id, batch([Line("C-1", to=ANN)]))
    await ledger.finish_input(loading.input_id, "one")
    run = await run_of(ledger, spring)
    (row,) = await claim(ledger, run)
    await ledger.end_rows(run, [end(row, Outcome.created)], now_ms=5, totals=NONE)
    await planned(ledger, spring, [Line("C-0", to=BOB), Line("C-1", to=CYD)])
    seen = TrackedExecution(
        attempt_id=row.attempt_id, status=ExecutionStatus.ended, seen_at_ms=50, read_as="x", opted_out="STOP"
    )
    await ledger.save_executions([seen])
    assert [contact for contact, _ in await ledger.lists.held(spring.account, [ANN, BOB, CYD])] == [ANN]


async def test_two_connections_see_each_other(ledger: Ledger, harness: Harness) -> None:
    """No row is claimed once another process's `add` has returned."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines(ANN, BOB, CYD))
    run = await run_of(ledger, spring)
    assert [row.to_address for row in await claim(ledger, run, limit=1)] == [ANN]
    other = await harness.open()
    await other.lists.add(spring.account, [BOB], actor="", reason="")
    await other.close()
    assert [row.to_address for row in await claim(ledger, run, limit=5)] == [CYD]


async def test_the_log_is_only_added_to(ledger: Ledger, harness: Harness) -> None:
    """Not even from outside is an entry of the audit changed or taken out."""
    mine = await account(ledger)
    await ledger.lists.add(mine, [ANN], actor="me", reason="asked")
    for statement in ("DELETE FROM suppression_log", "UPDATE suppression_log SET reason = ''"):
        with pytest.raises(harness.refusal, match="only added to"):
            harness.query(statement)
    assert [change.reason for _, change in await ledger.lists.log(mine, after=0, limit=10)] == ["asked"]
