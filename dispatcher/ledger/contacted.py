"""The one memory of whom an account has reached: by whatever campaign, file, folder or key.

A contact whom a campaign of the account has begun to reach on the same flow a short time ago is not reached again. What
counts is an attempt that created an execution, may have, or is on its way; test sends do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dispatcher.ledger import tallies
from dispatcher.ledger.chunks import ROW_NUMBER_BITS, id_range
from dispatcher.ledger.db import Db
from dispatcher.ledger.records import Account, GrantedRow, Run
from dispatcher.model import Reason, RowState, contact_of

#: So many rows are looked through at a time.
ROWS_PER_READ = 10_000


def begin(
    db: Db, run: Run, contacts: Sequence[str], keys: Sequence[str], attempt_ids: Sequence[int], now_ms: int
) -> None:
    """Remember attempts that are about to leave. The table lies in the order of contacts, and is written in it."""
    flat: list[int | str] = []
    for contact, key, attempt_id in sorted(zip(contacts, keys, attempt_ids, strict=True)):
        flat += (contact, "" if key == contact else key, attempt_id)
    campaign = run.campaign
    db.update(
        "contacted_begin",
        3,
        flat,
        account_id=campaign.account.account_id,
        campaign_id=campaign.campaign_id,
        now_ms=now_ms,
    )


def apart(
    db: Db, run: Run, found: Sequence[Sequence[Any]], contacts: Sequence[str], since_ms: int
) -> tuple[list[Sequence[Any]], list[str], dict[int, str]]:
    """Of rows about to be sent: those that may be, their contacts, and for the others row_id -> why not.

    Rows of one file with keys of their own (two appointments of one person) are not each other's repeat.
    """
    campaign = run.campaign
    repeats: dict[int, str] = {}
    for place, sentence, other_id in db.rows(
        "contacted_again",
        contacts=list(contacts),
        account_id=campaign.account.account_id,
        campaign_id=campaign.campaign_id,
        flow_sid=campaign.flow_sid,
        since_ms=since_ms,
    ):
        row_id = found[place][0]
        if other_id is None or other_id >> ROW_NUMBER_BITS != row_id >> ROW_NUMBER_BITS:
            repeats.setdefault(row_id, sentence)
    inputs: dict[str, int] = {}
    rows: list[Sequence[Any]] = []
    theirs: list[str] = []
    for row, contact in zip(found, contacts, strict=True):
        input_id = row[0] >> ROW_NUMBER_BITS
        # Of two files' rows of one contact the second is asked for once the first has its intent.
        if row[0] not in repeats and inputs.setdefault(contact, input_id) == input_id:
            rows.append(row)
            theirs.append(contact)
    return rows, theirs, repeats


def skip(db: Db, sentences: Mapping[int, str]) -> int:
    """Planned rows become skipped: row_id -> why. Returns how many."""
    if not sentences:
        return 0
    flat: list[int | str] = []
    for pair in sentences.items():
        flat += pair
    n = db.update("rows_skip", 2, flat, reason_code=Reason.contacted.value)
    moves: tallies.Moves = Counter()
    for input_id, rows in Counter([row_id >> ROW_NUMBER_BITS for row_id in sentences]).items():
        moves.update(tallies.moved(input_id, RowState.planned.value, RowState.skipped.value, rows))
    tallies.add(db, moves)
    return n


def skip_contacts(db: Db, input_ids: Collection[int], sentences: Mapping[str, str]) -> int:
    """Planned rows of these inputs become skipped where their contact is here: contact -> why. Returns how many."""
    count = 0
    for input_id in input_ids if sentences else ():
        ids = id_range(input_id)
        after = ids["first"] - 1
        while rows := db.rows("planned_addresses", after=after, last=ids["last"], limit=ROWS_PER_READ):
            after = rows[-1][0]
            found = ((row_id, sentences.get(contact_of(address))) for row_id, address in rows)
            count += skip(db, {row_id: sentence for row_id, sentence in found if sentence is not None})
    return count


def known_executions(db: Db, account: Account, executions: Mapping[str, str]) -> set[str]:
    """Of executions (SID -> address) those that this ledger began, or may have: an attempt has no answer yet."""
    contacts: dict[str, set[str]] = {}
    for sid, address in executions.items():
        contacts.setdefault(contact_of(address), set()).add(sid)
    known: set[str] = set()
    for contact, sid in db.rows("executions_of_contacts", contacts=list(contacts), account_id=account.account_id):
        known |= {sid} if sid else contacts[contact]
    return known & executions.keys()


def own_execution(db: Db, run: Run, row: GrantedRow, execution_sid: str) -> bool:
    """Whether another row of the campaign has begun this execution of the row's contact, or may have."""
    campaign = run.campaign
    (found,) = db.one(
        "own_execution",
        account_id=campaign.account.account_id,
        contact=contact_of(row.to_address),
        campaign_id=campaign.campaign_id,
        attempt_id=row.attempt_id,
        execution_sid=execution_sid,
    )
    return bool(found)
