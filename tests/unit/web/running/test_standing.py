"""Where orders stand in the queue: by table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dispatcher.ledger.records import Account, CampaignRecord
from dispatcher.ledger.wishes import Ordered, Wish
from dispatcher.model import Pause, PausedBy
from dispatcher.web.running.standing import Entry, Stand, ready, stand, to_order
from tests.unit.web.running.drafts import LAUNCHED

NOW_MS = 1_795_808_400_000
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
ACCOUNT = Account(account_id=1, account_sid="AC" + "0" * 32, base_url="http://127.0.0.1")
PAUSE = Pause(at_ms=1, by=PausedBy.user)


def entry(
    due_ms: int,
    *,
    pause: Pause | None = None,
    next_at_ms: int | None = None,
    planned: int = 1,
    chosen: bool = False,
    settings: str | None = None,
) -> Entry:
    """An order, with its draft's only file planned or not."""
    campaign = CampaignRecord(campaign_id=1, name="spring", account=ACCOUNT, flow_sid="FW" + "0" * 32, input_id=None)
    wish = Wish(version=1, pause=pause, due_ms=due_ms)
    order = Ordered(campaign=campaign, wish=wish, next_at_ms=next_at_ms, settings=settings)
    return Entry(order=order, draft=replace(LAUNCHED, planned=planned, due_ms=due_ms if chosen else None))


@pytest.mark.parametrize(
    ("order", "where"),
    [
        (entry(NOW_MS), Stand.ready),
        (entry(NOW_MS - 600 * MINUTE_MS), Stand.ready),
        (entry(NOW_MS - 600 * MINUTE_MS, planned=0), Stand.ready),
        (entry(NOW_MS + 1), Stand.scheduled),
        (entry(NOW_MS, pause=PAUSE), Stand.paused),
        (entry(NOW_MS + 1, pause=PAUSE), Stand.paused),
        (entry(NOW_MS - 1, next_at_ms=NOW_MS + 1), Stand.waits),
        (entry(NOW_MS - 1, next_at_ms=NOW_MS), Stand.ready),
        # A file that is not planned yet waits for nothing.
        (entry(NOW_MS - 1, next_at_ms=NOW_MS + 1, planned=0), Stand.ready),
        (entry(NOW_MS - 15 * MINUTE_MS, planned=0, chosen=True), Stand.ready),
        (entry(NOW_MS - 16 * MINUTE_MS, planned=0, chosen=True), Stand.late),
        (entry(NOW_MS - 16 * MINUTE_MS, chosen=True), Stand.ready),
        (entry(NOW_MS - 16 * MINUTE_MS, planned=0, chosen=True, pause=PAUSE), Stand.paused),
    ],
)
def test_where_it_stands(order: Entry, where: Stand) -> None:
    """By its pause, its time, and the time of the rows that it has left."""
    assert stand(order, NOW_MS) is where


def test_the_order_of_the_queue_stays() -> None:
    """Those whose turn it is, as they were ordered."""
    first, second = entry(NOW_MS - 2), entry(NOW_MS - 1)
    assert ready([first, entry(NOW_MS + 5), second], NOW_MS) == [first, second]


@pytest.mark.parametrize(
    ("order", "is_for_page"),
    [
        # Workers have all that they need, whenever it begins.
        (entry(NOW_MS, settings="{}"), False),
        (entry(NOW_MS + HOUR_MS, settings="{}"), False),
        # A file to plan, also ahead of its time; or nobody has said how it is sent.
        (entry(NOW_MS, planned=0, settings="{}"), True),
        (entry(NOW_MS, planned=0), True),
        (entry(NOW_MS + HOUR_MS, planned=0, chosen=True), True),
        (entry(NOW_MS), True),
        (entry(NOW_MS, planned=0, pause=PAUSE), False),
        (entry(NOW_MS, pause=PAUSE), False),
        (entry(NOW_MS - HOUR_MS, planned=0, chosen=True), False),
        # Begun by workers while the page was away.
        (entry(NOW_MS - HOUR_MS, planned=0, chosen=True, settings="{}"), True),
    ],
)
def test_what_the_page_does_on_a_cluster(order: Entry, is_for_page: bool) -> None:
    """It plans and orders, and leaves all else to workers."""
    assert to_order([order], NOW_MS) == ([order] if is_for_page else [])
