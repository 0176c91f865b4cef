"""Values that these tests are made of."""

from __future__ import annotations

from dispatcher.ledger.records import Account, CampaignRecord, CampaignStatus, LedgerPlace
from dispatcher.model import RowState, empty_counts


def status(rows: dict[RowState, int], earlier: dict[RowState, int] | None = None) -> CampaignStatus:
    """A campaign `spring` with so many rows by state, those of earlier files apart."""
    account = Account(account_id=1, account_sid="AC" + "0" * 32, base_url="http://127.0.0.1")
    record = CampaignRecord(campaign_id=1, name="spring", account=account, flow_sid="FW" + "0" * 32, input_id=1)
    return CampaignStatus(
        campaign=record,
        ledger=LedgerPlace(location="/home/ann/ledger.sqlite3", since_ms=None),
        rows=empty_counts() | rows,
        earlier_rows=earlier or {},
        attempts=0,
        throttled=0,
        worst_window=0,
        window_limit=0,
        first_started_at_ms=None,
        duration_s=0.0,
        running=False,
        stop_reason=None,
        report_path=None,
    )
