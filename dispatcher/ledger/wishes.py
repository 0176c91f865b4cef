"""What is wanted of campaigns: that they are sent, or stand still. Changed by anybody, held by every claim.

    send ──pause──► pause (by a user, by the guard, the canary or a server) ──lift──► send
    a terminal sends it ──order──► a server is to, from `due_ms` on ──nothing is left to send──► a terminal sends it

Both hold beside each other: what a server is to send may stand still. A change is a compare-and-set of the campaign's
version: whoever has not seen what is wanted now changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from dispatcher.errors import CampaignPaused, CanaryStopped, GuardTripped
from dispatcher.ledger.db import Db, Work, WorkFor
from dispatcher.ledger.records import CampaignRecord, Run
from dispatcher.model import Pause, PausedBy
from dispatcher.remedies import Command, InTurn, Option

SEND, PAUSE = "send", "pause"
#: Stands between the guard's verdict and the reason of whoever had paused the campaign before.
PAUSED_BEFORE = "; paused before: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wanted of a campaign, and the version by which it is changed: by whoever has seen this one alone."""

    version: int
    #: None: that it is sent.
    pause: Pause | None
    #: From when on a server is to send it; None: nobody but a terminal does.
    due_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """A campaign that a server is to send."""

    campaign: CampaignRecord
    wish: Wish
    #: When the first of the rows may be sent that the last run has left to their time; None: it has left none so.
    next_at_ms: int | None
    #: What it is sent with, as JSON; None: nobody has said, the server's own settings count.
    settings: str | None = None

    def is_for_workers(self, now_ms: int) -> bool:
        """Whether workers of a cluster are to send it now: it is due, nothing holds it, and it waits for no time.

        Without settings nobody has said how: it is a page's own order, or rows have come that nobody has agreed to.
        """
        due_ms, next_at_ms = self.wish.due_ms, self.next_at_ms
        is_due = self.settings is not None and due_ms is not None and due_ms <= now_ms
        return is_due and self.wish.pause is None and (next_at_ms is None or next_at_ms <= now_ms)


def wish_of(db: Db, campaign_id: int) -> Wish:
    """What is wanted of a campaign now."""
    return _wish(*db.one("wish_of", campaign_id=campaign_id))


def _wish(version: int, wish: str, by: str, reason: str | None, at_ms: int | None, due_ms: int | None) -> Wish:
    held = Pause(at_ms=at_ms or 0, by=PausedBy(by), reason=reason or "") if wish == PAUSE else None
    return Wish(version=version, pause=held, due_ms=due_ms)


def change(db: Db, campaign_id: int, seen: Wish, wanted: Pause | None) -> bool:
    """Want this instead, if what was seen still holds; whether it did. None: that it is sent."""
    changed = db.run(
        "wish_change",
        campaign_id=campaign_id,
        seen=seen.version,
        wish=PAUSE if wanted else SEND,
        by=(wanted.by if wanted else PausedBy.user).value,
        reason=(wanted.reason or None) if wanted else None,
        at_ms=wanted.at_ms if wanted else None,
    )
    return changed == 1


def pause(db: Db, campaign_id: int, wanted: Pause) -> tuple[Pause, bool]:
    """Pause a campaign. Returns the pause that holds, and whether it is this one: the first stays.

    But a verdict (the guard's, the canary's) is kept beside any other pause, since it takes more to lift it.
    """
    while True:
        seen = wish_of(db, campaign_id)
        held = seen.pause
        if held is not None:
            if held.by.is_verdict or not wanted.by.is_verdict:
                return held, False
            if held.reason:
                wanted = replace(wanted, reason=f"{wanted.reason}{PAUSED_BEFORE}{held.reason}")
        if change(db, campaign_id, seen, wanted):
            return wanted, True


def refusal(name: str, held: Pause) -> CampaignPaused:
    """The error of whoever would send a campaign that is paused."""
    at = f"{datetime.fromtimestamp(held.at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    if held.by is PausedBy.guard:
        fix = InTurn(
            Command("summary", (name,), does="tells what was refused, and why"),
            Command("resume", (name,), (Option("accept-guard"),), does="goes on all the same"),
        )
        return GuardTripped(f"the guard has paused campaign {name!r}, at {at}", found=held.reason, fix=fix)
    if held.by is PausedBy.canary:
        fix = InTurn(
            Command("summary", (name,), does="tells what became of the rows that were sent"),
            Command("resume", (name,), (Option("accept-canary"),), does="sends the others all the same"),
        )
        return CanaryStopped(f"the canary has paused campaign {name!r}, at {at}", found=held.reason, fix=fix)
    is_paused = "is held by its server" if held.by is PausedBy.held else "is paused"
    return CampaignPaused(
        f"campaign {name!r} {is_paused} since {at}", found=held.reason or None, fix=Command("resume", (name,))
    )


