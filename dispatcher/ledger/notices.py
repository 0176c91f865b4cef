"""Notices to whoever is to know how a run ended: kept with the run's end, claimed by whoever delivers them.

A notice is written in the transaction that ends its run, so neither is there without the other; it is open until some
process has delivered it. Whoever delivers claims it first: nobody else takes it until the claim is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import uuid4

from dispatcher.clock import now_ms
from dispatcher.ledger import reading
from dispatcher.ledger.db import Db, Work
from dispatcher.ledger.records import CampaignRecord, CampaignStatus

#: No claim lasts longer: a time beyond that was written before the clock was set back.
CLAIM_MAX_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRun:
    """A run that has ended, for whoever words its notices; the counts are those of that moment."""

    run_id: int
    started_at_ms: int
    ended_at_ms: int
    requests: int
    throttled: int
    status: CampaignStatus
    #: Why rows of the latest file are left out: reason → how many.
    skipped: Mapping[str, int]
    #: The kind of the campaign's latest notice; None: it has none.
    told_before: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNotice:
    """What is to be told, and by which channel."""

    kind: str
    channel: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedNotice:
    """A notice that the caller may deliver. `notice_id` is the same at every try."""

    notice_id: str
    channel: str
    body: str
    #: Until when it is the caller's.
    until_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenNotices:
    """Notices of a channel that are not delivered."""

    count: int = 0
    #: What the latest try of one of them came to.
    error: str | None = None
    #: From when on one of them may be claimed.
    due_at_ms: int = 0


#: What a run's end is told as: pure, and called inside the transaction that ends the run.
Announce: TypeAlias = Callable[[EndedRun], Iterable[NewNotice]]


def end(db: Db, run_id: int, campaign: CampaignRecord, announce: Announce, *, location: str, now_ms: int) -> None:
    """Write the notices of a run that ends in this transaction, or was found dead in it. `location`: the ledger's."""
    started_at_ms, ended_at_ms, requests, throttled = db.one("notice_run", run_id=run_id)
    latest = db.first("notice_latest", campaign_id=campaign.campaign_id)
    ended = EndedRun(
        run_id=run_id,
        started_at_ms=started_at_ms,
        ended_at_ms=ended_at_ms,
        requests=requests,
        throttled=throttled,
        status=reading.status(db, campaign, location=location, leased=False),
        skipped=reading.reasons(db, campaign),
        told_before=latest[0] if latest else None,
    )
    add(db, campaign.campaign_id, run_id, announce(ended), now_ms=now_ms)


def add(db: Db, campaign_id: int, run_id: int | None, new: Iterable[NewNotice], *, now_ms: int) -> None:
    """Write notices of any kind."""
    for one in new:
        db.run(
            "notice_insert",
            notice_id=f"msg_{uuid4().hex}",
            campaign_id=campaign_id,
            run_id=run_id,
            kind=one.kind,
            body=one.body,
            channel=one.channel,
            now_ms=now_ms,
        )


def dead_runs(db: Db, account_id: int) -> list[tuple[int, CampaignRecord]]:
    """Campaigns' runs of an account that have not stopped, to be asked before they are marked as interrupted."""
    records = {record.campaign_id: record for record in reading.campaigns(db)}
    return [
        (run_id, records[campaign_id]) for run_id, campaign_id in db.rows("notice_dead_runs", account_id=account_id)
    ]


class Notices:
    """See `protocol.Ledger.notices`. Nobody needs a lease for that. Raises: LedgerError.

    `channels`: whose notices are meant; of a `campaign_id` (None: of any) those, too, that were written for another
    channel of the same sort, that is, before the settings were changed. See `campaign.channels`.
    """

    def __init__(self, do: Work, read: Work) -> None:
        """`do`: a transaction that is on disk when it returns; `read`: one that only reads."""
        self._do, self._read = do, read

    async def claim(
        self, channel: str, *, claim_ms: int, campaign_id: int | None = None, anyones: bool = False
    ) -> ClaimedNotice | None:
        """Take an open notice of this channel for so long, the one with the fewest tries, of these the newest."""

        def work(db: Db) -> ClaimedNotice | None:
            now = now_ms()
            found = db.first(
                "notice_claim",
                channel=channel,
                sort=_sort(channel),
                campaign_id=campaign_id,
                anyones=anyones,
                now_ms=now,
                until_ms=now + claim_ms,
                latest_ms=now + CLAIM_MAX_MS,
            )
            if found is None:
                return None
            notice_id, of, body, until_ms = found
            return ClaimedNotice(notice_id=notice_id, channel=of, body=body, until_ms=until_ms)

        return await self._do(work)

    async def sent(self, notice: ClaimedNotice) -> None:
        """It is delivered."""
        await self._do(lambda db: db.run("notice_sent", notice_id=notice.notice_id, now_ms=now_ms()))

    async def failed(self, notice: ClaimedNotice, error: str, *, for_good: bool = False) -> None:
        """It is not delivered: it may be claimed again, or `for_good` is given up. Nothing once the claim is over."""

        def work(db: Db) -> None:
            gave_up_at_ms = now_ms() if for_good else None
            db.run(
                "notice_failed",
                notice_id=notice.notice_id,
                error=error,
                gave_up_at_ms=gave_up_at_ms,
                claimed_until_ms=notice.until_ms,
            )

        await self._do(work)

    async def left(self, channel: str, *, campaign_id: int | None = None, anyones: bool = False) -> OpenNotices:
        """What is still open of a channel."""

        def work(db: Db) -> OpenNotices:
            count, error, due_at_ms = db.one(
                "notices_open", channel=channel, sort=_sort(channel), campaign_id=campaign_id, anyones=anyones
            )
            return OpenNotices(count=count, error=error, due_at_ms=due_at_ms or 0)

        return await self._read(work)

    async def left_for_others(self, channels: Sequence[str]) -> int:
        """How many are open that none of these channels delivers."""

        def work(db: Db) -> int:
            (count,) = db.one("notices_of_others", channels=list(channels))
            return int(count)

        return await self._read(work)


def _sort(channel: str) -> str:
    return channel.partition(":")[0]
