"""One sending process per account at a time, on one machine: operating-system locks that die with their holder.

Two: one in a folder of the user, for whatever ledger the account is sent from; and one beside the ledger, for whoever
shares that with another user, or from another container.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from filelock import FileLock, Timeout

from dispatcher.errors import AccountLocked, LedgerUnwritable
from dispatcher.ledger.account_files import account_file, forget_rehearsals, make_folder, unwritable
from dispatcher.ledger.identity import canonical_sid, canonical_url
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
    """Hold the account's locks; see `protocol.Ledger.lease`.

    The files stay where they are when unlocked; the locks are the kernel's and are released however the process ends.
    Raises: AccountLocked, LedgerUnwritable.
    """
    path = account_file(account.account_sid, account.base_url, "lock")
    make_folder(path)
    forget_rehearsals(path.parent)
    # Always in this order: two that want both never wait for each other.
    wanted = [_lock(path), _lock(_beside(state_dir, account))]
    held: list[FileLock] = []
    patient_until_s = asyncio.get_running_loop().time() + PATIENCE_S
    told = False
    try:
        while wanted:
            try:
                taken = _taken(wanted[0])
            except OSError as error:
                raise _unwritable(wanted[0], path, error) from None
            if taken:
                held.append(wanted.pop(0))
                continue
            patient = not wait and asyncio.get_running_loop().time() < patient_until_s
            if (stopped is not None and stopped.is_set()) or not (wait or patient):
                raise AccountLocked(
                    "another process is sending for this account",
                    fix=AnyOf(Advice("wait until it has finished"), Option("wait")),
                )
            if wait and not told and waiting is not None:
                waiting()
            told = True
            await _pause(POLL_S if wait else PATIENCE_S / 10, stopped)
        # What is used is not forgotten.
        os.utime(path)
        yield
    finally:
        for lock in reversed(held):
            lock.release()


def is_held(state_dir: Path, account: Account) -> bool:
    """Whether any process, this one included, works for the account with this ledger now.

    False where it cannot be told.
    """
    return _is_locked(_beside(state_dir, account))


def is_held_by_any(account_sid: str, base_url: str) -> bool:
    """Whether any process of this user works for the account now, with whatever ledger."""
    return _is_locked(account_file(account_sid, base_url, "lock"))


def _is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    lock = _lock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False


def _beside(state_dir: Path, account: Account) -> Path:
    spelling = f"{canonical_sid(account.account_sid)} {canonical_url(account.base_url)}"
    return state_dir / f"account-{hashlib.blake2b(spelling.encode(), digest_size=8).hexdigest()}.lock"


def _lock(path: Path) -> FileLock:
    # A file system without locks is refused: a lock file that outlives its holder would need a person to remove it.
    return FileLock(path, thread_local=False, fallback_to_soft=False)


def _taken(lock: FileLock) -> bool:
    """Raises: OSError."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


def _unwritable(lock: FileLock, user: Path, error: OSError) -> LedgerUnwritable:
    if Path(lock.lock_file) == user:
        return unwritable(user.parent, error)
    return LedgerUnwritable(
        "the state folder cannot be written", found=error.strerror, fix="set [state] dir to a folder you may write"
    )


async def _pause(seconds: float, stopped: asyncio.Event | None) -> None:
    if stopped is None:
        await asyncio.sleep(seconds)
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopped.wait()
