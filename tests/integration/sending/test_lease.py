"""The account's lease and another process: the ledger's real lock."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from dispatcher.errors import AccountLocked
from dispatcher.events import Event, EventBus, Resumed, Waiting, WaitKind
from dispatcher.ledger.sqlite.ledger import SqliteLedger
from dispatcher.sending.account import open_account
from dispatcher.settings import Settings
from tests.support.accounts import ACCOUNT

HOLDER = """
import pathlib, sys
import asyncio
from dispatcher.ledger.records import Account
from dispatcher.ledger.sqlite.lease import lease
folder, account_sid, base_url = sys.argv[1:]
account = Account(account_id=1, account_sid=account_sid, base_url=base_url)
async def hold():
    async with lease(pathlib.Path(folder), account, wait=False):
        print("held", flush=True)
        sys.stdin.read()
asyncio.run(hold())
"""


async def test_another_process(tmp_path: Path, root: Path) -> None:
    """While another process is at work the account is refused, or waited for.

    The wait lasts until the other one ends or the wait is stopped.
    """
    ledger, bus, events = SqliteLedger.open(tmp_path), EventBus(), list[Event]()
    bus.subscribe(events.append)
    holder = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        HOLDER,
        str(tmp_path),
        ACCOUNT.account_sid,
        ACCOUNT.base_url,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=root,
    )
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"
    got_it, told, stopped = asyncio.Event(), asyncio.Event(), asyncio.Event()
    bus.subscribe(lambda event: told.set() if isinstance(event, Waiting) else None)
    try:
        async with open_account(ACCOUNT, Settings(), bus=bus, stop=lambda error: None) as account:
            with pytest.raises(AccountLocked):
                async with account.lease(ledger, wait=False):
                    raise AssertionError
            assert events == []

            async def work() -> None:
                async with account.lease(ledger, wait=True, stopped=stopped):
                    got_it.set()

            stopping = asyncio.create_task(work())
            await asyncio.wait_for(told.wait(), 10)
            stopped.set()
            with pytest.raises(AccountLocked):
                await asyncio.wait_for(stopping, 10)
            assert not got_it.is_set()
            stopped.clear()
            told.clear()
            waiting = asyncio.create_task(work())
            await asyncio.wait_for(told.wait(), 10)
            holder.kill()
            await asyncio.wait_for(waiting, 10)
            assert got_it.is_set()
        assert [type(event) for event in events] == [Waiting, Resumed] * 2
        assert all(event.kind is WaitKind.account for event in events if isinstance(event, Waiting))
    finally:
        if holder.returncode is None:
            holder.kill()
        await holder.wait()
        await ledger.close()
