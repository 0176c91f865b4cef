"""One sending process per account at a time, on one machine: an operating-system lock that dies with its holder."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from filelock import FileLock, Timeout

from dispatcher.errors import AccountLocked, LedgerUnwritable
from dispatcher.ledger.records import Account
from dispatcher.remedies import Advice, AnyOf, Option

#: How often somebody who waits looks again. Asking the system takes microseconds: no thread waits.
POLL_S = 0.2
#: Somebody who only looks (`is_held`) has the lock for a moment.
PATIENCE_S = 0.1


@contextlib.asynccontextmanager
async def lease(
    state_dir: Path,
    account: Account,
    *,
    wait: bool,
    stopped: asyncio.Event | None = None,
    waiting: Callable[[], None] | None = None,
) -> AsyncIterator[None]:
    """Hold the account's lock; see `protocol.Ledger.lease`.

    The lock file lies beside the ledger and stays there when unlocked; the lock itself is the kernel's and is released
    however the process ends. Raises: AccountLocked, LedgerUnwritable.
    """
    lock = _lock(state_dir, account)
    patient_until_s = asyncio.get_running_loop().time() + PATIENCE_S
    told = False
    while not _taken(lock):
        patient = not wait and asyncio.get_running_loop().time() < patient_until_s
        if (stopped is not None and stopped.is_set()) or not (wait or patient):
            raise AccountLocked(
                "another process is sending for this account with the same ledger",
                fix=AnyOf(Advice("wait until it has finished"), Option("wait")),
            )
        if wait and not told and waiting is not None:
            waiting()
        told = True
        await _pause(POLL_S if wait else PATIENCE_S / 10, stopped)
    try:
        yield
    finally:
        lock.release()


def is_held(state_dir: Path, account: Account) -> bool:
    """Whether any process, this one included, holds the lock now; False where it cannot be told."""
    lock = _lock(state_dir, account)
    if not Path(lock.lock_file).exists():
        return False
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False


def _lock(state_dir: Path, account: Account) -> FileLock:
    name = hashlib.blake2b(f"{account.account_sid} {account.base_url}".encode(), digest_size=8).hexdigest()
    # A file system without locks is refused: a lock file that outlives its holder would need a person to remove it.
    return FileLock(state_dir / f"account-{name}.lock", thread_local=False, fallback_to_soft=False)


def _taken(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    except OSError as error:
        raise LedgerUnwritable(
            "the state folder cannot be written",
            found=error.strerror,
            fix="set [state] dir to a folder you may write",
        ) from None
    return True


async def _pause(seconds: float, stopped: asyncio.Event | None) -> None:
    if stopped is None:
        await asyncio.sleep(seconds)
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopped.wait()
