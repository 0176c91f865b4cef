"""What a ledger was before it was upgraded: a copy beside it, for as long as a mistake may need to be found.

It holds everybody's numbers, so it goes after some days, and at once when anybody is forgotten.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path

from dispatcher.durable import sync_folder
from dispatcher.ledger.sqlite.failures import mapped_os

#: How long a copy is kept.
KEPT_S = 7 * 86_400.0
_PREFIX = "before-upgrade-"


def keep_copy(path: Path, version: int) -> None:
    """Copy the ledger of that version, while whoever calls keeps others from writing. Blocking.

    There whole or not at all. Raises: sqlite3.Error, LedgerFull, LedgerUnwritable.
    """
    target = path.with_name(f"{_PREFIX}{version}-{path.name}")
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        uri = f"{path.resolve().as_uri()}?mode=ro"
        with (
            contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as source,
            contextlib.closing(sqlite3.connect(part, isolation_level=None)) as copy,
        ):
            copy.execute("PRAGMA synchronous = EXTRA")
            source.backup(copy)
            # A file of its own: without a log beside it.
            copy.execute("PRAGMA journal_mode = DELETE")
        part.replace(target)
        # The copy's age is counted from now on.
        os.utime(target)
        # Before the ledger itself is changed.
        sync_folder(target.parent)
    except OSError as error:
        raise mapped_os(error) from error
    finally:
        for left in part.parent.glob(f"{part.name}*"):
            left.unlink(missing_ok=True)


def forget_copies(folder: Path, *, older_than_s: float = -1.0) -> list[Path]:
    """Remove the copies of that age, and what a killed upgrade has left of one; all of them without. Returns which.

    Never raises for a copy that cannot be removed: whoever has to know looks with `copies`.
    """
    gone = []
    for copy in copies(folder):
        with contextlib.suppress(OSError):
            # A clock that was set back must not keep one for ever.
            if older_than_s < 0 or abs(time.time() - copy.stat().st_mtime) > older_than_s:
                copy.unlink()
                gone.append(copy)
    return gone


def copies(folder: Path) -> list[Path]:
    """The copies that are there."""
    return sorted(folder.glob(f"{_PREFIX}*"))
