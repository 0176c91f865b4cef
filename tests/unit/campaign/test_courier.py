"""How often, and how long, a receiver is tried: in virtual time, against receivers that do as they are told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from dispatcher.campaign.channels import Channel, Refused
from dispatcher.campaign.courier import POST_MAX_S, TRIES, Courier, Posted
from dispatcher.campaign.stop import StopRequest
from dispatcher.errors import Interrupted, LedgerFull
from dispatcher.ledger.notices import ClaimedNotice, Notices, OpenNotices
from dispatcher.settings import NotifySettings
from tests.support import virtual_time

DOWN = Refused("down")


@dataclass
class Kept:
    """Stands for the ledger's notices: those that are open, the fewest tries first."""

    tries: dict[str, int]
    error: str | None = None
    fails: Exception | None = None

    async def claim(self, channel: str, **_: Any) -> ClaimedNotice | None:
        if self.fails is not None:
            raise self.fails
        if not self.tries:
            return None
        notice_id = min(self.tries, key=lambda name: (self.tries[name], name))
        self.tries[notice_id] += 1
        return ClaimedNotice(notice_id=notice_id, channel=channel, body="{}")

    async def sent(self, notice: ClaimedNotice) -> None:
        del self.tries[notice.notice_id]

    async def failed(self, notice: ClaimedNotice, error: str, *, for_good: bool = False) -> None:
        self.error = error
        if for_good:
            del self.tries[notice.notice_id]

    async def left(self, channel: str, **_: Any) -> OpenNotices:
        return OpenNotices(count=len(self.tries), error=self.error if self.tries else None)


@dataclass
class Told:
    """A channel that answers by the notice's name; `takes_s`: how long that takes."""

    answer: Callable[[str], Refused | None]
    takes_s: float = 0.0
    tried: list[str] = field(default_factory=list)
    name: str = "webhook:x"

    async def deliver(self, notice: ClaimedNotice) -> Refused | None:
        self.tried.append(notice.notice_id)
        await asyncio.sleep(self.takes_s)
        return self.answer(notice.notice_id)


@dataclass
class Ended:
    """How a delivery ended, and after how long."""

    posted: Posted
    took_s: float


def posted(kept: Kept, channel: Told, *, tries: int = TRIES, stop_after_s: float | None = None) -> Ended:
    """Deliver what is kept to this channel alone."""
    courier = Courier(NotifySettings(command=["x"]), None)

    @contextlib.asynccontextmanager
    async def channels(**_: Any) -> AsyncIterator[list[Channel]]:
        yield [channel]

    async def deliver() -> Ended:
        loop = asyncio.get_running_loop()
        stop, began_s = StopRequest(), loop.time()
        if stop_after_s is not None:
            loop.call_later(stop_after_s, stop.request, Interrupted())
        found = await courier.post(cast("Notices", kept), stop, tries=tries)
        return Ended(found, loop.time() - began_s)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(courier, "_channels", channels)
        return virtual_time.run(deliver())


def test_a_receiver_that_is_down_is_left() -> None:
    """After five tries with growing pauses, however many notices wait: they are not a storm."""
    channel = Told(lambda name: DOWN)
    kept = Kept({f"n{n:03}": 0 for n in range(500)})
    ended = posted(kept, channel)
    assert ended.posted == Posted(left=500, error="down")
    assert len(channel.tried) == TRIES == 5
    assert ended.took_s == pytest.approx(0.5 + 1 + 2 + 4, abs=0.1)


def test_what_hangs_is_bounded_in_all() -> None:
    """A receiver that keeps every try for as long as it may is not tried for longer than a minute and one try."""
    channel = Told(lambda name: DOWN if len(channel.tried) % 2 else None, takes_s=10.0)
    ended = posted(Kept({f"n{n}": 0 for n in range(100)}), channel)
    assert POST_MAX_S <= ended.took_s <= POST_MAX_S + 10.1
    assert ended.posted.left == 100 - ended.posted.sent > 0


def test_one_notice_does_not_block_others() -> None:
    """Of which a receiver takes all but one: they are delivered, and that one is left."""
    channel = Told(lambda name: DOWN if name == "a" else None)
    ended = posted(Kept(dict.fromkeys("abcde", 0)), channel)
    assert (ended.posted.sent, ended.posted.left) == (4, 1)
    assert channel.tried == ["a", "b", "c", "d", "e", *"aaaaa"]


def test_a_receiver_that_comes_back_gets_all() -> None:
    """It may fail for a moment."""
    channel = Told(lambda name: DOWN if len(channel.tried) < 4 else None)
    ended = posted(Kept(dict.fromkeys("abc", 0)), channel)
    assert ended.posted == Posted(sent=3)


def test_gone_is_given_up() -> None:
    """It counts as no failure of the others."""
    channel = Told(lambda name: Refused("HTTP 410", for_good=True))
    ended = posted(Kept(dict.fromkeys("abcdefg", 0)), channel)
    assert ended.posted == Posted(given_up=7)


def test_a_stop_ends_it_at_once() -> None:
    """In a try and in a pause; what it was at stays open."""
    hanging = posted(Kept({"a": 0}), Told(lambda name: None, takes_s=1000.0), stop_after_s=2.0)
    assert hanging.posted.left == 1
    assert hanging.took_s == pytest.approx(2.0, abs=0.1)
    paused = posted(Kept({"a": 0}), Told(lambda name: DOWN), stop_after_s=5.0)
    assert paused.posted.left == 1
    assert paused.took_s == pytest.approx(5.0, abs=0.1)


def test_an_interrupted_run_tries_once() -> None:
    """Whoever interrupts it waits for its end."""
    channel = Told(lambda name: DOWN)
    ended = posted(Kept({"a": 0, "b": 0}), channel, tries=1)
    assert (channel.tried, ended.posted.left) == (["a"], 2)
    assert ended.took_s < 0.1


def test_a_ledger_that_fails_is_told() -> None:
    """It ends nothing else."""
    ended = posted(Kept({"a": 0}, fails=LedgerFull("the disk is full")), Told(lambda name: None))
    assert ended.posted == Posted(left=1, error="the disk is full")
