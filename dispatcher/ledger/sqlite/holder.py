"""Who keeps the ledger's file locked: the program's name and number, where the system tells."""

from __future__ import annotations

import os
from pathlib import Path

#: Every lock of the machine (proc_locks(5)); Linux has it.
LOCKS = Path("/proc/locks")
_PROCESSES = Path("/proc")


def holder(path: Path) -> str | None:
    """Which other process may write to the file and lets nobody else; None where that cannot be told.

    SQLite's locks lie on the file itself, and on the one beside it by which processes share its log.
    """
    try:
        places = {_place(file) for file in (path, path.with_name(f"{path.name}-shm")) if file.exists()}
        lines = LOCKS.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    for line in lines:
        # 1: POSIX  ADVISORY  WRITE 3568 fd:00:2531452 120 120
        fields = line.split()
        if len(fields) < 6 or fields[3] != "WRITE" or fields[5] not in places:
            continue
        number = fields[4]
        if number.isdigit() and int(number) not in (0, os.getpid()):
            return _name(number)
    return None


def _place(file: Path) -> str:
    found = file.stat()
    return f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"


def _name(number: str) -> str:
    try:
        name = (_PROCESSES / number / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        name = ""
    shown = "".join(letter for letter in name if letter.isprintable())
    return f"{shown} (process {number})" if shown else f"process {number}"
