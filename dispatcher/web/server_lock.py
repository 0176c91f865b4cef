"""One server for a state folder: a lock of the operating system's, and the address of whoever has it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from dispatcher.errors import LedgerUnwritable, UsageError
from dispatcher.remedies import Advice, AnyOf

#: Beside the ledger.
LOCK, ADDRESS = "server.lock", "server.json"
#: How long a lock is waited for.
_MOMENT_S = 0.2


class ServerRunning(UsageError):
    """Another server works with this ledger: two would send one campaign at the same time."""


class ServerLock:
    """Held by the one server of a state folder. `tell` says where it can be reached."""

    def __init__(self, folder: Path) -> None:
        self._address = folder / ADDRESS

    def tell(self, address: str) -> None:
        """Keep the address for whoever asks `address_of`."""
        self._address.write_text(json.dumps({"address": address}), encoding="utf-8")


@contextlib.contextmanager
def server_lock(folder: Path) -> Iterator[ServerLock]:
    """Be the only server of this folder. Raises: ServerRunning, with the other's address; LedgerUnwritable."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _lock(folder)
        # Whoever asks for the address has it for a moment, too.
        lock.acquire(timeout=_MOMENT_S, poll_interval=_MOMENT_S / 4)
    except Timeout:
        address = address_of(folder)
        raise ServerRunning(
            "another server works with this ledger",
            found=f"it is at {address}" if address else None,
            fix=AnyOf(Advice("open that one"), Advice("stop it first")),
        ) from None
    except OSError as error:
        raise LedgerUnwritable(
            "the state folder cannot be written", found=error.strerror, fix="set [state] dir to a folder you may write"
        ) from None
    try:
        # Of one that was killed: nobody is there.
        (folder / ADDRESS).unlink(missing_ok=True)
        yield ServerLock(folder)
    finally:
        (folder / ADDRESS).unlink(missing_ok=True)
        lock.release()


def running_address(folder: Path) -> str | None:
    """Where the server of a folder can be reached; None: none runs, or it has not said yet."""
    address = address_of(folder)
    if address is None:
        return None
    try:
        with _lock(folder).acquire(timeout=0):
            return None
    except Timeout:
        return address
    except OSError:
        return None


def address_of(folder: Path) -> str | None:
    """Where the last server of a folder said that it can be reached; None: it has not said, or has ended by itself."""
    try:
        found = json.loads((folder / ADDRESS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    address = found.get("address") if isinstance(found, dict) else None
    return address if isinstance(address, str) else None


def _lock(folder: Path) -> FileLock:
    return FileLock(folder / LOCK, thread_local=False, fallback_to_soft=False)
