"""One memory of whom an account has reached: nobody is reached twice, by whatever campaign, file or key."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dispatcher.ledger import Ledger
from dispatcher.ledger.records import CampaignRecord, GrantedRow, PlanCounts, Run
from dispatcher.model import CHANNELS, Outcome, RowState, contact_of
from tests.support.ledgers import (
    NONE,
    Line,
    account,
    batch,
    campaign,
    end,
    lines,
    new_input,
    planned,
    report,
)

ANN, BOB, CYD = "+15550100001", "+15550100002", "+15550100003"
HOUR_MS = 3_600_000
AFTER_MS = 16 * HOUR_MS


async def plan(
    ledger: Ledger, record: CampaignRecord, of: Sequence[Line], *, after_ms: int = AFTER_MS, skip: bool = True
) -> PlanCounts:
    loading = await ledger.begin_input(record, new_input())
    await ledger.load_rows(loading.input_id, batch(of))
    return await ledger.finish_input(loading.input_id, "sha", repeat_after_ms=after_ms, skip_repeats=skip)


async def claim(ledger: Ledger, run: Run, now_ms: int, limit: int = 100) -> list[GrantedRow]:
    return await ledger.begin_rows(run, limit, now_ms=now_ms, input_id=None, repeat_after_ms=AFTER_MS)


async def sent(
    ledger: Ledger, record: CampaignRecord, now_ms: int, outcome: Outcome | None = Outcome.created
) -> list[str]:
    """A run that ends what it may send so (None: it is killed, its requests on the wire); whom it reached."""
    run = await ledger.start_run(record, window_limit=200, now_ms=now_ms)
    rows = await claim(ledger, run, now_ms)
    if outcome is not None:
        await ledger.end_rows(run, [end(row, outcome, at_ms=now_ms) for row in rows], now_ms=now_ms + 5, totals=NONE)
        await ledger.stop_run(run, now_ms=now_ms + 6, reason=None, totals=NONE)
    return [row.to_address for row in rows]


@pytest.fixture
def now_ms(monkeypatch: pytest.MonkeyPatch) -> int:
    """When files are planned."""
    moment_ms = 1_790_000_000_000
    monkeypatch.setattr("dispatcher.ledger.store.clock_ms", lambda: moment_ms)
    return moment_ms


async def test_another_campaign_reaches_nobody_again(ledger: Ledger, now_ms: int) -> None:
    """The same people under another name are skipped, with which campaign and when; new ones are planned."""
    spring, final = await campaign(ledger), await campaign(ledger, "FINAL")
    await plan(ledger, spring, lines(ANN, BOB))
    assert await sent(ledger, spring, now_ms - HOUR_MS) == [ANN, BOB]
    counts = await plan(ledger, final, lines(BOB, ANN, CYD))
    assert (counts.rows[RowState.planned], counts.reasons, counts.repeats) == (1, {"contacted": 2}, 0)
    told = await report(ledger, counts.input_id)
    assert [row.reason for row in told][:2] == ['campaign "spring" reached this contact on 2026-09-21 at 13:13 UTC'] * 2
    assert await sent(ledger, final, now_ms) == [CYD]


@pytest.mark.parametrize("outcome", [*Outcome, None])
async def test_what_may_have_been_created_counts(ledger: Ledger, now_ms: int, outcome: Outcome | None) -> None:
    """Created, unknown and on the wire hold a contact back; what is proved to have created nothing does not."""
    spring, final = await campaign(ledger), await campaign(ledger, "FINAL")
    await plan(ledger, spring, lines(ANN))
    await sent(ledger, spring, now_ms - HOUR_MS, outcome)
    counts = await plan(ledger, final, lines(ANN))
    held = outcome in (Outcome.created, Outcome.unknown, None)
    assert counts.rows[RowState.skipped] == held
    if held and outcome is not Outcome.created:
        (row,) = await report(ledger, counts.input_id)
        assert (row.reason or "").startswith('it is not known whether campaign "spring" has reached this contact on')


async def test_after_the_time_is_over_it_does_not_count(ledger: Ledger, now_ms: int) -> None:
    """To the millisecond; and with 0 nothing ever does."""
    spring, final = await campaign(ledger), await campaign(ledger, "FINAL")
    await plan(ledger, spring, lines(ANN))
    await sent(ledger, spring, now_ms - AFTER_MS + 1)
    assert (await plan(ledger, final, lines(ANN))).rows[RowState.skipped] == 1
    assert (await plan(ledger, final, lines(ANN), after_ms=AFTER_MS - 1)).rows[RowState.skipped] == 0
    assert (await plan(ledger, final, lines(ANN), after_ms=0)).rows[RowState.skipped] == 0


async def test_another_flow_or_account_does_not_count(ledger: Ledger, now_ms: int) -> None:
    """The rule is of one account and one flow."""
    spring = await campaign(ledger)
    await plan(ledger, spring, lines(ANN))
    await sent(ledger, spring, now_ms - HOUR_MS)
    follow_up = await ledger.open_campaign("follow-up", spring.account, "FW" + "9" * 32)
    other = await campaign(ledger, "other", "AC" + "9" * 32)
    for record in (follow_up, other):
        assert (await plan(ledger, record, lines(ANN))).rows[RowState.planned] == 1


async def test_a_channel_or_key_makes_no_other_contact(ledger: Ledger, now_ms: int) -> None:
    """`whatsapp:+1…` and a row with a key of the user's own reach the same person."""
    spring, final = await campaign(ledger), await campaign(ledger, "FINAL")
    await plan(ledger, spring, [*lines(f"WhatsApp:{ANN}"), Line("C-2", to=BOB)])
    assert len(await sent(ledger, spring, now_ms - HOUR_MS)) == 2
    counts = await plan(ledger, final, [*lines(ANN), Line("B/77", to=f"sms:{BOB}")])
    assert counts.rows[RowState.skipped] == 2


