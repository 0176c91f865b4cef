"""An order to the workers of a cluster, by a server that does not wait for its end: the page's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatcher.campaign.entrusting import due_from_ms, settings_of_order
from dispatcher.ledger.wishes import refusal
from dispatcher.settings.ordered import settings_to_send

if TYPE_CHECKING:
    from dispatcher.campaign.context import CampaignContext
    from dispatcher.errors import DispatcherError


async def order(context: CampaignContext, due_ms: int, *, again: bool, may_look_short: bool) -> DispatcherError | None:
    """Have workers send all that waits from `due_ms` on, or from its start; why nobody may, where it is paused.

    Raises: LedgerError, SettingsError.
    """
    ledger, record = context.ledger, await context.current()
    await ledger.remove_rows(record)
    settings = settings_of_order(context.settings, again=again, look_short=may_look_short)
    text, from_ms = settings_to_send(settings), due_from_ms(settings, due_ms)
    if (await ledger.account_limits(record.account)).per_second is None:
        await ledger.set_account_rate(record.account, settings.rate.per_second)
    while True:
        seen = await ledger.wishes.of(record)
        if seen.pause is not None:
            return refusal(record.name, seen.pause)
        if await ledger.wishes.order(record, seen, from_ms, text):
            return None
