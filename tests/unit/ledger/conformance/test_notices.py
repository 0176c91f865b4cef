"""Notices: written with the run's end or not at all, claimed by one process at a time, and never lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from dispatcher.errors import LedgerError
from dispatcher.ledger import Ledger
from dispatcher.ledger.notices import Announce, ClaimedNotice, EndedRun, NewNotice
from dispatcher.ledger.records import CampaignRecord, Run
from dispatcher.model import Outcome, RowState
from tests.support.ledgers import NONE, campaign, end, lines, planned
from tests.unit.ledger.conformance.harness import Harness

HOOK, OTHER_HOOK, PROGRAM = "webhook:aaa", "webhook:bbb", "command:ccc"
LONG_MS = 60_000


def telling(*channels: str, ends: list[EndedRun] | None = None, kind: str = "stopped") -> Announce:
    """One notice for each channel; what is told of is appended to `ends`."""

    def announce(ended: EndedRun) -> Iterable[NewNotice]:
        if ends is not None:
            ends.append(ended)
        return [NewNotice(kind=kind, channel=channel, body=f'{{"run":{ended.run_id}}}') for channel in channels]

    return announce


async def begun(ledger: Ledger, name: str = "spring", announce: Announce | None = None) -> Run:
    return await ledger.start_run(await campaign(ledger, name), window_limit=200, now_ms=1, announce=announce)


async def ended(ledger: Ledger, *channels: str, name: str = "spring") -> Run:
    """A run that has ended, and is told of."""
    run = await begun(ledger, name)
    await ledger.stop_run(run, now_ms=9, reason=None, totals=NONE, announce=telling(*channels))
    return run


async def claimed(ledger: Ledger, channel: str = HOOK, claim_ms: int = LONG_MS) -> ClaimedNotice:
    found = await ledger.notices.claim(channel, claim_ms=claim_ms)
    assert found is not None
    return found


def open_ids(harness: Harness) -> list[str]:
    sql = "SELECT notice_id FROM notices WHERE sent_at_ms IS NULL AND gave_up_at_ms IS NULL ORDER BY 1"
    return [notice_id for (notice_id,) in harness.query(sql)]


async def test_a_run_and_its_notices_end_together(ledger: Ledger, harness: Harness) -> None:
    """One notice for each channel, by the counts in which the run ends; what is told of it is its last state."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("+15550100001", "+15550100002"))
    run = await begun(ledger)
    (granted,) = await ledger.begin_rows(run, 1, now_ms=2, input_id=None)
    await ledger.end_rows(run, [end(granted, Outcome.created)], now_ms=8, totals=NONE)
    ends: list[EndedRun] = []
    await ledger.stop_run(run, now_ms=9, reason="enough", totals=NONE, announce=telling(HOOK, PROGRAM, ends=ends))
    (told,) = ends
    assert (told.run_id, told.started_at_ms, told.ended_at_ms) == (run.run_id, 1, 9)
    assert (told.status.rows[RowState.created], told.status.rows[RowState.planned]) == (1, 1)
    assert (told.status.stop_reason, told.status.running) == ("enough", False)
    rows = harness.query(
        "SELECT campaign_id, run_id, kind, body, channel, made_at_ms, tries FROM notices ORDER BY channel"
    )
    of = (spring.campaign_id, run.run_id, "stopped", f'{{"run":{run.run_id}}}')
    assert rows == [(*of, PROGRAM, 9, 0), (*of, HOOK, 9, 0)]


async def test_a_notice_that_fails_leaves_the_run_open(ledger: Ledger, harness: Harness) -> None:
    """Neither is written without the other."""
    run = await begun(ledger)

    def fails(ended: EndedRun) -> Iterable[NewNotice]:
        yield NewNotice(kind="stopped", channel=HOOK, body="{}")
        raise ValueError("cannot be worded")

    with pytest.raises(ValueError, match="worded"):
        await ledger.stop_run(run, now_ms=9, reason=None, totals=NONE, announce=fails)
    assert harness.query("SELECT stopped_at_ms FROM runs") == [(None,)]
    assert open_ids(harness) == []


async def test_a_killed_run_is_told_by_the_next(ledger: Ledger, harness: Harness) -> None:
    """Once, with the run that finds it, whichever campaign of the account that is; its rows are unknown by then."""
    spring = await campaign(ledger)
    await planned(ledger, spring, lines("+15550100001"))
    dead = await begun(ledger)
    await ledger.begin_rows(dead, 1, now_ms=2, input_id=None)
    after = await harness.kill(ledger)
    try:
        ends: list[EndedRun] = []
        other = await begun(after, "summer", telling(HOOK, ends=ends))
        (told,) = ends
        assert (told.run_id, told.status.campaign.name) == (dead.run_id, "spring")
        assert (told.status.rows[RowState.unknown], told.status.running) == (1, False)
        assert told.status.stop_reason == "interrupted: the process was killed"
        assert harness.query("SELECT run_id, campaign_id FROM notices") == [(dead.run_id, spring.campaign_id)]
        await after.stop_run(other, now_ms=9, reason=None, totals=NONE)
        await begun(after, "summer", telling(HOOK, ends=ends))
        assert len(ends) == 1
    finally:
        await after.close()


