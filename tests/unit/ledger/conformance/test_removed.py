"""Rows that the latest file has no more, a campaign's key, and what a report says of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from dispatcher.errors import CampaignMismatch, UsageError
from dispatcher.ledger import Ledger
from dispatcher.ledger.records import CampaignRecord, EarlierRows, PlanCounts, Run
from dispatcher.model import Outcome, Reason, RowState
from dispatcher.remedies import AnyOf, Option, Setting
from tests.support.ledgers import NONE, Line, batch, campaign, end, invalid, lines, new_input, report

KEY = ("customer",)


async def plan(
    ledger: Ledger,
    record: CampaignRecord,
    of: Sequence[Line],
    earlier: EarlierRows = EarlierRows.removed,
    *,
    share_max: float | None = None,
    key: tuple[str, ...] | None = None,
    sha: str = "sha",
) -> PlanCounts:
    loading = await ledger.begin_input(record, replace(new_input(), key_columns=key))
    await ledger.load_rows(loading.input_id, batch(of))
    return await ledger.finish_input(loading.input_id, sha, earlier=earlier, remove_share_max=share_max)


async def sent(ledger: Ledger, record: CampaignRecord, outcomes: Sequence[Outcome]) -> Run:
    run = await ledger.start_run(record, window_limit=200, now_ms=1)
    rows = await ledger.begin_rows(run, len(outcomes), now_ms=5, input_id=None)
    ends = [end(row, outcome) for row, outcome in zip(rows, outcomes, strict=True)]
    await ledger.end_rows(run, ends, now_ms=8, totals=NONE)
    return run


async def claimed(ledger: Ledger, record: CampaignRecord) -> list[str]:
    run = await ledger.start_run(record, window_limit=200, now_ms=10)
    return [row.row_key for row in await ledger.begin_rows(run, 100, now_ms=11, input_id=None)]


async def test_wrong_lines_stay_beside_a_part(ledger: Ledger) -> None:
    """A file that is added corrects some, and nobody can tell which: each is still told. A whole file ends them."""
    spring = await campaign(ledger)
    await plan(ledger, spring, [*lines("a"), invalid(), invalid()])
    await plan(ledger, spring, [*lines("b"), invalid()], EarlierRows.kept)
    status = await ledger.status(spring)
    assert (status.rows[RowState.planned], status.rows[RowState.invalid]) == (1, 1)
    assert status.earlier_rows == {RowState.planned: 1, RowState.invalid: 2}
    await plan(ledger, spring, lines("c"), EarlierRows.kept)
    assert (await ledger.status(spring)).earlier_rows == {RowState.planned: 2, RowState.invalid: 3}
    await plan(ledger, spring, lines("a", "b", "c"))
    assert RowState.invalid not in (await ledger.status(spring)).earlier_rows


async def test_rows_a_file_lacks_are_not_sent(ledger: Ledger) -> None:
    """From the moment the file is planned, and once they are taken out they say so; what was sent stays."""
    spring = await campaign(ledger)
    await plan(ledger, spring, lines("a", "b", "c", "d", "e"))
    run = await sent(ledger, spring, [Outcome.created, Outcome.rejected, Outcome.busy])
    await ledger.stop_run(run, now_ms=9, reason=None, totals=NONE)
    counts = await plan(ledger, spring, lines("e", "f"))
    assert (counts.missing, counts.left_planned, await ledger.rows_to_remove(spring)) == (1, 0, 1)
    assert await claimed(ledger, spring) == ["e", "f"]
    assert await ledger.remove_rows(spring) == 3
    assert (await ledger.rows_to_remove(spring), await ledger.remove_rows(spring)) == (0, 0)
    status = await ledger.status(spring)
    assert status.earlier_rows == {RowState.created: 1, RowState.skipped: 3}
    assert await ledger.retry_rows(spring, all_rejected=True, busy=True) == 0
    assert await ledger.retry_rows(spring, skipped=[Reason.removed]) == 3
    assert await claimed(ledger, spring) == ["b", "c", "d"]


async def test_an_unknown_row_that_is_gone_follows(ledger: Ledger) -> None:
    """It is looked up all the same; proved not to have been created, it is not sent."""
    spring = await campaign(ledger)
    await plan(ledger, spring, lines("a", "b"))
    run = await sent(ledger, spring, [Outcome.unknown])
    await plan(ledger, spring, lines("b"))
    await ledger.remove_rows(spring)
    (row,) = await ledger.unknown_rows(spring)
    ended = end((await ledger.begin_rows(run, 1, now_ms=5, input_id=None))[0], Outcome.not_sent)._replace(
        row_id=row.row_id, attempt_id=row.attempt_id
    )
    await ledger.resolve_rows(run, [ended])
    assert (await ledger.status(spring)).earlier_rows == {RowState.skipped: 1}


@pytest.mark.parametrize("earlier", [EarlierRows.left, EarlierRows.kept])
async def test_a_part_removes_nothing(ledger: Ledger, earlier: EarlierRows) -> None:
    """Rows that only an earlier file has go on; said of any file, what an earlier one was to take out stays too."""
    spring = await campaign(ledger)
    await plan(ledger, spring, lines("a", "b"))
    await plan(ledger, spring, lines("b"))
    counts = await plan(ledger, spring, lines("c"), earlier)
    assert counts.missing == 0
    kept = earlier is EarlierRows.kept
    assert await ledger.rows_to_remove(spring) == (0 if kept else 1)
    assert await claimed(ledger, spring) == (["a", "b", "c"] if kept else ["b", "c"])


async def test_a_large_share_is_refused_whole(ledger: Ledger) -> None:
    """Nothing is planned then; the rows that wait are counted, not those that were sent."""
    spring = await campaign(ledger)
    await plan(ledger, spring, lines(*map(str, range(11))))
    await sent(ledger, spring, [Outcome.created])
    new = lines(*map(str, range(2, 11)))
    with pytest.raises(UsageError, match="1 of 10 rows that wait") as caught:
        await plan(ledger, spring, new, share_max=0.09)
    assert caught.value.fix == AnyOf(Option("add"), Option("remove"))
    assert (await ledger.status(spring)).rows[RowState.planned] == 10
    assert (await plan(ledger, spring, new, share_max=0.1)).missing == 1


async def test_a_begun_campaign_keeps_its_key(ledger: Ledger) -> None:
    """By another key all rows would be new ones: refused, and the fix is the campaign's own."""
    spring = await campaign(ledger)
    await plan(ledger, spring, lines("1", "2"), key=KEY)
    await sent(ledger, spring, [Outcome.created])
    for other in ((), ("order",)):
        with pytest.raises(CampaignMismatch) as caught:
            await ledger.begin_input(spring, replace(new_input(), key_columns=other))
        assert (caught.value.found, caught.value.fix) == ("customer", Setting("columns.key", KEY))
    await plan(ledger, spring, lines("1", "2"), key=KEY)


