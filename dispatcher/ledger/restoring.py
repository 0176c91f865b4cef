"""Rows that a file brings anew though its campaign has forgotten them: each is the row that it was, sent or not.

What is known by its key comes back with the file that names it. Where its requests went, and what was said, does not.
"""

from __future__ import annotations

from dispatcher.ledger import pseudonyms
from dispatcher.ledger.chunks import id_range
from dispatcher.ledger.db import Db
from dispatcher.ledger.records import CampaignRecord
from dispatcher.model import dispatch_id


def restore(db: Db, campaign: CampaignRecord, input_id: int) -> set[int]:
    """Give forgotten rows that are in this file their keys back; returns them.

    Before the file's own keys are looked for. Raises: LedgerKeyLost.
    """
    campaign_id = campaign.campaign_id
    if not db.one("keys_forgotten", campaign_id=campaign_id)[0] or not pseudonyms.in_use(db):
        return set()
    db.run("restored_drop")
    db.run("restored_create", campaign_id=campaign_id, **id_range(input_id))
    db.run("restored_index")
    db.run("restored_index_keys")
    same = {row_id for (row_id,) in db.rows("restored_same")}
    db.run("restored_addresses", row_ids=list(same))
    ids: list[int | str] = []
    for identity, row_key in db.rows("restored_identities"):
        ids += (identity, dispatch_id(campaign.account.account_sid, campaign.flow_sid, campaign.name, row_key))
    db.update("restored_ids", 2, ids)
    db.run("restored_rows")
    db.run("restored_keys", campaign_id=campaign_id)
    account_id = campaign.account.account_id
    db.run("restored_contacts", account_id=account_id, campaign_id=campaign_id)
    db.run("restored_contacts_delete", account_id=account_id, campaign_id=campaign_id)
    db.run("restored_canary", campaign_id=campaign_id)
    db.run("restored_drop")
    return same
