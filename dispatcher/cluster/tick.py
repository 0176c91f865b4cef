"""A tick: what the ledger wants sent and nobody holds gets a job. By the level, not by the edge.

It does not matter who ticks, how often, or what became of earlier jobs: each tick looks at all that is wanted. So a
machine that dies with its jobs costs the time until its leases have run out, and one tick.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Protocol

from dispatcher.clock import now_ms
from dispatcher.ledger import Ledger
from dispatcher.ledger.records import Account, CampaignRecord


def queue_of(account_sid: str) -> str:
    """The queue of an account's shifts. Its channel's name has 62 letters then, of the 63 that PostgreSQL allows."""
    return f"acct:{account_sid}"


class Queue(Protocol):
    """What a tick needs of the engine."""

    async def queued(self) -> set[int]:
        """The campaigns of which a shift waits to be taken."""

    async def defer(self, account: Account, campaign_id: int) -> None:
        """Have a shift handed out."""

    async def sweep(self) -> int:
        """Delete the jobs of dead workers."""


def to_defer(due: Iterable[CampaignRecord], queued: Collection[int]) -> Iterator[CampaignRecord]:
    """The first of each account, but for accounts of which a shift waits already."""
    wanted = list(due)
    seen = {campaign.account.account_id for campaign in wanted if campaign.campaign_id in queued}
    for campaign in wanted:
        if campaign.account.account_id not in seen:
            seen.add(campaign.account.account_id)
            yield campaign


async def tick(ledger: Ledger, queue: Queue) -> int:
    """Look at what is wanted, of all accounts; how many shifts were handed out. Raises: LedgerError."""
    at_ms = now_ms()
    due = [one.campaign for one in await ledger.wishes.due(at_ms) if one.is_for_workers(at_ms)]
    await queue.sweep()
    if not due:
        return 0
    n = 0
    for campaign in to_defer(due, await queue.queued()):
        await queue.defer(campaign.account, campaign.campaign_id)
        n += 1
    return n
