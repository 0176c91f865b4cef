"""A worker that is cut off from the ledger, with its way to Studio as it was: it stops, and another one goes on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cluster.machines import SLOW, Cluster, cluster, until
from tests.support import postgres
from tests.support.proxy import Proxy


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """The way of one worker to the tests' server."""
    with Proxy(postgres.shared().port) as found:
        yield found


def by(proxy: Proxy, c: Cluster) -> str:
    return c.url.replace(f":{postgres.shared().port}/", f":{proxy.port}/")


async def sent(c: Cluster) -> None:
    """Each once; and the second worker's window began where the first one's had ended."""
    c.check_each_once(400)
    assert c.sandbox.stats()["worst_window"] <= 400


async def test_a_wire_that_carries_nothing(tmp_path: Path, proxy: Proxy) -> None:
    """Neither an answer nor an end: within five seconds nothing leaves; the other goes on, and the first takes none."""
    async with cluster(tmp_path, overrides=SLOW) as c, c.working(url=by(proxy, c)) as first:
        record = await c.order("spring", 400)
        await c.until_created(20)
        async with c.working() as other:
            with proxy.frozen():
                await asyncio.sleep(5.5)
                at_5_s = c.creates
                await until(lambda: has_more(c, at_5_s), most_s=12)
                assert other.worker.shifts
                await asyncio.sleep(3)
            await c.until_sent(record)
            assert not any("held" in text for text in (*first.told, *other.told))
        await sent(c)


async def has_more(c: Cluster, than: int) -> bool:
    return c.creates > than


async def test_a_wire_that_is_cut(tmp_path: Path, proxy: Proxy) -> None:
    """Connections that end and are made again cost nothing: the same worker goes on, in the same run or the next."""
    async with cluster(tmp_path, overrides=SLOW) as c, c.working(url=by(proxy, c)) as first:
        record = await c.order("spring", 400)
        for n in range(4):
            await c.until_created(20 + 40 * n)
            proxy.cut()
        await c.until_sent(record)
        assert not any("held" in text for text in first.told)
        await sent(c)


async def test_a_server_that_refuses_for_a_while(
    tmp_path: Path, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    """Longer than a lease: it is told once that it is away, and once that it is back; nothing else is said."""
    async with cluster(tmp_path, overrides=SLOW) as c, c.working(url=by(proxy, c)) as first:
        record = await c.order("spring", 400)
        await c.until_created(20)
        proxy.refuse()
        proxy.cut()
        await asyncio.sleep(8)
        proxy.accept()
        await c.until_sent(record, most_s=60)
        said = [text for text in first.told if "ledger is" in text]
        assert ["away" in said[0], "back" in said[1], len(said)] == [True, True, 2]
        # Without a handler Python writes warnings to stderr, raw.
        assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
        await sent(c)
