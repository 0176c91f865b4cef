"""Whether the ledger's file is still where it was opened, and putting it back where it is not.

A file that is deleted while it is open can still be written and read, by this process alone. Whoever sent on would, at
the next run, know nothing of it and send everything again: so nothing more is begun, and what is known is put back.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from dispatcher.errors import LedgerGone
from dispatcher.ledger.sqlite.failures import RESUME
from dispatcher.remedies import Advice, InTurn


class Presence:
    """One open ledger's file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity = _identity(path)

    def check(self) -> None:
        """Raises: LedgerGone."""
        found = _identity(self._path)
        if found != self._identity:
            raise LedgerGone(
                "the ledger was deleted while it was in use"
                if found is None
                else "another ledger was put in its place",
                found=str(self._path),
                fix=InTurn(
                    Advice(
                        "find out what did that; what this run knows is put "
                        + ("back there" if found is None else f"beside it, as {self._rescued.name}")
                        + " as it ends"
                    ),
                    RESUME,
                ),
            )

    def restore(self, db: sqlite3.Connection) -> None:
        """Put a copy of the ledger back, where it is not there any more; never over another file. Blocking."""
        found = _identity(self._path)
        if found == self._identity:
            return
        target = self._path if found is None else self._rescued
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(target, os.O_CREAT | os.O_RDWR, 0o600))
        with contextlib.closing(sqlite3.connect(target)) as copy:
            db.backup(copy)

    @property
    def _rescued(self) -> Path:
        return self._path.with_name(f"rescued-{os.getpid()}-{self._path.name}")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
