"""The account's locks: the kernel's, so they die with their holder, and looking does not take them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.errors import AccountLocked, LedgerUnwritable
from dispatcher.ledger.records import Account
from dispatcher.ledger.sqlite.lease import PATIENCE_S, is_held, is_held_by_any, lease
from dispatcher.remedies import Advice, AnyOf, Option
from tests.guard import home
from tests.support.ledgers import ACCOUNT_SID, BASE_URL

ACCOUNT = Account(account_id=1, account_sid=ACCOUNT_SID, base_url=BASE_URL)


@contextlib.contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the account."""
    program = f"""
import asyncio, pathlib, sys
from dispatcher.ledger.records import Account
from dispatcher.ledger.sqlite.lease import lease
account = Account(account_id=1, account_sid={ACCOUNT_SID!r}, base_url={BASE_URL!r})
async def main():
    async with lease(pathlib.Path({str(folder)!r}), account, wait=False):
        print("held", flush=True)
        sys.stdin.read()
asyncio.run(main())
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[4],
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


async def test_a_second_process_is_refused(tmp_path: Path) -> None:
    """A second process is refused, and may have the account when the first is killed."""
    with holder(tmp_path) as process:
        assert is_held(tmp_path, ACCOUNT)
        with pytest.raises(AccountLocked) as caught:
            async with lease(tmp_path, ACCOUNT, wait=False):
                pass
        assert caught.value.fix == AnyOf(Advice("wait until it has finished"), Option("wait"))
        os.kill(process.pid, signal.SIGKILL)
        process.wait(20)
    assert not is_held(tmp_path, ACCOUNT)
    async with lease(tmp_path, ACCOUNT, wait=False):
        assert is_held(tmp_path, ACCOUNT)
    assert not is_held(tmp_path, ACCOUNT)


async def test_another_state_folder(tmp_path: Path) -> None:
    """One process for an account, whatever ledger it sends from, and however it is spelled."""
    spelled = Account(account_id=7, account_sid=ACCOUNT_SID.lower(), base_url="http://LOCALHOST.:80/")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    async with lease(tmp_path, ACCOUNT, wait=False):
        with pytest.raises(AccountLocked):
            async with lease(elsewhere, spelled, wait=False):
                pass
        assert is_held_by_any(spelled.account_sid, spelled.base_url)
        # By that folder's ledger nobody sends.
        assert not is_held(elsewhere, spelled)
    async with lease(elsewhere, spelled, wait=False):
        pass
    assert not is_held_by_any(ACCOUNT_SID, BASE_URL)


async def test_one_folder_of_two_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who shares a ledger, as another user or from another container, is kept apart by its lock."""
    async with lease(tmp_path, ACCOUNT, wait=False):
        monkeypatch.setenv(home.VARIABLE, str(tmp_path))
        assert not is_held_by_any(ACCOUNT_SID, BASE_URL)
        with pytest.raises(AccountLocked):
            async with lease(tmp_path, ACCOUNT, wait=False):
                pass
        # Refused, it has given back what it had.
        assert not is_held_by_any(ACCOUNT_SID, BASE_URL)


async def test_waiting_uses_no_thread(tmp_path: Path) -> None:
    """Fifty that wait for an account leave the loop's few threads, which look up the names of hosts, to others."""
    told = asyncio.Semaphore(0)
    async with lease(tmp_path, ACCOUNT, wait=False):
        threads = threading.active_count()
        stopped = asyncio.Event()

        async def wait() -> None:
            async with lease(tmp_path, ACCOUNT, wait=True, stopped=stopped, waiting=told.release):
                pass

        tasks = [asyncio.create_task(wait()) for _ in range(50)]
        for _ in tasks:
            await told.acquire()
        assert threading.active_count() == threads
        assert await asyncio.to_thread(lambda: True)
        stopped.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} == {AccountLocked}


async def test_a_look_does_not_turn_a_run_away(tmp_path: Path) -> None:
    """To look is to have the lock for a moment: who wants it now is patient for that long."""
    async with contextlib.AsyncExitStack() as looking:
        await looking.enter_async_context(lease(tmp_path, ACCOUNT, wait=False))
        asyncio.get_running_loop().call_later(PATIENCE_S / 4, asyncio.ensure_future, looking.aclose())
        async with lease(tmp_path, ACCOUNT, wait=False):
            pass


def test_a_look_makes_no_file(tmp_path: Path) -> None:
    """A lock that was never taken is not made by looking."""
    assert not is_held(tmp_path, ACCOUNT)
    assert list(tmp_path.iterdir()) == []


async def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A folder that is not there is said."""
    (tmp_path / "file").touch()
    with pytest.raises(LedgerUnwritable) as caught:
        async with lease(tmp_path / "file" / "state", ACCOUNT, wait=False):
            pass
    assert caught.value.fix


async def test_the_lock_files_name_tells_nothing(tmp_path: Path) -> None:
    """The name of the lock's file tells nothing."""
    async with lease(tmp_path, ACCOUNT, wait=False):
        (name,) = _names(tmp_path)
    assert name.startswith("account-")
    assert ACCOUNT_SID not in name


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]
