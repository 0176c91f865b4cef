"""Whose an order is: workers' of a cluster, or a page's own."""

from __future__ import annotations

from dispatcher.ledger.records import Account, CampaignRecord
from dispatcher.ledger.wishes import Ordered, Wish
from dispatcher.model import Pause, PausedBy

ACCOUNT = Account(account_id=1, account_sid="AC" + "0" * 32, base_url="http://127.0.0.1")
CAMPAIGN = CampaignRecord(campaign_id=1, name="spring", account=ACCOUNT, flow_sid="FW" + "0" * 32, input_id=None)


def order(
    due_ms: int | None = 1, pause: Pause | None = None, next_at_ms: int | None = None, settings: str | None = "{}"
) -> Ordered:
    wish = Wish(version=1, pause=pause, due_ms=due_ms)
    return Ordered(campaign=CAMPAIGN, wish=wish, next_at_ms=next_at_ms, settings=settings)


def test_what_workers_are_to_send_now() -> None:
    """Due, not paused, and no row's time is awaited: a job that comes too early or too late is for nothing."""
    held = Pause(at_ms=0, by=PausedBy.user, reason="")
    assert order().is_for_workers(1)
    assert order(next_at_ms=1).is_for_workers(1)
    assert not order(due_ms=2).is_for_workers(1)
    assert not order(due_ms=None).is_for_workers(1)
    assert not order(pause=held).is_for_workers(1)
    assert not order(next_at_ms=2).is_for_workers(1)
    # A page's, whose server has the settings; or a file came that nobody has agreed to.
    assert not order(settings=None).is_for_workers(1)
