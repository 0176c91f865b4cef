"""How much may be begun a day, by a campaign's settings: in all, and by each sender."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatcher.errors import SettingsError
from dispatcher.remedies import Setting

if TYPE_CHECKING:
    from dispatcher.campaign.context import CampaignContext
    from dispatcher.rules.caps import Capped, DailyCap, SenderCap
    from dispatcher.settings import Settings


def check(settings: Settings) -> None:
    """Raises: SettingsError: the day's zone is none."""
    if not settings.caps.is_set:
        return
    from dispatcher.rules.clocks import zone_name

    if zone_name(settings.caps.day_zone) != settings.caps.day_zone:
        raise SettingsError(
            "[caps] day_zone: it is no IANA time zone",
            found=repr(settings.caps.day_zone[:60]),
            fix=Setting("caps.day_zone", "America/Los_Angeles"),
        )


def cap_of(settings: Settings) -> DailyCap | None:
    """How much may be begun a day; None: as much as there is."""
    from dispatcher.rules.caps import DailyCap

    caps = settings.caps
    return DailyCap(caps.per_day, caps.day_zone) if caps.per_day else None


def sender_cap_of(settings: Settings) -> SenderCap | None:
    """How much each sender may begin a day; None: as much as there is."""
    from dispatcher.rules.caps import SenderCap

    caps = settings.caps
    return SenderCap(caps.per_day_per_sender, caps.day_zone) if caps.per_day_per_sender else None


async def caps_at(context: CampaignContext, at_ms: int) -> tuple[DailyCap | None, SenderCap | None]:
    """Both caps, with what was begun on that day, as the ledger has it. Raises: LedgerError."""
    cap, sender_cap = cap_of(context.settings), sender_cap_of(context.settings)
    ledger, account = context.ledger, context.record.account
    if cap is not None:
        cap.seed(await ledger.begun_since(account, cap.day(at_ms)[0]), at_ms)
    if sender_cap is not None:
        sender_cap.seed(await ledger.senders.begun_since(account, sender_cap.day(at_ms)[0]), at_ms)
    return cap, sender_cap


async def capped_at(context: CampaignContext, at_ms: int) -> Capped:
    """Of whom nothing more may be begun on that day. Raises: LedgerError."""
    from dispatcher.rules.caps import capped

    return capped(at_ms, *await caps_at(context, at_ms))
