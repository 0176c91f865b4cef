"""Cool-off: no contact above its cap, by whatever campaigns and flows; judged with the intents, row by row."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dispatcher.ledger import Ledger
from dispatcher.ledger.records import CampaignRecord, GrantedRows, PlanCounts, Run
from dispatcher.model import Outcome, RowState
from dispatcher.rules.cooloff import CoolOff, CoolOffs, hold_ms
from dispatcher.rules.gate import Due, Gate
from dispatcher.rules.places import Place, PlaceSource
from tests.support.ledgers import NONE, Line, account, batch, campaign, end, lines, new_input, planned, report
from tests.unit.ledger.conformance.harness import Harness
from tests.unit.ledger.conformance.test_waiting import load, numbers

ANN, BOB, CYD = "+15550100001", "+15550100002", "+15550100003"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NOW_MS = 1_790_000_000_000
ONE, TWO = CoolOffs(CoolOff(1, 24)), CoolOffs(CoolOff(2, 24))
SKIPS = CoolOffs(CoolOff(1, 24), skips=True)


async def other_flow(ledger: Ledger, name: str) -> CampaignRecord:
    """A campaign of the same account on a flow of its own."""
    return await ledger.open_campaign(name, await account(ledger), f"FW{name:0>32}")


async def claim(
    ledger: Ledger, run: Run, cooloffs: CoolOffs | None, now_ms: int = NOW_MS, *, ahead_ms: int = 0
) -> GrantedRows:
    gate = Gate(None, now_ms + ahead_ms, cooloffs)
    return await ledger.begin_rows(run, 100, now_ms=now_ms, input_id=None, gate=gate)


async def send(
    ledger: Ledger,
    record: CampaignRecord,
    cooloffs: CoolOffs | None = None,
    now_ms: int = NOW_MS,
    outcome: Outcome | None = Outcome.created,
) -> list[str]:
    """A run that ends what it may send so (None: it is killed, its requests on the wire); whom it reached."""
    run = await ledger.start_run(record, window_limit=200, now_ms=now_ms)
    rows = await claim(ledger, run, cooloffs, now_ms)
    if outcome is not None:
        await ledger.end_rows(run, [end(row, outcome, at_ms=now_ms) for row in rows], now_ms=now_ms + 5, totals=NONE)
        await ledger.stop_run(run, now_ms=now_ms + 6, reason=None, totals=NONE)
    return [row.to_address for row in rows]


async def keyed(ledger: Ledger, record: CampaignRecord, of: Sequence[Line]) -> PlanCounts:
    """A file whose rows have keys of their own."""
    made = await ledger.begin_input(record, new_input())
    await ledger.load_rows(made.input_id, batch(of))
    return await ledger.finish_input(made.input_id, f"{of}")


async def test_it_waits_over_two_flows(ledger: Ledger, harness: Harness) -> None:
    """Whom one campaign has reached, another on another flow reaches later: the row waits, planned, until then."""
    spring, alert = await campaign(ledger), await other_flow(ledger, "A1")
    await planned(ledger, spring, lines(ANN, BOB))
    counts = await planned(ledger, alert, lines("whatsapp:" + ANN, CYD))
    assert await send(ledger, spring) == [ANN, BOB]
    assert await send(ledger, alert, ONE, NOW_MS + HOUR_MS) == [CYD]
    until_ms = hold_ms(NOW_MS + DAY_MS + 1)
    assert await ledger.places.waiting_for_a_time(alert, None, NOW_MS + HOUR_MS) == [(until_ms, 1)]
    assert await ledger.next_due_ms(alert, None) == until_ms
    assert [row.state for row in await report(ledger, counts.input_id)] == [RowState.planned, RowState.created]
    assert await send(ledger, alert, ONE, until_ms - 1) == []
    assert await send(ledger, alert, ONE, until_ms) == ["whatsapp:" + ANN]


async def test_without_one_nobody_waits(ledger: Ledger) -> None:
    """Off, the same contact goes at once."""
    spring, alert = await campaign(ledger), await other_flow(ledger, "A1")
    await planned(ledger, spring, lines(ANN))
    await planned(ledger, alert, lines(ANN))
    assert await send(ledger, spring) == await send(ledger, alert) == [ANN]


async def test_it_leaves_out(ledger: Ledger) -> None:
    """With skip the row is left out, with why, and does not come back by itself."""
    spring, alert = await campaign(ledger), await other_flow(ledger, "A1")
    await planned(ledger, spring, lines(ANN))
    counts = await planned(ledger, alert, lines(ANN, CYD))
    await send(ledger, spring)
    run = await ledger.start_run(alert, window_limit=200, now_ms=NOW_MS)
    granted = await claim(ledger, run, SKIPS, NOW_MS + 1)
    assert ([row.to_address for row in granted], granted.skipped) == ([CYD], 1)
    told = (await report(ledger, counts.input_id))[0]
    assert (told.state, told.reason_code) == (RowState.skipped, "cooled_off")
    assert told.reason == "the account has reached the contact 1 time in 24 hours, as often as is allowed"
    assert list(await claim(ledger, run, None, NOW_MS + 2 * DAY_MS)) == []


@pytest.mark.parametrize("outcome", [*Outcome, None])
async def test_what_may_have_been_created_counts(ledger: Ledger, outcome: Outcome | None) -> None:
    """Created, unknown and on the wire count; what is proved to have created nothing does not."""
    spring, alert = await campaign(ledger), await other_flow(ledger, "A1")
    await planned(ledger, spring, lines(ANN))
    await planned(ledger, alert, lines(ANN))
    await send(ledger, spring, outcome=outcome)
    counts = outcome in (Outcome.created, Outcome.unknown, None)
    assert await send(ledger, alert, ONE, NOW_MS + 1) == ([] if counts else [ANN])


async def test_twice_in_one_lot(ledger: Ledger, harness: Harness) -> None:
    """Three rows of one contact in a lot and a cap of two: the first two go, in order; the third waits."""
    spring = await campaign(ledger)
    rows = [Line("k1", to=ANN), Line("k2", to=ANN), Line("k3", to=BOB), Line("k4", to=ANN)]
    counts = await keyed(ledger, spring, rows)
    assert await send(ledger, spring, TWO) == [ANN, ANN, BOB]
    states = [row.state for row in await report(ledger, counts.input_id)]
    assert states == [RowState.created, RowState.created, RowState.created, RowState.planned]
    assert await send(ledger, spring, TWO, hold_ms(NOW_MS + DAY_MS + 1)) == [ANN]


async def test_a_lot_that_waits_makes_room(ledger: Ledger) -> None:
    """Rows behind those that wait are granted by the same claim."""
    spring, alert = await campaign(ledger), await other_flow(ledger, "A1")
    many = [f"+1555010{n:04}" for n in range(1000, 1250)]
    await planned(ledger, spring, lines(*many))
    await planned(ledger, alert, lines(*many, ANN))
    run = await ledger.start_run(spring, window_limit=200, now_ms=NOW_MS)
    while await claim(ledger, run, None):
        pass
    run = await ledger.start_run(alert, window_limit=200, now_ms=NOW_MS)
    assert [row.to_address for row in await claim(ledger, run, ONE)] == [ANN]
    assert sum(n for _, n in await ledger.places.waiting_for_a_time(alert, None, NOW_MS)) == len(many)


@pytest.mark.parametrize("ahead_h", [-5, 5])
async def test_clocks_that_are_apart(ledger: Ledger, ahead_h: int) -> None:
    """Where the rules go by Studio's clock, a row waits as long as by ours, and by that one."""
    spring, alert = await campaign(ledger), await other_flow(ledger, "A1")
    await planned(ledger, spring, lines(ANN))
    await planned(ledger, alert, lines(ANN))
    await send(ledger, spring)
    run = await ledger.start_run(alert, window_limit=200, now_ms=NOW_MS)
    ahead_ms = ahead_h * HOUR_MS
    assert not await claim(ledger, run, ONE, NOW_MS + HOUR_MS, ahead_ms=ahead_ms)
    until_ms = hold_ms(NOW_MS + DAY_MS + 1)
    assert await ledger.next_due_ms(alert, None) == until_ms + ahead_ms
    assert not await claim(ledger, run, ONE, until_ms - 1, ahead_ms=ahead_ms)
    assert await claim(ledger, run, ONE, until_ms, ahead_ms=ahead_ms)


