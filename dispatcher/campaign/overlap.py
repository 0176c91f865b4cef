"""Who of those that are to be reached was reached lately, by whatever campaign and flow of the account. For people.

What `repeat_after_h` holds back is not among them, for it is not planned. Nothing is decided by this: it is shown
before a send, since the same people under another name, on another flow, are the one way to write to everybody twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from dispatcher.campaign.context import CampaignContext
from dispatcher.errors import CampaignNotFound
from dispatcher.ledger import Ledger, open_ledger
from dispatcher.ledger.records import Account
from dispatcher.model import contact_of

#: So far back is looked.
LOOKED_BACK_MS = 7 * 24 * 3_600_000
#: So many contacts are put in order together: more would take more memory than a check may have.
_CONTACTS_TOGETHER = 1_000_000
#: So many contacts are asked for at a time.
_CONTACTS_PER_READ = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachedBy:
    """A campaign that has begun to reach some of them."""

    name: str
    contacts: int
    #: When it did last.
    last_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Whom of a campaign's planned contacts the account has begun to reach lately."""

    contacts: int = 0
    #: By which campaigns, the latest first; a contact may have been reached by several.
    campaigns: tuple[ReachedBy, ...] = ()
    #: Other campaigns on the flow that were fed exactly one of this one's files.
    same_file: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The same with plain values."""
        return {
            "contacts": self.contacts,
            "campaigns": [
                {"name": one.name, "contacts": one.contacts, "last_at_ms": one.last_at_ms} for one in self.campaigns
            ],
            "same_file": list(self.same_file),
        }


async def find_overlap(context: CampaignContext, since_ms: int) -> Overlap:
    """Look in the user's ledger for the planned contacts of a rehearsal (`context`). Raises: LedgerError."""
    settings = context.settings
    try:
        ledger = await open_ledger(settings.state, create=False, loopback=settings.is_loopback)
    except CampaignNotFound:
        return Overlap()
    try:
        account = await _account(ledger, context.record.account)
        if account is None:
            return Overlap()
        record = await context.current()
        same_file: dict[str, None] = {}
        for fed in await context.ledger.inputs(record):
            names = await ledger.campaigns_of_file(account, record.flow_sid, fed.sha256)
            same_file |= dict.fromkeys(name for name in names if name != record.name)
        total, by = 0, dict[int, ReachedBy]()
        async for contacts in _planned_contacts(context):
            found = await _reached(ledger, account, contacts, since_ms)
            total += found.contacts
            for campaign_id, more in found.by.items():
                by[campaign_id] = _together(by[campaign_id], more) if campaign_id in by else more
    finally:
        await ledger.close()
    campaigns = tuple(sorted(by.values(), key=lambda one: -one.last_at_ms))
    return Overlap(contacts=total, campaigns=campaigns, same_file=tuple(same_file))


def _together(one: ReachedBy, other: ReachedBy) -> ReachedBy:
    last_at_ms = max(one.last_at_ms, other.last_at_ms)
    return ReachedBy(name=one.name, contacts=one.contacts + other.contacts, last_at_ms=last_at_ms)


class _Found(NamedTuple):
    contacts: int
    by: dict[int, ReachedBy]


async def _reached(ledger: Ledger, account: Account, contacts: Sequence[str], since_ms: int) -> _Found:
    """Those of these contacts, each of which is here once."""
    reached: set[str] = set()
    by: dict[int, tuple[str, set[str], int]] = {}
    for start in range(0, len(contacts), _CONTACTS_PER_READ):
        asked = contacts[start : start + _CONTACTS_PER_READ]
        for place, campaign_id, name, at_ms in await ledger.foresight.reached(account, asked, since_ms):
            reached.add(asked[place])
            _, theirs, last_ms = by.get(campaign_id, (name, set(), 0))
            theirs.add(asked[place])
            by[campaign_id] = name, theirs, max(at_ms, last_ms)
    found = {
        campaign_id: ReachedBy(name=name, contacts=len(theirs), last_at_ms=at_ms)
        for campaign_id, (name, theirs, at_ms) in by.items()
    }
    return _Found(len(reached), found)


async def _account(ledger: Ledger, rehearsed: Account) -> Account | None:
    """The account as the user's ledger has it: a rehearsal's own number for it may be another."""
    of = (rehearsed.account_sid, rehearsed.base_url)
    accounts = (record.account for record in await ledger.campaigns())
    return next((account for account in accounts if (account.account_sid, account.base_url) == of), None)


async def _planned_contacts(context: CampaignContext) -> AsyncIterator[list[str]]:
    """In the order in which a ledger keeps them, so that neighbours are read from the same page; a million at a time.

    Of a larger campaign whose rows have keys of their own a contact may come again.
    """
    foresight = context.ledger.foresight
    contacts: set[str] = set()
    for one in await context.ledger.inputs(await context.current()):
        after: int | None = 0
        while after is not None:
            addresses, after = await foresight.planned(one.input_id, after=after)
            contacts.update(map(contact_of, addresses))
            if len(contacts) >= _CONTACTS_TOGETHER:
                yield sorted(contacts)
                contacts.clear()
    yield sorted(contacts)
