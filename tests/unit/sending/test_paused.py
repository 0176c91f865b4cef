"""A run whose campaign is paused: by somebody, or by its own guard."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher.errors import CampaignPaused, GuardTripped, LedgerFull
from dispatcher.model import Pause, PausedBy, RowState
from dispatcher.studio.outcomes import Answer
from tests.support.rig import Rig, Rigs, busy, created, real_work, throttled

CREATED, PLANNED, REJECTED = RowState.created, RowState.planned, RowState.rejected
REFUSED = Answer(400, b'{"code": 21211}', elapsed_s=0.05)
GUARDED = {"guard_rows": 50, "max_rejected": 0.2}


def third_refused(key: str, n: int) -> Answer:
    return REFUSED if int(key) % 3 == 0 else created(key)


async def pause(r: Rig) -> None:
    with real_work():
        await r.ledger.wishes.pause(r.run.campaign, Pause(at_ms=1, by=PausedBy.user))


async def paused(r: Rig) -> Pause | None:
    with real_work():
        return (await r.ledger.wishes.of(r.run.campaign)).pause


class TestGuard:
    async def test_the_share(self, rig: Rigs) -> None:
        """It stops at the first fifty answers that say so, and records what was in flight."""
        r = await rig(300, third_refused, per_second=10_000, **GUARDED)
        await r.send()
        assert isinstance(r.sender.error, GuardTripped)
        held = await paused(r)
        assert held is not None
        assert held.by is PausedBy.guard
        assert held.reason == "16 of the last 50 answers were refusals: 21211 16"
        assert r.sender.error.found == held.reason
        states = await r.states()
        assert 50 <= states[CREATED] + states[REJECTED] <= 60 == 50 + 10
        assert states[PLANNED] == 300 - states[CREATED] - states[REJECTED]

    async def test_what_is_no_answer(self, rig: Rigs) -> None:
        """429s, however many, are neither refusals nor the contrary; a busy contact is no refusal."""

        def answer(key: str, n: int) -> Answer:
            return throttled() if n == 0 and int(key) % 2 else third_refused(key, n)

        r = await rig(100, answer, per_second=10_000, retry={"backoff_base_s": 0.1}, **GUARDED)
        await r.send()
        assert isinstance(r.sender.error, GuardTripped)
        r = await rig(
            100,
            lambda key, n: busy() if int(key) % 10 else REFUSED,
            per_second=10_000,
            guard_rows=50,
            max_rejected=0.11,
        )
        await r.send()
        assert r.sender.error is None
        assert (await r.states())[REJECTED] == 10

    async def test_over_rounds(self, rig: Rigs) -> None:
        """The answers are the run's, whatever rounds it is sent in."""
        r = await rig(200, third_refused, per_second=10_000, **GUARDED)
        for _ in range(4):
            await r.send(limit=15)
        assert isinstance(r.sender.error, GuardTripped)

    async def test_a_full_disk(self, rig: Rigs) -> None:
        """A verdict that cannot be written waits with its answers for the space."""
        r = await rig(300, third_refused, per_second=10_000, **GUARDED)
        tripped_s: list[float] = []

        def fault(method: str) -> None:
            if method == "end_rows" and isinstance(r.sender.error, GuardTripped):
                tripped_s.append(r.loop.time())
                if r.loop.time() < tripped_s[0] + 10:
                    raise LedgerFull

        r.still.fault = fault
        await r.send()
        assert tripped_s[-1] - tripped_s[0] >= 10
        assert (await paused(r)) is not None
        states = await r.states()
        assert states == {
            CREATED: states[CREATED],
            REJECTED: states[REJECTED],
            PLANNED: 300 - states[CREATED] - states[REJECTED],
        }

    async def test_off(self, rig: Rigs) -> None:
        """Without it every row has its answer."""
        r = await rig(300, third_refused, per_second=10_000)
        await r.send()
        assert (r.sender.error, await paused(r)) == (None, None)


class TestPaused:
    async def test_at_the_next_lot(self, rig: Rigs) -> None:
        """Nothing more is claimed; what was, ends as always."""
        r = await rig(300)
        task = asyncio.create_task(r.send())
        await r.until(lambda: len(r.studio.sent) == 40)
        await pause(r)
        with pytest.raises(CampaignPaused):
            await task
        states = await r.states()
        assert 40 <= len(r.studio.sent) <= 40 + 20
        assert states == {CREATED: len(r.studio.sent), PLANNED: 300 - len(r.studio.sent)}

    async def test_rows_that_wait_at_the_breaker(self, rig: Rigs) -> None:
        """A row that was claimed before a long pause of Studio's asks again, and does not leave after it."""
        r = await rig(100, lambda key, n: throttled(30.0) if len(r.studio.sent) == 20 else created(key))
        task = asyncio.create_task(r.send())
        await r.until(lambda: r.sender.totals().throttled > 0)
        await asyncio.sleep(10)
        sent = len(r.studio.sent)
        await pause(r)
        await task
        assert isinstance(r.sender.error, CampaignPaused)
        assert len(r.studio.sent) == sent
        assert set(await r.states()) == {CREATED, PLANNED}

    async def test_a_run_that_waits_for_contacts(self, rig: Rigs) -> None:
        """It does not wait for them first: it looks every few seconds."""
        r = await rig(10, lambda key, n: busy(), busy={"policy": "wait", "wait_s": 3000, "give_up_s": 30_000})
        task = asyncio.create_task(r.send())
        await asyncio.sleep(60)
        await pause(r)
        paused_s = r.loop.time()
        with pytest.raises(CampaignPaused):
            await task
        assert r.loop.time() - paused_s < 6
        assert await r.states() == {PLANNED: 10}
