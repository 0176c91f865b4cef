"""One sending process per account at a time, on one machine: an operating-system lock that dies with its holder."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from dispatcher.errors import AccountLocked, LedgerUnwritable
from dispatcher.ledger.records import Account

POLL_S = 0.2
PATIENCE_S = 0.1


class AccountLock:
    """Held while planning and sending for an account.

    The lock file lies beside the ledger and stays there when unlocked; the lock itself is the kernel's and is released
    however the process ends.
    """

    def __init__(self, state_dir: Path, account: Account) -> None:
        name = hashlib.blake2b(f"{account.account_sid} {account.base_url}".encode(), digest_size=8).hexdigest()
        # A file system without locks is refused: a lock file that outlives its holder would need a person to remove it.
        self._lock = FileLock(state_dir / f"account-{name}.lock", thread_local=False, fallback_to_soft=False)

    def held(self) -> bool:
        """Whether any process, this one included, holds the lock now; False where it cannot be told."""
        if self._lock.is_locked:
            return True
        if not Path(self._lock.lock_file).exists():
            return False
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return True
        except OSError:
            return False
        self._lock.release()
        return False

    def acquire(
        self, *, wait: bool, waiting: Callable[[], None] | None = None, stop: Callable[[], bool] = lambda: False
    ) -> bool:
        """Take the lock. With `wait`, poll until it is free (`waiting` is called once) or `stop` says so; then False.

        Blocking: call it in a thread. Raises: AccountLocked without `wait`; LedgerUnwritable.
        """
        told = False
        # Somebody who only looks (`held`) has the lock for a moment.
        patient_until_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                if not wait and time.monotonic() < patient_until_s:
                    time.sleep(PATIENCE_S / 10)
                    continue
                if not wait:
                    raise AccountLocked(
                        "another process is sending for this account with the same ledger",
                        fix="wait until it has finished, or add --wait",
                    ) from None
                if not told and waiting:
                    waiting()
                told = True
                if stop():
                    return False
                time.sleep(POLL_S)
            except OSError as error:
                raise LedgerUnwritable(
                    "the state folder cannot be written",
                    found=error.strerror,
                    fix="set [state] dir to a folder you may write",
                ) from None
            else:
                return True

    def release(self) -> None:
        """Give the lock back; nothing happens where it is not held."""
        self._lock.release()

    def __enter__(self) -> AccountLock:
        self.acquire(wait=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
