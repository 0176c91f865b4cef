"""An order to the workers of a cluster: from when on they are to send a campaign, and with which settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatcher.campaign.starts import moments_of
from dispatcher.ledger.wishes import refusal
from dispatcher.settings.ordered import settings_to_send

if TYPE_CHECKING:
    from dispatcher.campaign.context import CampaignContext
    from dispatcher.errors import DispatcherError
    from dispatcher.settings import Settings

#: More than any list has: whoever was told that a look is cut short, and goes on, has the worker read all of it.
_LOOK_BACK_ALL = 1_000_000_000


async def order(context: CampaignContext, settings: Settings, due_ms: int) -> DispatcherError | None:
    """Have workers send all that waits from `due_ms` on, or from its start; why nobody may, where it is paused.

    The account's rate is theirs from then on, if nobody has said one. Raises: LedgerError, SettingsError.
    """
    ledger, record = context.ledger, await context.current()
    text, from_ms = settings_to_send(settings), due_from_ms(settings, due_ms)
    while True:
        seen = await ledger.wishes.of(record)
        if seen.pause is not None:
            return refusal(record.name, seen.pause)
        if await ledger.wishes.order(record, seen, from_ms, text):
            break
    if (await ledger.account_limits(record.account)).per_second is None:
        await ledger.set_account_rate(record.account, settings.rate.per_second)
    return None


def settings_of_order(settings: Settings, *, again: bool, look_short: bool) -> Settings:
    """What a worker is to send it with: what this process would have, with what was chosen for this launch alone."""
    changes: dict[str, object] = {}
    if again:
        changes["repeat_after_h"] = 0
    elif look_short:
        changes["repeat_look_back_max"] = _LOOK_BACK_ALL
    return settings.model_copy(update={"campaign": settings.campaign.model_copy(update=changes)})


def due_from_ms(settings: Settings, at_ms: int) -> int:
    """From when on it is to be sent: from its start on, if it has one. Raises: SettingsError."""
    start, _ = moments_of(settings)
    return at_ms if start is None else max(at_ms, start.anywhere_ms)
