"""What is wanted of a campaign: by two processes at once, and at every claim."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dispatcher.errors import CampaignPaused, GuardTripped, LeaseLost
from dispatcher.ledger import Ledger
from dispatcher.ledger.records import Run
from dispatcher.model import Outcome, Pause, PausedBy, RowState
from dispatcher.remedies import Command
from tests.support.ledgers import NONE, batch, campaign, end, lines, new_input, planned
from tests.unit.ledger.conformance.harness import Harness

USER = Pause(at_ms=1_000, by=PausedBy.user, reason="wrong price")
HELD = Pause(at_ms=1_500, by=PausedBy.held, reason="dispatcher was off from 14:03 to 19:40")
GUARD = Pause(at_ms=2_000, by=PausedBy.guard, reason="41 of the last 200 answers were refusals: 21211 41")


async def test_a_new_campaign_is_to_be_sent(ledger: Ledger) -> None:
    """And its status says nothing of a pause."""
    record = await campaign(ledger)
    wish = await ledger.wishes.of(record)
    assert (wish.version, wish.pause, (await ledger.status(record)).paused) == (0, None, None)


async def test_whoever_was_first_is_held(ledger: Ledger) -> None:
    """A second pause changes nothing; both are told which holds."""
    record = await campaign(ledger)
    assert await ledger.wishes.pause(record, USER) == (USER, True)
    later = Pause(at_ms=5_000, by=PausedBy.user, reason="again")
    assert await ledger.wishes.pause(record, later) == (USER, False)
    assert (await ledger.status(record)).paused == USER
    assert (await ledger.wishes.of(record)).version == 1


async def test_the_guards_verdict_outlasts_a_users(ledger: Ledger) -> None:
    """It takes more to lift it; what the user has said stays beside it."""
    record = await campaign(ledger)
    await ledger.wishes.pause(record, USER)
    held, is_new = await ledger.wishes.pause(record, GUARD)
    assert (held.by, is_new) == (PausedBy.guard, True)
    assert held.reason == f"{GUARD.reason}; paused before: wrong price"
    assert await ledger.wishes.pause(record, USER) == (held, False)
    assert await ledger.wishes.pause(record, GUARD) == (held, False)


async def test_only_what_was_seen_is_lifted(harness: Harness, ledger: Ledger) -> None:
    """Of two that have seen one pause, one lifts it; and neither lifts the one that came then."""
    other = await harness.open()
    record = await campaign(ledger)
    await ledger.wishes.pause(record, USER)
    seen, too = await ledger.wishes.of(record), await other.wishes.of(record)
    assert await other.wishes.lift(record, too)
    assert not await ledger.wishes.lift(record, seen)
    await other.wishes.pause(record, GUARD)
    assert not await ledger.wishes.lift(record, seen)
    assert (await ledger.wishes.of(record)).pause == GUARD
    assert await ledger.wishes.lift(record, await ledger.wishes.of(record))
    assert (await other.wishes.of(record)).pause is None
    await other.close()


async def test_nothing_is_granted(harness: Harness, ledger: Ledger) -> None:
    """From when `pause` has returned in another process, until it is lifted; what was granted ends as always."""
    other = await harness.open()
    record = await campaign(ledger)
    await planned(ledger, record, lines("a", "b", "c"))
    run = await ledger.start_run(record, window_limit=200, now_ms=1)
    (row,) = await ledger.begin_rows(run, 1, now_ms=1, input_id=None)
    await other.wishes.pause(record, USER)
    for limit in (0, 1, 5):
        with pytest.raises(CampaignPaused, match="is paused since 1970-01-01 00:00:01 UTC") as caught:
            await ledger.begin_rows(run, limit, now_ms=1, input_id=None)
        assert (caught.value.code, caught.value.found) == ("paused", "wrong price")
    await ledger.end_rows(run, [end(row, Outcome.created)], now_ms=5, totals=NONE)
    rows = (await ledger.status(record)).rows
    assert (rows[RowState.created], rows[RowState.planned]) == (1, 2)
    await other.wishes.lift(record, await other.wishes.of(record))
    assert len(await ledger.begin_rows(run, 5, now_ms=1, input_id=None)) == 2
    await other.close()
    assert harness.flaws() == []


async def test_no_other_campaign_is_held(ledger: Ledger) -> None:
    """The account's others go on."""
    await ledger.wishes.pause(await campaign(ledger, "summer"), USER)
    record = await campaign(ledger)
    await planned(ledger, record, lines("a"))
    run = await ledger.start_run(record, window_limit=200, now_ms=1)
    assert len(await ledger.begin_rows(run, 5, now_ms=1, input_id=None)) == 1


