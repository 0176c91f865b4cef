"""A throw-away copy of a ledger, for commands that ask "what if" (check, dry runs)."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

from dispatcher.ledger.sqlite.connection import FILE_NAME, connect_readonly


def copy_ledger(state_dir: Path, target_dir: Path) -> None:
    """Copy the ledger of a state folder as it stands; nothing where there is none. Blocking."""
    source = state_dir / FILE_NAME
    if not source.exists():
        return
    try:
        with (
            contextlib.closing(connect_readonly(source)) as old,
            contextlib.closing(sqlite3.connect(target_dir / FILE_NAME)) as new,
        ):
            old.backup(new)
    except sqlite3.Error:
        # Whatever is wrong with the file, opening the copy says it better.
        shutil.copy(source, target_dir / FILE_NAME)
