"""Executions that Studio shows and this ledger has not begun: another folder's, another machine's, another program's.

They are kept when they are seen, so that the list need not be read from the beginning of the period at each run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dispatcher.ledger import pseudonyms
from dispatcher.ledger.chunks import id_range
from dispatcher.ledger.contacted import ROWS_PER_READ
from dispatcher.ledger.db import Db
from dispatcher.ledger.records import CampaignRecord, ForeignExecution, Look, Run
from dispatcher.model import contact_of

#: Studio forgets executions after 30 days; so does this.
KEPT_MS = 30 * 24 * 3_600_000
_NOT_KNOWN = 2


def last_look(db: Db, campaign: CampaignRecord) -> Look | None:
    """The last look at the campaign's flow, by any campaign of its account."""
    found = db.first("look_last", account_id=campaign.account.account_id, flow_sid=campaign.flow_sid)
    if found is None:
        return None
    looked_ms, skew_ms, since_ms, departed_ms = found
    return Look(looked_at_ms=looked_ms, clock_skew_ms=skew_ms, since_ms=since_ms, departed_at_ms=departed_ms)


def keep_look(db: Db, run: Run, look: Look, executions: Sequence[ForeignExecution]) -> None:
    """Keep what a look has found."""
    account_id, flow_sid = run.campaign.account.account_id, run.campaign.flow_sid
    db.run(
        "look_keep",
        account_id=account_id,
        flow_sid=flow_sid,
        run_id=run.run_id,
        looked_at_ms=look.looked_at_ms,
        clock_skew_ms=look.clock_skew_ms,
        since_ms=look.since_ms,
    )
    flat: list[int | str] = []
    # Where anybody was forgotten, no number comes back by way of Studio's list.
    contacts = [one.contact for one in executions]
    for contact, one in zip(pseudonyms.stand_ins(db, contacts) or contacts, executions, strict=True):
        by_api = _NOT_KNOWN if one.by_api is None else int(one.by_api)
        flat += (contact, one.execution_sid, one.created_at_ms, by_api)
    if flat:
        db.update("foreign_keep", 4, flat, account_id=account_id, flow_sid=flow_sid)
    db.run("foreign_forget", before_ms=look.looked_at_ms + look.clock_skew_ms - KEPT_MS)


def of_planned(db: Db, campaign: CampaignRecord, input_ids: Iterable[int], since_ms: int) -> list[ForeignExecution]:
    """Those created since then whose contact has a planned row in these inputs."""
    found: dict[str, list[ForeignExecution]] = {}
    for contact, sid, created_ms, by_api in db.rows(
        "foreign_since", account_id=campaign.account.account_id, flow_sid=campaign.flow_sid, since_ms=since_ms
    ):
        one = ForeignExecution(contact, sid, created_ms, None if by_api is None else bool(by_api))
        found.setdefault(contact, []).append(one)
    #: Contact -> as whom it is kept.
    wanted: dict[str, set[str]] = {}
    for input_id in input_ids if found else ():
        ids = id_range(input_id)
        after = ids["first"] - 1
        while rows := db.rows("planned_addresses", after=after, last=ids["last"], limit=ROWS_PER_READ):
            after = rows[-1][0]
            contacts = [contact_of(address) for _, address in rows]
            for place, kept_as in enumerate(pseudonyms.asked(db, contacts)):
                if kept_as in found:
                    wanted.setdefault(contacts[place % len(contacts)], set()).add(kept_as)
    return [
        one._replace(contact=contact)
        for contact in sorted(wanted)
        for as_ in sorted(wanted[contact])
        for one in found[as_]
    ]
