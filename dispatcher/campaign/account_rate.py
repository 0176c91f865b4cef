"""An account's own rate: in the ledger, for whoever sends for it from whatever machine."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from dispatcher.errors import UsageError
from dispatcher.ledger import Ledger, open_ledger
from dispatcher.ledger.records import Account, AccountLimits
from dispatcher.remedies import Command
from dispatcher.settings import Credentials, Settings


async def account_limits(settings: Settings, credentials: Credentials) -> AccountLimits:
    """What the ledger knows of the account's limit. Raises: SettingsError, LedgerError."""
    async with _opened(settings, credentials) as (ledger, account):
        return await ledger.account_limits(account)


async def set_account_rate(settings: Settings, credentials: Credentials, per_second: float | None) -> AccountLimits:
    """The account's own rate from now on; None: that of the settings again. Whoever begins to send takes it.

    Raises: UsageError: it is no rate; SettingsError, LedgerError.
    """
    if per_second is not None and not 0 < per_second < float("inf"):
        raise UsageError("a rate is above 0", found=f"{per_second:g}", fix=Command("ledger rate", ("20",)))
    async with _opened(settings, credentials) as (ledger, account):
        await ledger.set_account_rate(account, per_second)
        return await ledger.account_limits(account)


def rate_of(settings: Settings, limits: AccountLimits) -> Settings:
    """These settings with the account's own rate; as they are where it has none, or the same."""
    if limits.per_second in (None, settings.rate.per_second):
        return settings
    return settings.model_copy(update={"rate": settings.rate.model_copy(update={"per_second": limits.per_second})})


@contextlib.asynccontextmanager
async def _opened(settings: Settings, credentials: Credentials) -> AsyncIterator[tuple[Ledger, Account]]:
    ledger = await open_ledger(settings.state, loopback=settings.is_loopback)
    try:
        yield ledger, await ledger.account(credentials.account_sid, settings.studio_url)
    finally:
        await ledger.close()