async def test_a_presets_own_where_it_applies(ledger: Ledger) -> None:
    """Of two contacts who were reached as often, only the one in its place waits."""
    florida = Place(("America/New_York",), "US", "US-FL", PlaceSource.area_code)
    texas = Place(("America/Chicago",), "US", "US-TX", PlaceSource.area_code)
    spring, alert = await campaign(ledger), await other_flow(ledger, "A1")
    await planned(ledger, spring, lines(ANN, BOB))
    await load(ledger, alert, lines(ANN, BOB), [florida, texas])
    await send(ledger, spring)
    at = await numbers(ledger)
    cooloffs = CoolOffs(of_places={at[florida]: [CoolOff(1, 24)]})
    run = await ledger.start_run(alert, window_limit=200, now_ms=NOW_MS)
    gate = Gate(dict.fromkeys(at.values(), 1 << 60), NOW_MS + 1, cooloffs)
    granted = await ledger.begin_rows(run, 100, now_ms=NOW_MS + 1, input_id=None, gate=gate)
    assert [row.to_address for row in granted] == [BOB]
    assert not await ledger.begin_rows(run, 100, now_ms=NOW_MS + 1, input_id=None, gate=gate)


async def test_killed_between(ledger: Ledger, harness: Harness) -> None:
    """A process killed with its requests on the wire leaves them counted, and rows that wait wait on."""
    spring, alert = await campaign(ledger), await other_flow(ledger, "A1")
    await planned(ledger, spring, lines(ANN))
    await planned(ledger, alert, lines(ANN, BOB))
    await send(ledger, spring, outcome=None)
    ledger = await harness.kill(ledger)
    assert await send(ledger, alert, ONE, NOW_MS + 1, outcome=None) == [BOB]
    ledger = await harness.kill(ledger)
    until_ms = hold_ms(NOW_MS + DAY_MS + 1)
    assert await ledger.next_due_ms(alert, None) == until_ms
    assert await send(ledger, alert, ONE, until_ms) == [ANN]
    await ledger.close()