async def test_a_key_can_change_before(ledger: Ledger) -> None:
    """Nobody has been reached: the new file's rows stand in the place of all others, even as a part."""
    spring = await campaign(ledger)
    await plan(ledger, spring, lines("+15550100001"), key=())
    counts = await plan(ledger, spring, [Line("C-1", to="+15550100001")], EarlierRows.left, key=KEY)
    assert (counts.rows[RowState.planned], await ledger.rows_to_remove(spring)) == (1, 0)
    assert await claimed(ledger, spring) == ["C-1"]


async def test_what_a_report_says_was_sent(ledger: Ledger) -> None:
    """Rows that the campaign never tried are left out, in the next file too; of the others it knows itself."""
    spring = await campaign(ledger)
    await plan(ledger, spring, lines("a", "b", "x"))
    await sent(ledger, spring, [Outcome.created, Outcome.not_sent])

    def said(key: str) -> Line:
        return Line(key, "skipped", reason=Reason.reported)

    for _ in range(2):
        counts = await plan(ledger, spring, [said("a"), said("b"), said("x")])
        assert [(row.state, row.reason_code) for row in await report(ledger, counts.input_id)] == [
            ("created", None),
            ("planned", None),
            ("skipped", "reported"),
        ]
    assert counts.reasons == await ledger.reasons(spring) == {"reported": 1}


async def test_the_same_bytes_are_found(ledger: Ledger) -> None:
    """By the account and the flow, under whatever name they were planned."""
    spring, final = await campaign(ledger), await campaign(ledger, "FINAL")
    await plan(ledger, spring, lines("a"), sha="1")
    await plan(ledger, final, lines("a"), sha="1")
    await plan(ledger, spring, lines("b"), sha="2")
    assert await ledger.campaigns_of_file(spring.account, spring.flow_sid, "1") == ["FINAL", "spring"]
    assert await ledger.campaigns_of_file(spring.account, spring.flow_sid, "2") == ["spring"]
    assert await ledger.campaigns_of_file(spring.account, "FW" + "9" * 32, "1") == []


async def test_repeats_are_counted_before(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rows that wait, and of those that a retry would plan again; nothing is changed by it."""
    monkeypatch.setattr("dispatcher.ledger.store.clock_ms", lambda: 100)
    spring, final = await campaign(ledger), await campaign(ledger, "FINAL")
    await plan(ledger, final, lines("a", "b", "c"))
    run = await sent(ledger, final, [Outcome.rejected])
    await ledger.stop_run(run, now_ms=9, reason=None, totals=NONE)
    await plan(ledger, spring, lines("a", "b", "x"))
    await sent(ledger, spring, [Outcome.created] * 3)
    assert await ledger.count_left_out(final, repeat_after_ms=1_000) == (0, 1)
    assert await ledger.count_left_out(final, repeat_after_ms=1_000, all_rejected=True) == (0, 2)
    assert await ledger.count_left_out(final, all_rejected=True) == (0, 0)
    assert (await ledger.status(final)).rows[RowState.planned] == 2