def order(db: Db, campaign_id: int, seen: Wish, due_ms: int | None, settings: str | None = None) -> bool:
    """Have a server send it from then on (None: no more), if what was seen still holds; whether it did.

    `settings`: with these, as JSON; None: as was said before.
    """
    changed = db.run("wish_order", campaign_id=campaign_id, seen=seen.version, due_ms=due_ms, settings=settings)
    return changed == 1


def _ordered(rows: Sequence[Sequence[Any]]) -> list[Ordered]:
    return [
        Ordered(campaign=CampaignRecord.of(row[:7]), wish=_wish(*row[8:14]), next_at_ms=row[7], settings=row[14])
        for row in rows
    ]


class Wishes:
    """See `protocol.Ledger.wishes`. Nobody needs a lease for these. Raises: LedgerError."""

    def __init__(self, do: WorkFor, read: Work) -> None:
        """`do`: a transaction alone on an account, on disk when it returns; `read`: one that only reads."""
        self._do, self._read = do, read

    async def of(self, campaign: CampaignRecord) -> Wish:
        """What is wanted of a campaign now."""
        return await self._read(lambda db: wish_of(db, campaign.campaign_id))

    async def pause(self, campaign: CampaignRecord, wanted: Pause) -> tuple[Pause, bool]:
        """Pause it: when this returns, nothing more of it is claimed, whoever sends it.

        Returns the pause that holds, and whether it is this one: see `wishes.pause`.
        """
        return await self._do(campaign.account.account_id, lambda db: pause(db, campaign.campaign_id, wanted))

    async def lift(self, campaign: CampaignRecord, seen: Wish) -> bool:
        """Have it sent again, if nothing else is wanted of it than was seen; whether that is so."""
        return await self._do(campaign.account.account_id, lambda db: change(db, campaign.campaign_id, seen, None))

    async def ordered(self) -> list[Ordered]:
        """What a server is to send, of all accounts; whoever was ordered first comes first."""
        return await self._read(lambda db: _ordered(db.rows("wishes_ordered")))

    async def due(self, now_ms: int) -> list[Ordered]:
        """Of these, what is to be sent now, is not paused, and waits for no time; nobody works for its account.

        (Who works for an account only a server's ledger tells.) The account comes first that was sent for longest ago,
        and of its campaigns the one whose last run is oldest.
        """
        return await self._read(lambda db: _ordered(db.rows("wishes_due", now_ms=now_ms)))

    async def order(
        self, campaign: CampaignRecord, seen: Wish, due_ms: int | None, settings: str | None = None
    ) -> bool:
        """Have a server send it from `due_ms` on, or None: nobody but a terminal.

        `settings`: with these, a JSON object without anything secret; None: as was said before.
        If nothing else is wanted of it than was seen; whether that is so.
        """
        return await self._do(
            campaign.account.account_id, lambda db: order(db, campaign.campaign_id, seen, due_ms, settings)
        )

    async def fulfil(self, run: Run) -> None:
        """No server is to send it any more, where this run has left nothing to send in any of its files.

        Nothing changes for a run that has lost the account.
        """
        campaign_id, epoch = run.campaign.campaign_id, run.epoch
        await self._do(
            run.campaign.account.account_id, lambda db: db.run("wish_fulfil", campaign_id=campaign_id, epoch=epoch)
        )

    async def wait(self, run: Run, next_at_ms: int | None) -> None:
        """Keep when the first row may be sent, where a run has left nothing but rows that wait for their time.

        None: it has not. It holds until the next run or file, or until rows are planned again; and nothing is kept of a
        run that has lost the account.
        """
        campaign_id, epoch = run.campaign.campaign_id, run.epoch
        await self._do(
            run.campaign.account.account_id,
            lambda db: db.run("campaign_set_next_by_run", campaign_id=campaign_id, epoch=epoch, at_ms=next_at_ms),
        )