async def test_what_has_nothing_to_send_is_not_refused(ledger: Ledger) -> None:
    """A run that finds nothing planned in what it sends comes to its end; rows of another file are not its own."""
    record = await campaign(ledger)
    await ledger.wishes.pause(record, USER)
    run = await ledger.start_run(record, window_limit=200, now_ms=1)
    assert await ledger.begin_rows(run, 5, now_ms=1, input_id=None) == []
    await planned(ledger, record, lines("a"))
    first = (await ledger.find_campaign(record.name)).input_id
    await planned(ledger, record, lines("b"))
    latest = (await ledger.find_campaign(record.name)).input_id
    for input_id in (None, first, latest):
        with pytest.raises(CampaignPaused):
            await ledger.begin_rows(run, 5, now_ms=1, input_id=input_id)


async def test_a_lost_account_is_told_first(ledger: Ledger) -> None:
    """Whoever has lost the account has no say in the campaign any more."""
    record = await campaign(ledger)
    await planned(ledger, record, lines("a"))
    run = await ledger.start_run(record, window_limit=200, now_ms=1)
    await ledger.start_run(record, window_limit=200, now_ms=2)
    await ledger.wishes.pause(record, USER)
    with pytest.raises(LeaseLost):
        await ledger.begin_rows(run, 1, now_ms=3, input_id=None)


async def test_a_verdict_comes_with_its_answers(harness: Harness, ledger: Ledger) -> None:
    """In one transaction: a process that is killed leaves both or neither; and it is there after the kill."""
    record = await campaign(ledger)
    await planned(ledger, record, lines("a", "b"))
    run = await ledger.start_run(record, window_limit=200, now_ms=1)
    rows = await ledger.begin_rows(run, 2, now_ms=1, input_id=None)
    ends = [end(row, Outcome.rejected, code=21211) for row in rows]
    await ledger.end_rows(run, ends[:1], now_ms=5, totals=NONE)
    ledger = await harness.kill(ledger)
    assert (await ledger.status(record)).paused is None
    await ledger.end_rows(run, ends[1:], now_ms=5, totals=NONE, pause=GUARD)
    ledger = await harness.kill(ledger)
    status = await ledger.status(record)
    assert (status.rows[RowState.rejected], status.paused) == (2, GUARD)
    # Written again, because the first time was not known to have worked: nothing changes.
    await ledger.end_rows(run, ends[1:], now_ms=5, totals=NONE, pause=GUARD)
    assert (await ledger.wishes.of(record)).version == 1
    await planned(ledger, record, lines("a", "b", "c"))
    with pytest.raises(GuardTripped) as caught:
        await ledger.begin_rows(run, 2, now_ms=1, input_id=None)
    assert (caught.value.code, caught.value.found) == ("guard", GUARD.reason)
    await ledger.close()


async def test_what_waits_is_kept_until_a_run(ledger: Ledger) -> None:
    """When the rows that a run has left may go is the campaign's, until another run or file comes."""
    record = await campaign(ledger)
    await planned(ledger, record, lines("+15550100001", "+15550100002"))

    async def next_at_ms() -> int | None:
        return (await ledger.status(record)).next_at_ms

    assert await next_at_ms() is None
    first = await ledger.start_run(record, window_limit=200, now_ms=2)
    await ledger.wishes.wait(first, 70_000)
    assert await next_at_ms() == 70_000
    run = await ledger.start_run(record, window_limit=200, now_ms=3)
    assert await next_at_ms() is None
    await ledger.wishes.wait(run, 80_000)
    await ledger.stop_run(run, now_ms=4, reason=None, totals=NONE)
    assert await next_at_ms() == 80_000
    # Whoever has lost the account does not know what waits now.
    for at_ms in (None, 70_000):
        await ledger.wishes.wait(first, at_ms)
        assert await next_at_ms() == 80_000
    await planned(ledger, record, lines("+15550100001", "+15550100003"))
    assert await next_at_ms() is None


async def test_only_what_was_seen_is_ordered(harness: Harness, ledger: Ledger) -> None:
    """Of two that have seen one wish, one has a server send it; a pause is beside that, and neither takes the other."""
    other = await harness.open()
    record = await campaign(ledger)
    seen, too = await ledger.wishes.of(record), await other.wishes.of(record)
    assert seen.due_ms is None
    assert await other.wishes.order(record, too, 70_000)
    assert not await ledger.wishes.order(record, seen, 80_000)
    assert ((await ledger.wishes.of(record)).due_ms, (await ledger.status(record)).due_ms) == (70_000, 70_000)
    await ledger.wishes.pause(record, USER)
    # Whoever has not seen the pause changes nothing either.
    assert not await ledger.wishes.order(record, replace(too, version=1), None)
    assert await ledger.wishes.lift(record, await ledger.wishes.of(record))
    wish = await other.wishes.of(record)
    assert (wish.pause, wish.due_ms) == (None, 70_000)
    assert await ledger.wishes.order(record, wish, None)
    assert (await other.wishes.of(record)).due_ms is None
    await other.close()
    assert harness.flaws() == []