async def test_a_notice_survives_its_process(ledger: Ledger, harness: Harness) -> None:
    """Killed before, or while it is delivered: the next process has it under the same id, once the claim is over."""
    await ended(ledger, HOOK)
    (notice_id,) = open_ids(harness)
    second = await harness.kill(ledger)
    first = await claimed(second, claim_ms=200)
    third = await harness.kill(second)
    try:
        assert await third.notices.claim(HOOK, claim_ms=LONG_MS) is None
        await asyncio.sleep(0.25)
        again = await claimed(third)
        assert (first.notice_id, again.notice_id, again.body) == (notice_id, notice_id, first.body)
        await third.notices.sent(again)
        assert open_ids(harness) == []
    finally:
        await third.close()


async def test_a_claim_is_one_processs(ledger: Ledger, harness: Harness) -> None:
    """Two that deliver at one moment: each notice is claimed once."""
    for _ in range(10):
        await ended(ledger, HOOK)
    other = await harness.open()
    try:
        tasks = [one.notices.claim(HOOK, claim_ms=LONG_MS) for one in (ledger, other) for _ in range(8)]
        found = [one.notice_id for one in await asyncio.gather(*tasks) if one is not None]
        assert sorted(found) == open_ids(harness)
    finally:
        await other.close()


async def test_what_is_over_is_not_claimed(ledger: Ledger) -> None:
    """Delivered, or given up: not again. One that has failed: at once, and told with its reason."""
    for _ in range(3):
        await ended(ledger, HOOK)
    sent, gone, failed = [await claimed(ledger) for _ in range(3)]
    await ledger.notices.sent(sent)
    await ledger.notices.failed(gone, "HTTP 410", for_good=True)
    await ledger.notices.failed(failed, "HTTP 500")
    left = await ledger.notices.left(HOOK)
    assert (left.count, left.error) == (1, "HTTP 500")
    assert (await claimed(ledger)).notice_id == failed.notice_id
    assert await ledger.notices.claim(HOOK, claim_ms=LONG_MS) is None


async def test_a_late_failure_takes_nothing_back(ledger: Ledger) -> None:
    """One that another process has delivered meanwhile stays delivered."""
    await ended(ledger, HOOK)
    slow = await claimed(ledger, claim_ms=0)
    await ledger.notices.sent(await claimed(ledger))
    await ledger.notices.failed(slow, "no answer")
    assert (await ledger.notices.left(HOOK)).count == 0


async def test_one_that_fails_goes_behind(ledger: Ledger) -> None:
    """A notice that its receiver never takes does not keep the others waiting."""
    await ended(ledger, HOOK)
    await ended(ledger, HOOK)
    first = await claimed(ledger)
    await ledger.notices.failed(first, "HTTP 400")
    assert (await claimed(ledger)).notice_id != first.notice_id


async def test_a_webhook_gets_its_own(ledger: Ledger) -> None:
    """One ledger has campaigns of many folders: what is for another webhook is not told to this one.

    Unless it is of the campaign whose settings have another one now, or it is asked for.
    """
    await ended(ledger, HOOK, PROGRAM)
    await ended(ledger, OTHER_HOOK, name="summer")
    notices, summer = ledger.notices, await campaign(ledger, "summer")
    assert ((await notices.left(HOOK)).count, await notices.left_for_others([HOOK, PROGRAM])) == (1, 1)
    assert (await notices.left(HOOK, campaign_id=summer.campaign_id)).count == 2
    assert (await notices.left(HOOK, anyones=True)).count == 2
    await claimed(ledger)
    assert await notices.claim(HOOK, claim_ms=LONG_MS) is None
    found = await notices.claim(HOOK, claim_ms=LONG_MS, campaign_id=summer.campaign_id)
    assert found is not None
    assert found.channel == OTHER_HOOK


async def test_a_clock_set_back_frees_a_claim(ledger: Ledger, harness: Harness) -> None:
    """A claim that lies further ahead than any can be was written by another clock."""
    await ended(ledger, HOOK)
    await claimed(ledger)
    harness.query("UPDATE notices SET claimed_until_ms = claimed_until_ms + 86400000")
    await claimed(ledger)


async def test_a_test_send_is_told_to_nobody(ledger: Ledger, harness: Harness) -> None:
    """A test that was killed is no campaign's run."""
    record: CampaignRecord = await campaign(ledger)
    await ledger.begin_test(record.account, to_address="+15550100001", now_ms=1)
    ends: list[EndedRun] = []
    await begun(ledger, announce=telling(HOOK, ends=ends))
    assert (ends, open_ids(harness)) == ([], [])


async def test_a_ledger_that_is_gone_says_so(ledger: Ledger, harness: Harness) -> None:
    """The ledger's errors, as everywhere."""
    await ended(ledger, HOOK)
    harness.query("ALTER TABLE notices RENAME TO hidden")
    with pytest.raises(LedgerError):
        await ledger.notices.claim(HOOK, claim_ms=1)
    harness.query("ALTER TABLE hidden RENAME TO notices")
