"""The one memory of whom an account has reached: by whatever campaign, file, folder or key.

A contact whom a campaign of the account has begun to reach on the same flow a short time ago is not reached again. What
counts is an attempt that created an execution, may have, or is on its way; test sends do not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from dispatcher.ledger import pseudonyms, suppressed, tallies
from dispatcher.ledger.chunks import ROW_NUMBER_BITS, id_range
from dispatcher.ledger.db import Db
from dispatcher.ledger.records import Account, CampaignRecord, GrantedRow, Run
from dispatcher.ledger.skipping import skip
from dispatcher.model import Reason, RowState, contact_of

#: So many rows are looked through at a time.
ROWS_PER_READ = 10_000
#: A run's last intents may be so much younger than what it has told of itself.
RUN_SLACK_MS = 3_600_000


def recent(db: Db, campaign: CampaignRecord, since_ms: int) -> list[int]:
    """The campaigns of its account that may have sent on its flow since then."""
    found = db.rows(
        "campaigns_recent",
        account_id=campaign.account.account_id,
        flow_sid=campaign.flow_sid,
        since_ms=since_ms - RUN_SLACK_MS,
    )
    return [campaign_id for (campaign_id,) in found]


def apart(
    db: Db, run: Run, found: Sequence[Sequence[Any]], since_ms: int
) -> tuple[list[Sequence[Any]], dict[int, str]]:
    """Of rows about to be sent (row_id, row_key, address or None, …): those that may be, and of the others why not.

    Rows of one file with keys of their own (two appointments of one person) are not each other's repeat.
    """
    campaign = run.campaign
    contacts = [contact_of(to or key) for _, key, to, *_ in found]
    repeats: dict[int, str] = {}
    for place, sentence, other_id in db.rows(
        "contacted_again",
        contacts=pseudonyms.asked(db, contacts),
        campaigns=recent(db, campaign, since_ms),
        account_id=campaign.account.account_id,
        campaign_id=campaign.campaign_id,
        since_ms=since_ms,
        keyed_by_contact=contacts == [row[1] for row in found],
    ):
        place %= len(contacts)
        row_id, key, *_ = found[place]
        beside = other_id is not None and other_id >> ROW_NUMBER_BITS == row_id >> ROW_NUMBER_BITS
        if not (beside and contact_of(key) != contacts[place]):
            repeats.setdefault(row_id, sentence)
    firsts: dict[str, int] = {}
    rows: list[Sequence[Any]] = []
    for row, contact in zip(found, contacts, strict=True):
        row_id, key, *_ = row
        if row_id in repeats:
            continue
        first_id = firsts.setdefault(contact, row_id)
        beside = first_id >> ROW_NUMBER_BITS == row_id >> ROW_NUMBER_BITS
        # Of two others of one contact the second is asked for once the first has its intent.
        if first_id == row_id or (beside and contact_of(key) != contact):
            rows.append(row)
    return rows, repeats


def plan(
    db: Db,
    campaign: CampaignRecord,
    input_id: int,
    since_ms: int | None,
    *,
    skip_repeats: bool,
    applying: suppressed.Applying,
) -> int:
    """Rows of a file that is being planned are known by their contacts from now on; those on a list are left out.

    Returns how many of the planned ones are repeats of what was begun after `since_ms` (None: nothing is), and makes
    them skipped if so asked.
    """
    ids, account_id, campaign_id = id_range(input_id), campaign.account.account_id, campaign.campaign_id
    db.run("reaching_drop")
    db.run("repeats_drop")
    db.run("reaching_create", **ids)
    db.run("contacts_insert", account_id=account_id, campaign_id=campaign_id)
    _skip_duplicates(db, input_id)
    suppressed.plan(db, account_id, input_id, applying)
    count = 0
    campaigns = [] if since_ms is None else recent(db, campaign, since_ms)
    if campaigns:
        db.run(
            "repeats_create",
            campaigns=campaigns,
            account_id=account_id,
            campaign_id=campaign_id,
            since_ms=since_ms,
            erased=pseudonyms.in_use(db),
            **ids,
        )
        (count,) = db.one("repeats_count")
        if skip_repeats and count:
            db.run("repeats_skip")
            tallies.add(db, tallies.moved(input_id, RowState.planned.value, RowState.skipped.value, count))
        db.run("repeats_drop")
    db.run("reaching_drop")
    return count


def _skip_duplicates(db: Db, input_id: int) -> None:
    """Rows that differ only in the channel (`whatsapp:`), and have no keys of their own, are one person twice."""
    if db.one("reaching_has_channels")[0] and (count := db.run("same_contacts_skip")):
        tallies.add(db, tallies.moved(input_id, RowState.planned.value, RowState.skipped.value, count))


def count_repeats(
    db: Db, campaign: CampaignRecord, input_ids: Iterable[int], since_ms: int, *, but: Collection[int]
) -> int:
    """How many planned rows of these inputs would be left out now, as far as other campaigns have reached them.

    Without those in `but`, which are left out anyway.
    """
    campaigns = [other for other in recent(db, campaign, since_ms) if other != campaign.campaign_id]
    count = 0
    for input_id in input_ids if campaigns else ():
        ids = id_range(input_id)
        after = ids["first"] - 1
        while rows := db.rows("planned_addresses", after=after, last=ids["last"], limit=ROWS_PER_READ):
            after = rows[-1][0]
            found = db.rows(
                "contacted_again",
                contacts=pseudonyms.asked(db, [contact_of(address) for _, address in rows]),
                campaigns=campaigns,
                account_id=campaign.account.account_id,
                campaign_id=campaign.campaign_id,
                since_ms=since_ms,
                keyed_by_contact=False,
            )
            count += sum(rows[place][0] not in but for place in {place % len(rows) for place, *_ in found})
    return count


def skip_contacts(db: Db, input_ids: Collection[int], sentences: Mapping[str, str]) -> int:
    """Planned rows of these inputs become skipped where their contact is here: contact -> why. Returns how many."""
    count = 0
    for input_id in input_ids if sentences else ():
        ids = id_range(input_id)
        after = ids["first"] - 1
        while rows := db.rows("planned_addresses", after=after, last=ids["last"], limit=ROWS_PER_READ):
            after = rows[-1][0]
            found = ((row_id, sentences.get(contact_of(address))) for row_id, address in rows)
            count += skip(
                db, Reason.contacted, {row_id: sentence for row_id, sentence in found if sentence is not None}
            )
    return count


def known_executions(db: Db, account: Account, executions: Mapping[str, str]) -> set[str]:
    """Of executions (SID -> address) those that this ledger began, or may have: an attempt has no answer yet."""
    if not executions:
        return set()
    contacts: dict[str, set[str]] = {}
    for sid, address in executions.items():
        contacts.setdefault(contact_of(address), set()).add(sid)
    for contact, stand_in in zip([*contacts], pseudonyms.stand_ins(db, [*contacts]), strict=False):
        contacts[stand_in] = contacts[contact]
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
        contacts=pseudonyms.asked(db, [contact_of(row.to_address)]),
        campaign_id=campaign.campaign_id,
        attempt_id=row.attempt_id,
        execution_sid=execution_sid,
    )
    return bool(found)
