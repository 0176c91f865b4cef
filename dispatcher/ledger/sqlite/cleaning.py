"""Writing the ledger's file anew, so that nothing is left of what was taken out.

SQLite leaves what is deleted on pages that it has freed, in its log, and in copies. Until this is done, what was
forgotten is out of the ledger and not yet off the disk; interrupted, it is begun anew by the next that forgets.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from dispatcher.errors import LedgerFull, LedgerUnreachable
from dispatcher.ledger.sqlite.connection import FILE_NAME, OPEN_WAIT_S
from dispatcher.ledger.sqlite.failures import is_busy, mapped
from dispatcher.ledger.sqlite.upgraded import copies, forget_copies
from dispatcher.remedies import Advice, InTurn

#: How long those who read the ledger, or write to it, are waited for.
PATIENCE_S = 10.0
#: Whoever copies the ledger into its folder has finished with it after so long, or was killed.
LEFT_OVER_S = 3600.0
#: SQLite's steps between two calls of `progress`.
_STEPS = 200_000
#: Files that this program has set aside, and that hold ledgers of their own.
_ASIDE = ("moved-", "rescued-", "copied-")


def clean(folder: Path, progress: Callable[[int, int], None]) -> list[Path]:
    """Rewrite a folder's ledger, empty its log, and remove the copies that upgrades have left. Blocking.

    `progress` is called with the bytes that are written and those that there are to write, as far as it can be told.
    Returns the ledgers that lie beside it under other names, young copies among them, which are as they were.
    Raises: LedgerFull (the ledger is whole, and as it was), LedgerUnreachable: others read it or write to it.
    """
    path = folder / FILE_NAME
    forget_copies(folder)
    for left in folder.glob(f".{FILE_NAME}.*.tmp*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > LEFT_OVER_S:
                left.unlink()
    if left_copies := copies(folder):
        raise LedgerUnreachable(
            "a copy of the ledger cannot be removed", found=str(left_copies[0]), fix=Advice("remove it, and run again")
        )
    try:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=OPEN_WAIT_S)) as db:
            _rewrite(db, path, progress)
            _empty_log(db)
    except sqlite3.Error as error:
        failure = mapped(error)
        if isinstance(failure, LedgerFull):
            failure.fix = InTurn(Advice("free as much space as the ledger has, twice"), Advice("run this again"))
        raise failure from error
    aside = [file for file in folder.glob(f"*{FILE_NAME}") if file.name.startswith(_ASIDE)]
    # Being made at this moment, or left by one that was killed a short time ago.
    return sorted([*aside, *folder.glob(f".{FILE_NAME}.*.tmp")])


def _rewrite(db: sqlite3.Connection, path: Path, progress: Callable[[int, int], None]) -> None:
    (pages,), (size,) = db.execute("PRAGMA page_count").fetchone(), db.execute("PRAGMA page_size").fetchone()
    log, total = path.with_name(f"{path.name}-wal"), pages * size

    def told() -> int:
        # First a copy without a name is made, then that is brought back by way of the log.
        with contextlib.suppress(OSError):
            progress(min(log.stat().st_size, total), total)
        return 0

    db.set_progress_handler(told, _STEPS)
    db.execute("PRAGMA synchronous = EXTRA")
    db.execute("VACUUM")
    db.set_progress_handler(None, 0)
    progress(total, total)


def _empty_log(db: sqlite3.Connection) -> None:
    """What stood in the log before is gone only once it is cut, for which nobody may be reading in it."""
    end_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            (busy, _, _) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            if not is_busy(error):
                raise
            busy = 1
        if not busy:
            return
        if time.monotonic() > end_s:
            raise LedgerUnreachable(
                "another program reads the ledger, and with it what was freed",
                fix=InTurn(Advice("wait until it has finished"), Advice("run this again")),
            )
        time.sleep(0.05)