async def test_another_accounts_do_not_count(ledger: Ledger) -> None:
    """Whom another account has reached, this one may reach."""
    spring = await campaign(ledger)
    other = await campaign(ledger, "other", "AC" + "9" * 32)
    await planned(ledger, spring, lines(ANN))
    await planned(ledger, other, lines(ANN))
    await send(ledger, spring)
    assert await send(ledger, other, ONE) == [ANN]


async def test_what_would_be_held_is_told(ledger: Ledger) -> None:
    """Before anything is sent: how many rows would wait, and until when; and nothing has changed."""
    spring, alert = await campaign(ledger), await other_flow(ledger, "A1")
    await planned(ledger, spring, lines(ANN, BOB))
    await planned(ledger, alert, lines("whatsapp:" + ANN, BOB, CYD))
    assert not await ledger.places.cooling(alert, None, ONE, NOW_MS)
    assert await send(ledger, spring) == [ANN, BOB]
    at_ms = NOW_MS + HOUR_MS
    held = {(Due(0, 0), hold_ms(NOW_MS + DAY_MS + 1)): 2}
    assert await ledger.places.cooling(alert, None, ONE, at_ms) == held
    assert await ledger.places.cooling(alert, None, SKIPS, at_ms) == held
    assert not await ledger.places.cooling(alert, None, TWO, at_ms)
    assert not await ledger.places.cooling(alert, None, ONE, NOW_MS + DAY_MS + HOUR_MS)
    # A campaign's own rows are not their own repeats.
    assert not await ledger.places.cooling(spring, None, ONE, at_ms)
    assert await send(ledger, alert, None, at_ms) == ["whatsapp:" + ANN, BOB, CYD]
