"""Test sends: the limit sees them, and no count, report, run, reconcile or tracking does."""

from __future__ import annotations

from dispatcher.ledger import Ledger
from dispatcher.model import Outcome, RowState
from tests.support.ledgers import NONE, account, campaign, end, lines, planned, report
from tests.unit.ledger.conformance.harness import Harness

TO = "+15550100099"


async def test_a_test_send_is_a_departure(ledger: Ledger, harness: Harness) -> None:
    """Of its account, whoever asks, and of no other."""
    mine, theirs = await account(ledger), await account(ledger, "AC" + "1" * 32)
    for at_ms in (1_000, 2_000, 3_000):
        attempt = await ledger.begin_test(mine, to_address=TO, now_ms=at_ms)
        await ledger.end_test(
            attempt,
            outcome=Outcome.created,
            sent_at_ms=at_ms + 10,
            ended_at_ms=at_ms + 20,
            execution_sid="FN" + "0" * 32,
            http_status=201,
            request_id="RQ1",
        )
    other = await harness.open()
    for opened in (ledger, other):
        assert await opened.departures(mine, since_ms=2_000, now_ms=4_000) == [2_010, 3_010]
        assert await opened.departures(theirs, since_ms=0, now_ms=4_000) == []
    await other.close()
    assert harness.query("SELECT DISTINCT to_address, outcome, http_status FROM attempts") == [(TO, "created", 201)]


async def test_nothing_else_sees_a_test_send(ledger: Ledger) -> None:
    """Counts, report, tracking and unknown rows are as without it, whatever it proved."""
    spring = await campaign(ledger)
    counts = await planned(ledger, spring, lines("a", "b"))
    run = await ledger.start_run(spring, window_limit=200, now_ms=1)
    (row, _) = await ledger.begin_rows(run, 2, now_ms=5, input_id=None)
    await ledger.end_rows(run, [end(row, Outcome.created)], now_ms=6, totals=NONE)

    async def seen() -> list[object]:
        return [
            await ledger.status(spring),
            await ledger.campaigns(),
            await report(ledger, counts.input_id),
            await ledger.unknown_rows(spring),
            await ledger.executions_to_track(spring, read_as=None, after=0, limit=10),
            await ledger.execution_counts(spring),
        ]

    before = await seen()
    for outcome in Outcome:
        attempt = await ledger.begin_test(spring.account, to_address=TO, now_ms=10)
        assert await seen() == before
        sent_at_ms = None if outcome is Outcome.not_sent else 11
        await ledger.end_test(
            attempt, outcome=outcome, sent_at_ms=sent_at_ms, ended_at_ms=12, execution_sid="FN" + "1" * 32
        )
        assert await seen() == before
    # The run that was at work is still the account's.
    assert await ledger.begin_rows(run, 1, now_ms=20, input_id=None) == []


async def test_a_test_send_that_never_left_is_none(ledger: Ledger) -> None:
    """Proved not to have left, it takes nothing of the limit."""
    mine = await account(ledger)
    attempt = await ledger.begin_test(mine, to_address=TO, now_ms=1_000)
    await ledger.end_test(attempt, outcome=Outcome.not_sent, sent_at_ms=None, ended_at_ms=1_500)
    assert await ledger.departures(mine, since_ms=0, now_ms=2_000) == []


async def test_a_test_send_cut_short_counts_late(ledger: Ledger, harness: Harness) -> None:
    """Its process died: it counts as leaving now, until the account's next run finds it dead, and then at that time."""
    spring = await campaign(ledger)
    await ledger.begin_test(spring.account, to_address=TO, now_ms=1_000)
    assert await ledger.departures(spring.account, since_ms=50_000, now_ms=60_000) == [60_000]
    assert await ledger.departures(spring.account, since_ms=50_000, now_ms=60_000, unresolved=False) == []
    run = await ledger.start_run(spring, window_limit=200, now_ms=61_000)
    assert run.recovered == 0
    assert await ledger.departures(spring.account, since_ms=60_000, now_ms=70_000) == [61_000]
    assert await ledger.departures(spring.account, since_ms=61_001, now_ms=90_000) == []
    assert harness.query("SELECT outcome, ended_at_ms FROM attempts") == [("unknown", 61_000)]
    assert (await ledger.status(spring)).rows[RowState.unknown] == 0


async def test_a_second_test_finds_the_first_dead(ledger: Ledger, harness: Harness) -> None:
    """Who begins a test holds the account, so a test that has not ended is dead; other accounts' tests are not."""
    mine, theirs = await account(ledger), await account(ledger, "AC" + "1" * 32)
    await ledger.begin_test(theirs, to_address=TO, now_ms=500)
    await ledger.begin_test(mine, to_address=TO, now_ms=1_000)
    await ledger.begin_test(mine, to_address=TO, now_ms=5_000)
    found = harness.query("SELECT outcome FROM attempts ORDER BY attempt_id")
    assert found == [(None,), ("unknown",), (None,)]
    assert await ledger.departures(mine, since_ms=0, now_ms=9_000) == [5_000, 9_000]