async def test_rows_of_one_file_are_not_repeats(ledger: Ledger, now_ms: int) -> None:
    """Two appointments of one person are two rows; but not of a file that has only one of them any more."""
    spring = await campaign(ledger)
    monday, friday = Line("monday", to=ANN), Line("friday", to=ANN)
    assert (await plan(ledger, spring, [monday, friday])).rows[RowState.planned] == 2
    run = await ledger.start_run(spring, window_limit=200, now_ms=now_ms)
    (first,) = await claim(ledger, run, now_ms, 1)
    await ledger.end_rows(run, [end(first, Outcome.created)], now_ms=now_ms, totals=NONE)
    assert [row.row_key for row in await claim(ledger, run, now_ms + 1)] == ["friday"]
    sunday = Line("sunday", to=ANN)
    counts = await plan(ledger, spring, [monday, friday, sunday])
    assert (counts.new, counts.rows[RowState.planned]) == (1, 1)
    counts = await plan(ledger, spring, [Line("tuesday", to=ANN)])
    assert counts.reasons == {"contacted": 1}


async def test_one_person_under_two_channels(ledger: Ledger, now_ms: int) -> None:
    """Without keys of their own they are one row twice: the first is sent, whatever the second is spelled like."""
    spring = await campaign(ledger)
    counts = await plan(ledger, spring, lines(f"whatsapp:{ANN}", ANN, BOB, f"sms:{BOB}"), after_ms=0)
    assert (counts.rows[RowState.planned], counts.reasons) == (2, {"duplicate": 2})
    told = await report(ledger, counts.input_id)
    assert [row.reason for row in told] == [None, "the same contact as row 2", None, "the same contact as row 4"]
    assert await sent(ledger, spring, now_ms) == [f"whatsapp:{ANN}", BOB]
    # In another order the one that was reached is the first, however long ago that was.
    counts = await plan(ledger, spring, lines(ANN, f"whatsapp:{ANN}", CYD), after_ms=0)
    assert [row.state for row in await report(ledger, counts.input_id)] == ["skipped", "created", "planned"]


async def test_another_channel_after_a_refusal(ledger: Ledger, now_ms: int) -> None:
    """A number that was refused may be tried by another channel; both are not sent, whatever is put back."""
    spring = await campaign(ledger)
    await plan(ledger, spring, lines(ANN))
    await sent(ledger, spring, now_ms - HOUR_MS, Outcome.rejected)
    counts = await plan(ledger, spring, lines(ANN, f"whatsapp:{ANN}"))
    assert (counts.rows[RowState.rejected], counts.rows[RowState.planned]) == (1, 1)
    await ledger.retry_rows(spring, all_rejected=True)
    run = await ledger.start_run(spring, window_limit=200, now_ms=now_ms)
    assert [row.to_address for row in await claim(ledger, run, now_ms)] == [ANN]
    assert await claim(ledger, run, now_ms + 1) == []
    assert [row.state for row in await report(ledger, counts.input_id)] == ["sending", "skipped"]