async def test_what_is_ordered_with_other_settings_waits_for_nothing(ledger: Ledger) -> None:
    """By them its rows may go at any time: whoever sends it looks anew. An order without any says nothing of that."""
    record = await campaign(ledger)
    await planned(ledger, record, lines("+15550100001"))
    run = await ledger.start_run(record, window_limit=200, now_ms=2)
    await ledger.wishes.wait(run, 70_000)
    await ledger.stop_run(run, now_ms=4, reason=None, totals=NONE)
    assert await ledger.wishes.order(record, await ledger.wishes.of(record), 5)
    assert (await ledger.status(record)).next_at_ms == 70_000
    assert await ledger.wishes.order(record, await ledger.wishes.of(record), 6, "{}")
    assert (await ledger.status(record)).next_at_ms is None
    assert [one.campaign for one in await ledger.wishes.due(7)] == [(await ledger.status(record)).campaign]


async def test_nothing_left_takes_the_order_back(ledger: Ledger) -> None:
    """Neither with a row that waits, of any file, or is in flight; nor for a run that has lost the account."""
    record = await campaign(ledger)
    await planned(ledger, record, lines("+15550100001"))
    await planned(ledger, record, lines("+15550100002"))
    await ledger.wishes.order(record, await ledger.wishes.of(record), 70_000)
    lost = await ledger.start_run(record, window_limit=200, now_ms=2)
    run = await ledger.start_run(record, window_limit=200, now_ms=3)

    async def due_after(by: Run) -> int | None:
        await ledger.wishes.fulfil(by)
        return (await ledger.wishes.of(record)).due_ms

    for _ in range(2):
        assert await due_after(run) == 70_000
        (row,) = await ledger.begin_rows(run, 1, now_ms=4, input_id=None)
        assert await due_after(run) == 70_000
        await ledger.end_rows(run, [end(row, Outcome.created)], now_ms=5, totals=NONE)
    assert await due_after(lost) == 70_000
    version = (await ledger.wishes.of(record)).version
    assert await due_after(run) is None
    assert (await ledger.wishes.of(record)).version == version + 1
    # Once more changes nothing: whoever has seen this may still change it.
    assert await due_after(run) is None
    assert (await ledger.wishes.of(record)).version == version + 1


async def test_a_server_holds_with_its_reason(ledger: Ledger) -> None:
    """Whoever would send it is told; a verdict outlasts it, a user's pause does not."""
    record = await campaign(ledger)
    await planned(ledger, record, lines("a"))
    run = await ledger.start_run(record, window_limit=200, now_ms=1)
    await ledger.wishes.pause(record, HELD)
    with pytest.raises(CampaignPaused, match="'spring' is held by its server since 1970-01-01") as caught:
        await ledger.begin_rows(run, 1, now_ms=1, input_id=None)
    assert (caught.value.code, caught.value.found) == ("paused", "dispatcher was off from 14:03 to 19:40")
    assert caught.value.fix == Command("resume", ("spring",))
    assert await ledger.wishes.pause(record, USER) == (HELD, False)
    held, is_new = await ledger.wishes.pause(record, GUARD)
    assert (held.by, is_new) == (PausedBy.guard, True)
    assert held.reason == f"{GUARD.reason}; paused before: {HELD.reason}"


async def test_rows_taken_out_wait_for_nothing(ledger: Ledger) -> None:
    """Of a campaign whose rows that waited were cancelled none is said to go at any time."""
    record = await campaign(ledger)
    await planned(ledger, record, lines("+15550100001"))
    run = await ledger.start_run(record, window_limit=200, now_ms=3)
    await ledger.wishes.wait(run, 80_000)
    await ledger.stop_run(run, now_ms=4, reason=None, totals=NONE)
    assert (await ledger.status(record)).next_at_ms == 80_000
    assert await ledger.cancel_rows(record, "wrong price") == 1
    assert (await ledger.status(record)).next_at_ms is None


@pytest.mark.parametrize("by", ["retry", "risk"])
async def test_rows_planned_again_wait_for_nothing(ledger: Ledger, by: str) -> None:
    """Once refused or unknown rows are planned again, the campaign does not stand as one that only waits."""
    record = await campaign(ledger)
    await planned(ledger, record, lines("+15550100001", "+15550100002"))
    run = await ledger.start_run(record, window_limit=200, now_ms=3)
    (row,) = await ledger.begin_rows(run, 1, now_ms=4, input_id=None)
    outcome = Outcome.rejected if by == "retry" else Outcome.unknown
    await ledger.end_rows(run, [end(row, outcome)], now_ms=5, totals=NONE)
    await ledger.wishes.wait(run, 80_000)
    await ledger.stop_run(run, now_ms=6, reason=None, totals=NONE)
    for count_only, next_at_ms in ((True, 80_000), (False, None)):
        if by == "retry":
            assert await ledger.retry_rows(record, all_rejected=True, count_only=count_only) == 1
        else:
            assert await ledger.risk_rows(record, count_only=count_only) == 1
        assert (await ledger.status(record)).next_at_ms == next_at_ms


