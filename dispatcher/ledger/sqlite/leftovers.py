"""Copies of the ledger and of contacts in the system's temporary folder: what a killed program has left there.

Rehearsals once worked on a copy of the ledger in a folder of that kind; standard input is still kept in one.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from pathlib import Path

#: Nobody has written to it for so long: its program is gone.
LEFT_OVER_S = 3600.0
#: As `tempfile` names them.
_NAME = re.compile(r"dispatcher-[a-z0-9_]{8}")
_CONTENTS = re.compile(r"ledger\.sqlite3(-wal|-shm|-journal)?|account-[0-9a-f]+\.lock|input")


def remove_leftovers() -> None:
    """Remove them. What is anybody else's, or holds anything else, is left alone. Never raises for what it finds."""
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if _NAME.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    _remove(entry)


def _remove(entry: os.DirEntry[str]) -> None:
    if not entry.is_dir(follow_symlinks=False):
        return
    if hasattr(os, "getuid") and entry.stat(follow_symlinks=False).st_uid != os.getuid():
        return
    files = list(Path(entry.path).iterdir())
    if not files or not all(_CONTENTS.fullmatch(file.name) for file in files):
        return
    newest_s = max(file.lstat().st_mtime for file in files)
    if time.time() - newest_s > LEFT_OVER_S:
        shutil.rmtree(entry.path)
