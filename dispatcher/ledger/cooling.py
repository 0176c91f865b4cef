"""Rows whose contacts were reached as often as a cool-off allows: they wait until that is over, or are left out.

Counted is what the account has begun, by whatever campaign and flow, and what created an execution, may have, or is on
its way; test sends are not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from dispatcher.ledger import pseudonyms
from dispatcher.ledger.chunks import id_range
from dispatcher.ledger.contacted import ROWS_PER_READ, RUN_SLACK_MS
from dispatcher.ledger.db import Db
from dispatcher.ledger.records import CampaignRecord, Run
from dispatcher.model import contact_of
from dispatcher.plurals import counted
from dispatcher.rules.cooloff import CoolOff, CoolOffs, hold_ms
from dispatcher.rules.gate import Due, Gate


def apart(
    db: Db, run: Run, found: Sequence[Sequence[Any]], gate: Gate, now_ms: int
) -> tuple[list[Sequence[Any]], dict[int, str]]:
    """Of rows about to be sent, in order: those that may be, and those that are left out: row_id -> why.

    The others wait from now on. A row counts for those behind it.
    """
    cooloffs, campaign = gate.cooloffs, run.campaign
    assert cooloffs is not None
    at_ms = gate.at_ms or now_ms
    # Intents have the time of the ledger's caller, and waiting rows that of the rules: the two clocks may be apart.
    ahead_ms = at_ms - now_ms
    contacts = [contact_of(to or key) for _, key, to, *_ in found]
    begun = _begun(db, campaign, found, contacts, since_ms=now_ms - cooloffs.longest_ms, ahead_ms=ahead_ms)
    several = len(set(contacts)) < len(contacts)
    rows: list[Sequence[Any]] = []
    left_out: dict[int, str] = {}
    held: list[int | str] = []
    for row, contact in zip(found, contacts, strict=True):
        row_id, *_, place_id = row
        reached = begun.get(contact, ())
        until = cooloffs.until_ms(place_id, reached, at_ms) if reached else None
        if until is None:
            rows.append(row)
            if several:
                begun.setdefault(contact, []).append(at_ms)
        elif cooloffs.skips:
            left_out[row_id] = _sentence(until[1])
        else:
            held += (row_id, hold_ms(until[0]))
    if held:
        db.update("rows_hold", 2, held)
    return rows, left_out


def held(
    db: Db, campaign: CampaignRecord, input_ids: Iterable[int], cooloffs: CoolOffs, at_ms: int
) -> Counter[tuple[Due, int]]:
    """Of the planned rows of these inputs those that a claim would hold, or leave out, now; nothing changes.

    By where and when they may go by themselves, and until when they are held. As far as it is known now: of two rows of
    one contact the first may make the second wait.
    """
    since_ms = at_ms - cooloffs.longest_ms
    found: Counter[tuple[Due, int]] = Counter()
    account_id = campaign.account.account_id
    if not db.one("attempts_since", account_id=account_id, since_ms=since_ms, seen_since_ms=since_ms - RUN_SLACK_MS)[0]:
        return found
    for input_id in input_ids:
        ids = id_range(input_id)
        after = ids["first"] - 1
        while rows := db.rows("planned_contacts", after=after, last=ids["last"], limit=ROWS_PER_READ):
            after = rows[-1][0]
            contacts = [contact_of(to or key) for _, key, to, *_ in rows]
            begun = _begun(db, campaign, rows, contacts, since_ms=since_ms, ahead_ms=0)
            for (*_, place_id, first_ms), contact in zip(rows, contacts, strict=True):
                if contact in begun and (until := cooloffs.until_ms(place_id, begun[contact], at_ms)):
                    found[Due(place_id, first_ms), hold_ms(until[0])] += 1
    return found


def _begun(
    db: Db,
    campaign: CampaignRecord,
    rows: Sequence[Sequence[Any]],
    contacts: Sequence[str],
    *,
    since_ms: int,
    ahead_ms: int,
) -> dict[str, list[int]]:
    """When the account has begun to reach the contacts of these rows since then, and so much later."""
    begun: dict[str, list[int]] = {}
    distinct = list(dict.fromkeys(contacts))
    for place, begun_ms in db.rows(
        "contacted_often",
        contacts=pseudonyms.asked(db, distinct),
        account_id=campaign.account.account_id,
        campaign_id=campaign.campaign_id,
        since_ms=since_ms,
        # Whom a campaign knows by the contact alone it reaches once: what it knows of these is they themselves.
        keyed_by_contact=contacts == [row[1] for row in rows],
    ):
        begun.setdefault(distinct[place % len(distinct)], []).append(begun_ms + ahead_ms)
    return begun


def _sentence(cooloff: CoolOff) -> str:
    times = counted(cooloff.max, "time")
    return f"the account has reached the contact {times} in {counted(cooloff.period_h, 'hour')}, as often as is allowed"