async def test_it_is_asked_again_with_the_intent(ledger: Ledger, now_ms: int) -> None:
    """Hours may lie between a file's check and its sending: the row is skipped where it would be claimed."""
    spring, final = await campaign(ledger), await campaign(ledger, "FINAL")
    await plan(ledger, spring, lines(ANN, BOB))
    counts = await plan(ledger, final, lines(ANN, CYD, BOB))
    assert counts.rows[RowState.planned] == 3
    await sent(ledger, spring, now_ms)
    run = await ledger.start_run(final, window_limit=200, now_ms=now_ms + 10)
    granted = await ledger.begin_rows(run, 1, now_ms=now_ms + 10, input_id=None, repeat_after_ms=AFTER_MS)
    assert ([row.to_address for row in granted], granted.skipped) == ([CYD], 1)
    granted = await ledger.begin_rows(run, 1, now_ms=now_ms + 10, input_id=None, repeat_after_ms=AFTER_MS)
    assert (granted, granted.skipped) == ([], 1)
    told = {row.to_address: (row.state, row.reason_code) for row in await report(ledger, counts.input_id)}
    assert told == {
        ANN: ("skipped", "contacted"),
        BOB: ("skipped", "contacted"),
        CYD: ("sending", None),
    }


async def test_two_files_rows_of_one_contact(ledger: Ledger, now_ms: int) -> None:
    """One claim over both grants the first; the second is then a repeat."""
    spring = await campaign(ledger)
    await plan(ledger, spring, [Line("monday", to=ANN)])
    await plan(ledger, spring, [Line("friday", to=ANN)])
    run = await ledger.start_run(spring, window_limit=200, now_ms=now_ms)
    assert [row.row_key for row in await claim(ledger, run, now_ms)] == ["monday"]
    assert await claim(ledger, run, now_ms) == []
    status = await ledger.status(spring)
    assert status.rows[RowState.skipped] == 1


async def test_again_counts_and_plans_them(ledger: Ledger, now_ms: int) -> None:
    """Whoever wants them reached again is told how many there are, and a claim that does not ask grants them."""
    spring, final = await campaign(ledger), await campaign(ledger, "FINAL")
    await plan(ledger, spring, lines(ANN, BOB))
    await sent(ledger, spring, now_ms - HOUR_MS)
    counts = await plan(ledger, final, lines(ANN, BOB, CYD), skip=False)
    assert (counts.rows[RowState.planned], counts.repeats) == (3, 2)
    run = await ledger.start_run(final, window_limit=200, now_ms=now_ms)
    assert len(await ledger.begin_rows(run, 9, now_ms=now_ms, input_id=None)) == 3


async def test_a_row_that_changed_its_number(ledger: Ledger, now_ms: int) -> None:
    """Whom a row has reached is where its request went, not where the newest file would send it."""
    spring, final = await campaign(ledger), await campaign(ledger, "FINAL")
    await plan(ledger, spring, [Line("C-1", to=ANN)])
    await sent(ledger, spring, now_ms - HOUR_MS)
    await plan(ledger, spring, [Line("C-1", to=BOB)])
    counts = await plan(ledger, final, lines(ANN, BOB))
    assert {row.to_address: row.state for row in await report(ledger, counts.input_id)} == {
        ANN: "skipped",
        BOB: "planned",
    }


async def test_contacts_that_others_saw_are_skipped(ledger: Ledger, now_ms: int) -> None:
    """What only Studio knows of (another machine's executions) is skipped by contact, with a sentence of its own."""
    spring = await campaign(ledger)
    counts = await plan(ledger, spring, [*lines(ANN, f"whatsapp:{BOB}", CYD), Line("two", to=ANN)])
    run = await ledger.start_run(spring, window_limit=200, now_ms=now_ms)
    assert await ledger.skip_contacts(run, {ANN: "seen in Studio", BOB: "there, too"}) == 3
    told = [(row.reason_code, row.reason) for row in await report(ledger, counts.input_id)]
    assert told == [
        ("contacted", "seen in Studio"),
        ("contacted", "there, too"),
        (None, None),
        ("contacted", "seen in Studio"),
    ]
    assert await ledger.skip_contacts(run, {}) == 0


