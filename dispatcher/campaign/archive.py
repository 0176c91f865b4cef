"""The months after: every campaign with its age and size, and those that are old enough to be pruned."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from dispatcher.campaign.next_steps import rows_of_all_files
from dispatcher.errors import CampaignNotFound, UsageError
from dispatcher.ledger import open_ledger
from dispatcher.ledger.erasures import Age
from dispatcher.ledger.records import CampaignStatus
from dispatcher.remedies import Option
from dispatcher.settings import Settings

_AGE = re.compile(r"(\d{1,5})\s*([hdw])", re.ASCII | re.IGNORECASE)
_UNIT_MS = {"h": 3_600_000, "d": 24 * 3_600_000, "w": 7 * 24 * 3_600_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Aged:
    """A campaign, how it stands, and how old it is."""

    status: CampaignStatus
    age: Age

    @property
    def rows(self) -> int:
        """How many it has, of all its files."""
        return sum(rows_of_all_files(self.status).values())

    def as_json(self) -> dict[str, Any]:
        """The same with plain values, for `json`."""
        campaign, age = self.status.campaign, self.age
        return {
            "campaign": campaign.name,
            "account_sid": campaign.account.account_sid,
            "rows": self.rows,
            "size_bytes": age.size_bytes,
            "created_at_ms": age.created_at_ms,
            "first_run_at_ms": age.first_run_at_ms,
            "last_run_at_ms": age.last_run_at_ms,
            "active_at_ms": age.active_at_ms,
            "finished": age.is_over,
            "pruned": age.is_pruned,
        }


async def aged_campaigns(settings: Settings) -> list[Aged]:
    """Every campaign of the ledger, oldest first; none where there is no ledger. Raises: LedgerError."""
    try:
        ledger = await open_ledger(settings.state, create=False, loopback=settings.is_loopback)
    except CampaignNotFound:
        return []
    try:
        ages = await ledger.erasures.ages()
        return [
            Aged(status=await ledger.status(record), age=ages[record.campaign_id])
            for record in await ledger.campaigns()
            if record.campaign_id in ages
        ]
    finally:
        await ledger.close()


def age_ms(text: str) -> int:
    """`90d`, `12w`, `36h` in ms. Raises: UsageError."""
    match = _AGE.fullmatch(text.strip())
    if match is None or not int(match[1]):
        raise UsageError("this is no age", found=text, fix=Option("older-than", "90d"))
    return int(match[1]) * _UNIT_MS[match[2].lower()]


def old_enough(found: list[Aged], older_than_ms: int, now_ms: int) -> tuple[list[Aged], list[Aged]]:
    """Of campaigns those that are to be pruned, and those that are as old and not over: rows of them may still be sent.

    Pruned ones, to which nothing has happened since, are neither.
    """
    old = [one for one in found if one.age.active_at_ms <= now_ms - older_than_ms and not one.age.is_pruned]
    return [one for one in old if one.age.is_over and one.rows], [one for one in old if not one.age.is_over]
