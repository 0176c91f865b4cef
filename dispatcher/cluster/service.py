"""A worker from its start to its end: the ledger, the engine, and the work."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from dispatcher.cluster.worker import Worker
from dispatcher.errors import ExtraMissing, UsageError
from dispatcher.ledger import open_ledger
from dispatcher.remedies import Advice, AnyOf, Command, Setting
from dispatcher.settings import Settings


async def work(worker: Worker, settings: Settings, *, connected: Callable[[str], None]) -> None:
    """Connect, as often as it takes, and work until `worker.stop()`. `connected` is called with where the ledger is.

    Raises: UsageError: the ledger is one machine's; LedgerError: see `Worker.run`, and where the ledger cannot be used;
    ExtraMissing.
    """
    check_is_cluster(settings)
    async with contextlib.AsyncExitStack() as stack:
        ledger = await worker.reached(
            lambda: open_ledger(settings.state, lease_s=settings.cluster.lease_s, only_sends=True)
        )
        if ledger is None:
            return
        stack.push_async_callback(ledger.close)
        try:
            # Its library takes time to load, and is not there without the extra.
            from dispatcher.cluster.app import opened
        except ImportError as error:
            raise ExtraMissing(
                "a worker needs a part of this program that is not installed",
                found=str(error),
                fix='pip install "dispatcher[cluster]"',
            ) from error
        engine = await worker.reached(lambda: stack.enter_async_context(opened(settings.state.url)))
        if engine is not None:
            connected(ledger.location)
            await worker.run(ledger, engine)


def check_is_cluster(settings: Settings) -> None:
    """Raises: UsageError."""
    if not settings.is_cluster:
        raise UsageError(
            "a worker is for a ledger that many machines share",
            found="[state] url is not set: the ledger is a file of this machine, which sends by itself",
            fix=AnyOf(
                Setting("state.url", "postgresql://user@host/database"),
                Command("serve", does="sends what the page launches"),
                Advice("let cron run the campaigns"),
            ),
        )
