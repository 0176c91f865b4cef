"""Rows whose contacts were reached as often as a cool-off allows: they wait until that is over, or are left out.

Counted is what the account has begun, by whatever campaign and flow, and what created an execution, may have, or is on
its way; test sends are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispatcher.ledger.db import Db
from dispatcher.ledger.records import Run
from dispatcher.model import contact_of
from dispatcher.plurals import counted
from dispatcher.rules.cooloff import CoolOff, hold_ms
from dispatcher.rules.gate import Gate


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
    begun: dict[str, list[int]] = {}
    distinct = list(dict.fromkeys(contacts))
    for place, begun_ms in db.rows(
        "contacted_often",
        contacts=distinct,
        account_id=campaign.account.account_id,
        campaign_id=campaign.campaign_id,
        since_ms=now_ms - cooloffs.longest_ms,
        # Whom a campaign knows by the contact alone it reaches once: what it knows of these is they themselves.
        keyed_by_contact=contacts == [row[1] for row in found],
    ):
        begun.setdefault(distinct[place], []).append(begun_ms + ahead_ms)
    several = len(distinct) < len(contacts)
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


def _sentence(cooloff: CoolOff) -> str:
    times = counted(cooloff.max, "time")
    return f"the account has reached the contact {times} in {counted(cooloff.period_h, 'hour')}, as often as is allowed"