async def test_what_is_due(ledger: Ledger) -> None:
    """Ordered, its time has come, not paused, not left to the rows' own times; those that waited longest come first."""
    names = ("early", "late", "paused", "waits", "nobody", "second")
    records = {name: await campaign(ledger, name) for name in names}
    for name, record in records.items():
        await planned(ledger, record, lines(name))
        due_ms = {"late": 9_000, "nobody": None}.get(name, 1_000)
        assert await ledger.wishes.order(record, await ledger.wishes.of(record), due_ms)
    await ledger.wishes.pause(records["paused"], USER)
    run = await ledger.start_run(records["waits"], window_limit=200, now_ms=500)
    await ledger.wishes.wait(run, 7_000)
    await ledger.stop_run(run, now_ms=600, reason=None, totals=NONE)
    run = await ledger.start_run(records["early"], window_limit=200, now_ms=700)
    await ledger.stop_run(run, now_ms=800, reason=None, totals=NONE)

    async def due(now_ms: int) -> list[str]:
        return [one.campaign.name for one in await ledger.wishes.due(now_ms)]

    assert await due(999) == []
    assert await due(1_000) == ["second", "early"]
    assert await due(7_000) == ["second", "waits", "early"]
    assert await due(9_000) == ["second", "late", "waits", "early"]


async def test_accounts_take_turns(ledger: Ledger) -> None:
    """The one that was sent for longest ago comes first."""
    first, second = await campaign(ledger, "a"), await campaign(ledger, "b", "AC" + "2" * 32)
    for record in (first, second):
        await ledger.wishes.order(record, await ledger.wishes.of(record), 1_000)
        run = await ledger.start_run(record, window_limit=200, now_ms=1)
        await ledger.stop_run(run, now_ms=2, reason=None, totals=NONE)
    assert [one.campaign for one in await ledger.wishes.due(1_000)] == [first, second]
    run = await ledger.start_run(first, window_limit=200, now_ms=3)
    await ledger.stop_run(run, now_ms=4, reason=None, totals=NONE)
    assert [one.campaign for one in await ledger.wishes.due(1_000)] == [second, first]


async def test_an_order_keeps_its_settings(ledger: Ledger) -> None:
    """Until it is ordered with others; whoever orders it without says nothing of them."""
    record = await campaign(ledger)

    async def ordered(settings: str | None) -> str | None:
        assert await ledger.wishes.order(record, await ledger.wishes.of(record), 1_000, settings)
        (one,) = await ledger.wishes.ordered()
        return one.settings

    assert await ordered(None) is None
    assert await ordered('{"rate": 1}') == '{"rate": 1}'
    assert await ordered(None) == '{"rate": 1}'
    assert await ordered("{}") == "{}"


async def test_rows_that_come_later_are_not_agreed_to(ledger: Ledger) -> None:
    """Workers are told anew how to send a campaign once a file has joined it: in the transaction in which it does."""
    record = await campaign(ledger)
    await planned(ledger, record, lines("+15550100001"))
    assert await ledger.wishes.order(record, await ledger.wishes.of(record), 1_000, "{}")
    assert (await ledger.status(record)).is_settled is (True if ledger.is_shared else None)
    seen = await ledger.wishes.of(record)
    new = await ledger.begin_input(record, new_input())
    await ledger.load_rows(new.input_id, batch(lines("+15550100002")))
    assert (await ledger.wishes.ordered())[0].settings == "{}"
    await ledger.finish_input(new.input_id, "")
    (after,) = await ledger.wishes.ordered()
    assert (after.settings, after.wish.due_ms) == (None, 1_000)
    assert (await ledger.status(record)).is_settled is (False if ledger.is_shared else None)
    # Whoever has seen the order before does not go by it.
    assert not await ledger.wishes.order(record, seen, 2_000, "{}")


async def test_what_an_order_was_given_is_for_its_rows(ledger: Ledger) -> None:
    """Once they are sent the next order begins without it."""
    record = await campaign(ledger)
    assert await ledger.wishes.order(record, await ledger.wishes.of(record), 1_000, '{"again": true}')
    run = await ledger.start_run(record, window_limit=200, now_ms=1_000)
    await ledger.wishes.fulfil(run)
    await ledger.stop_run(run, now_ms=2_000, reason=None, totals=NONE)
    assert await ledger.wishes.order(record, await ledger.wishes.of(record), 3_000)
    (one,) = await ledger.wishes.ordered()
    assert one.settings is None
