"""The canary of a campaign: some rows are sent first, and until there is a verdict on them no claim grants another one.

    begin ──► choose, send ──► sent ──► looked … ──► settle: passed, or stopped (and the campaign is paused)

Each is a transaction, so whoever is killed is gone on from by the next run, of whatever process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from dispatcher.ledger import attempts, wishes
from dispatcher.ledger.db import Db, Work, WorkFor
from dispatcher.ledger.records import CampaignRecord, Run
from dispatcher.model import Pause, RowState
from dispatcher.rules.canary import Fate, spread
from dispatcher.rules.gate import Gate

PASSED, STOPPED = "passed", "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """How far a campaign's canary is."""

    #: So many rows.
    wanted: int
    #: When all of them were sent; None: they are not yet.
    sent_at_ms: int | None
    #: How often too little was known of what became of them.
    looks: int
    #: Whether there is a verdict, whatever it is.
    is_settled: bool


class Chosen(NamedTuple):
    """The canary's rows."""

    #: Those that were sent, or are on their way.
    sent: int
    #: Those that are to be sent now.
    to_send: int


def canary_of(db: Db, campaign: CampaignRecord) -> Canary | None:
    """A campaign's canary; None: it has none."""
    found = db.first("canary_of", campaign_id=campaign.campaign_id)
    if found is None:
        return None
    wanted, sent_at_ms, looks, verdict = found
    return Canary(wanted=wanted, sent_at_ms=sent_at_ms, looks=looks, is_settled=verdict is not None)


def choose(db: Db, run: Run, *, most: int | None, input_id: int | None, gate: Gate, now_ms: int) -> Chosen:
    """Choose anew the rows that are still to be sent, `most` at most, spread over those that a claim would grant."""
    attempts.check_lease(db, run)
    campaign = run.campaign
    campaign_id = campaign.campaign_id
    (wanted, *_) = db.one("canary_of", campaign_id=campaign_id)
    sent = [key for (key,) in db.rows("canary_sent_keys", campaign_id=campaign_id)]
    missing = max(0, wanted - len(sent))
    picked: list[str] = []
    if missing and most != 0 and not gate.is_closed:
        inputs = [input_id] if input_id is not None else attempts.inputs_planned(db, campaign)
        at_ms, everywhere, places = gate.at_ms or now_ms, gate.places is None, list(gate.places or ())
        full = [] if gate.rooms is None else gate.rooms.full
        (rows,) = db.one(
            "canary_candidates",
            inputs=inputs,
            now_ms=at_ms,
            everywhere=everywhere,
            places=places,
            anyone=not full,
            full=full,
        )
        positions = spread(rows, missing if most is None else min(missing, most))
        found = db.rows(
            "canary_pick",
            inputs=inputs,
            now_ms=at_ms,
            everywhere=everywhere,
            places=places,
            positions=positions,
            anyone=not full,
            full=full,
        )
        picked = [key for (key,) in found]
    db.run("canary_choose", campaign_id=campaign_id, row_keys=[*sent, *picked])
    return Chosen(len(sent), len(picked))


def fates(db: Db, campaign: CampaignRecord) -> dict[int, Fate]:
    """What became of the rows that were sent, by attempt."""
    return {
        attempt_id: Fate(RowState(state), refused_code, bool(is_read), error_code, bool(opted_out))
        for state, attempt_id, refused_code, is_read, error_code, opted_out in db.rows(
            "canary_seen", campaign_id=campaign.campaign_id
        )
    }


def settle(db: Db, campaign: CampaignRecord, wanted: Pause | None) -> Pause | None:
    """Write the verdict: None: passed. Returns the pause that holds."""
    verdict = PASSED if wanted is None else STOPPED
    db.run("canary_settle", campaign_id=campaign.campaign_id, verdict=verdict)
    return None if wanted is None else wishes.pause(db, campaign.campaign_id, wanted)[0]


class Canaries:
    """See `protocol.Ledger.canaries`. Raises: LedgerError; LeaseLost where another run has taken the account over."""

    def __init__(self, do: WorkFor, read: Work, *, settled: Callable[[], None]) -> None:
        """`do`: a transaction alone on an account, on disk when it returns; `read`: one that only reads.

        `settled` is called with a verdict: how far the files were gone through meant the canary alone.
        """
        self._do, self._read, self._settled = do, read, settled

    async def of(self, campaign: CampaignRecord) -> Canary | None:
        """How far a campaign's canary is; None: it has none."""
        return await self._read(lambda db: canary_of(db, campaign))

    async def begin(self, run: Run, wanted: int) -> None:
        """From now on nothing but the canary is granted, until its verdict; nothing changes where there is one."""

        def work(db: Db) -> None:
            attempts.check_lease(db, run)
            db.run("canary_begin", campaign_id=run.campaign.campaign_id, wanted=wanted)

        await self._do(run.campaign.account.account_id, work, fenced=True)

    async def choose(self, run: Run, *, most: int | None, input_id: int | None, gate: Gate, now_ms: int) -> Chosen:
        """Choose anew the rows that are still to be sent, `most` at most (None: all).

        They are spread over those that a claim would grant now: planned rows of an input (None: of all), through the
        gate. Never more than the canary wants, with those that were sent.
        """
        return await self._do(
            run.campaign.account.account_id,
            lambda db: choose(db, run, most=most, input_id=input_id, gate=gate, now_ms=now_ms),
            fenced=True,
        )

    async def sent(self, run: Run, now_ms: int) -> None:
        """All of them were sent; the first time counts."""

        def work(db: Db) -> None:
            attempts.check_lease(db, run)
            db.run("canary_sent", campaign_id=run.campaign.campaign_id, now_ms=now_ms)

        await self._do(run.campaign.account.account_id, work, fenced=True)

    async def fates(self, campaign: CampaignRecord) -> dict[int, Fate]:
        """What became of those that were sent, as far as it is known, by attempt."""
        return await self._read(lambda db: fates(db, campaign))

    async def looked(self, run: Run) -> None:
        """Too little was known."""

        def work(db: Db) -> None:
            attempts.check_lease(db, run)
            db.run("canary_looked", campaign_id=run.campaign.campaign_id)

        await self._do(run.campaign.account.account_id, work, fenced=True)

    async def settle(self, run: Run, wanted: Pause | None) -> Pause | None:
        """Write the verdict, the first time: passed (None), or the pause that the campaign is to have.

        Returns the pause that holds.
        """

        def work(db: Db) -> Pause | None:
            attempts.check_lease(db, run)
            return settle(db, run.campaign, wanted)

        held = await self._do(run.campaign.account.account_id, work, fenced=True)
        self._settled()
        return held

    async def accept(self, campaign: CampaignRecord) -> None:
        """Let the others go without a verdict, if there is a canary that has none. Nobody needs a lease for this."""
        await self._do(campaign.account.account_id, lambda db: settle(db, campaign, None))
