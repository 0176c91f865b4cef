"""An account without a ledger file: nothing was sent before, and no other process has it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from dispatcher.ledger.records import Account, AccountLimits

ACCOUNT = Account(account_id=1, account_sid="AC" + "0" * 32, base_url="http://127.0.0.1")


class EmptyLedger:
    """What `sending.account` needs of a ledger."""

    def __init__(self) -> None:
        #: How long ago requests of the account were sent, in seconds.
        self.ages_s: list[float] = []

    @contextlib.asynccontextmanager
    async def lease(
        self,
        account: Account,
        *,
        wait: bool,
        stopped: asyncio.Event | None = None,
        waiting: Callable[[], None] | None = None,
    ) -> AsyncIterator[None]:
        """Nobody else has it."""
        yield

    async def has_sent(self, account: Account) -> bool:
        """Nothing that it does not know when."""
        return False

    is_shared = False
    limits = AccountLimits()

    async def account_limits(self, account: Account) -> AccountLimits:
        """As `limits` says."""
        return self.limits

    async def departures(self, account: Account, *, since_ms: int, now_ms: int) -> list[int]:
        """As `ages_s` says."""
        return sorted(at_ms for age_s in self.ages_s if (at_ms := now_ms - round(age_s * 1000)) >= since_ms)