async def test_executions_that_are_known(ledger: Ledger, now_ms: int) -> None:
    """Its campaigns' and its test sends' executions are known, and any of a contact that has no answer yet."""
    spring = await campaign(ledger)
    await plan(ledger, spring, lines(ANN, BOB))
    run = await ledger.start_run(spring, window_limit=200, now_ms=now_ms)
    ann, bob = await claim(ledger, run, now_ms)
    await ledger.end_rows(run, [end(ann, Outcome.created)], now_ms=now_ms, totals=NONE)
    ours = f"FN{ann.attempt_id:032x}"
    test = await ledger.begin_test(spring.account, to_address=CYD, now_ms=now_ms)
    await ledger.end_test(
        test, outcome=Outcome.created, sent_at_ms=now_ms, ended_at_ms=now_ms, execution_sid="FN" + "7" * 32
    )
    asked = {ours: f"whatsapp:{ANN}", "FN" + "8" * 32: ANN, "FN" + "6" * 32: bob.to_address, "FN" + "7" * 32: CYD}
    known = await ledger.known_executions(spring.account, asked)
    assert known == {ours, "FN" + "6" * 32, "FN" + "7" * 32}
    assert await ledger.known_executions(await account(ledger, "AC" + "9" * 32), asked) == set()


async def test_whose_execution_holds_a_contact(ledger: Ledger, now_ms: int) -> None:
    """Another row's of the campaign, or one that may be: such a row waits. Its own attempt says nothing."""
    spring = await campaign(ledger)
    await plan(ledger, spring, [Line("monday", to=ANN), Line("friday", to=ANN), *lines(BOB)])
    run = await ledger.start_run(spring, window_limit=200, now_ms=now_ms)
    monday, friday, bob = await claim(ledger, run, now_ms)
    theirs = "FN" + "8" * 32
    assert await ledger.own_execution(run, friday, theirs)
    await ledger.end_rows(run, [end(monday, Outcome.created)], now_ms=now_ms, totals=NONE)
    assert await ledger.own_execution(run, friday, f"FN{monday.attempt_id:032x}")
    assert not await ledger.own_execution(run, friday, theirs)
    assert not await ledger.own_execution(run, bob, theirs)


async def test_the_id_that_was_sent_is_kept(ledger: Ledger) -> None:
    """It comes with the row that was granted, and again with one left unknown, whatever is derived later."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines(ANN, BOB))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    (row,) = await ledger.begin_rows(run, 1, now_ms=5, input_id=None, dispatch_id=lambda key: f"id of {key}")
    (bare,) = await ledger.begin_rows(run, 1, now_ms=5, input_id=None)
    assert (row.dispatch_id, bare.dispatch_id) == (f"id of {ANN}", None)
    await ledger.end_rows(run, [end(one, Outcome.unknown) for one in (row, bare)], now_ms=6, totals=NONE)
    assert [one.dispatch_id for one in await ledger.unknown_rows(spring)] == [f"id of {ANN}", None]


@pytest.mark.parametrize("channel", [*CHANNELS, "WhatsApp"])
async def test_the_database_knows_channels_as_we_do(ledger: Ledger, now_ms: int, channel: str) -> None:
    """A contact is the same to both, for every channel there is."""
    address = f"{channel}:ann"
    assert contact_of(address) == "ann"
    spring, final = await campaign(ledger), await campaign(ledger, "FINAL")
    await plan(ledger, spring, [Line(address), Line(f"x{address}")])
    assert len(await sent(ledger, spring, now_ms - HOUR_MS)) == 2
    counts = await plan(ledger, final, [Line("ann"), Line(f"x{address}"), Line("ann:ann")])
    assert counts.rows[RowState.skipped] == 2


def test_a_contact_is_an_address_without_its_channel() -> None:
    """An unknown word before a colon belongs to the address."""
    assert (contact_of(ANN), contact_of(f"whatsapp:{ANN}"), contact_of("x:y")) == (ANN, ANN, "x:y")
    assert (contact_of("sip:ann@example.com"), contact_of("client:a:b")) == ("ann@example.com", "a:b")
