"""Which shifts a tick hands out: one for each account, and none where one waits already."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dispatcher.cluster.tick import queue_of, to_defer
from dispatcher.cluster.worker import next_of
from dispatcher.ledger.records import Account, CampaignRecord
from dispatcher.ledger.wishes import Ordered, Wish


def account(n: int) -> Account:
    return Account(account_id=n, account_sid=f"AC{n:032d}", base_url="https://studio.twilio.com")


def campaign(n: int, of: int) -> CampaignRecord:
    return CampaignRecord(campaign_id=n, name=f"c{n}", account=account(of), flow_sid="FW" + "1" * 32, input_id=None)


def test_one_for_each_account_the_first_that_is_due() -> None:
    """An account sends one campaign at a time: a second job would only find it taken."""
    due = [campaign(1, 1), campaign(2, 1), campaign(3, 2), campaign(4, 1)]
    assert [one.campaign_id for one in to_defer(due, set())] == [1, 3]


def test_none_where_one_waits() -> None:
    """Of the account, whichever campaign's; others' jobs do not matter."""
    due = [campaign(1, 1), campaign(2, 1), campaign(3, 2)]
    assert [one.campaign_id for one in to_defer(due, {2, 99})] == [3]
    assert list(to_defer(due, {1, 3})) == []
    assert list(to_defer([], {1})) == []


def test_the_channel_of_a_queue_is_no_longer_than_the_server_allows() -> None:
    """A longer one would be refused, and with it the job: pg_notify takes less than 64 bytes."""
    assert len("procrastinate_queue_v1#" + queue_of("AC" + "0" * 32)) < 64


def order(due_ms: int = 1) -> Ordered:
    return Ordered(
        campaign=campaign(1, 1), wish=Wish(version=1, pause=None, due_ms=due_ms), next_at_ms=None, settings="{}"
    )


@pytest.mark.parametrize(("now", "others", "following"), [(5, [1, 9], 9), (9, [1, 5], 1), (4, [], None)])
def test_turns_go_round(now: int, others: list[int], following: int | None) -> None:
    """Each campaign of an account has its turn before one has a second; others' and what is not due do not count."""
    of_others = replace(order(), campaign=campaign(6, 2))
    not_due = replace(order(due_ms=2**60), campaign=campaign(7, 1))
    orders = [replace(order(), campaign=campaign(n, 1)) for n in (now, *others)]
    assert next_of([of_others, not_due, *orders], orders[0]) == following
