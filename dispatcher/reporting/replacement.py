"""A file that takes another's place whole, or not at all."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import BinaryIO

from dispatcher.durable import sync_folder
from dispatcher.errors import ReportError
from dispatcher.remedies import Advice, AnyOf, Command, InTurn, Option, Remedy
from dispatcher.reporting.marks import is_report

#: Temporary files of ours that nobody has written to for so long were left by a process that was killed.
LEFT_OVER_S = 3600.0

_ANOTHER = Option("report", "FILE.csv")
_AGAIN = Command("report", ("CAMPAIGN",), does="writes it again")
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def check_target(path: Path, *, overwrite: bool = False) -> Path:
    """The file that a report under this name would replace, symbolic links followed.

    `overwrite`: also one that is no report of ours.
    Raises: ReportError where the folder is missing or cannot be written, or the name is taken by something else.
    """
    try:
        target = path.resolve()
        taken = target.stat() if target.exists() else None
        folder = target.parent
        if not folder.is_dir():
            raise ReportError(
                "the report's folder does not exist", found=str(folder), fix=f"mkdir -p {quote(str(folder))}"
            )
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a forbidden folder, a NUL in the name
        found = error.strerror if isinstance(error, OSError) else str(error)
        raise ReportError("the report's path cannot be used", found=found, fix=_ANOTHER) from None
    if taken is not None and not stat.S_ISREG(taken.st_mode):
        kind = "a folder" if stat.S_ISDIR(taken.st_mode) else "not a regular file"
        raise ReportError("the report cannot be written there", found=f"{target} is {kind}", fix=_ANOTHER)
    if taken is not None and not os.access(target, os.W_OK):
        raise ReportError(
            "the report would replace a file that is write-protected",
            found=str(target),
            fix=AnyOf(Advice(f"chmod u+w {quote(str(target))}"), _ANOTHER),
        )
    if taken is not None and taken.st_size and not overwrite and not _is_ours(target):
        raise ReportError(
            "the report would replace a file that is no report of this program",
            found=str(target),
            fix=AnyOf(_ANOTHER, Option("overwrite")),
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ReportError("the report's folder cannot be written", found=str(folder), fix=_ANOTHER)
    return target


@contextlib.contextmanager
def replacing(path: Path, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """A new file to write to; it takes `path`'s place when the block ends well, and vanishes when it does not.

    What is no report of ours is replaced only with `overwrite`.

    It is made beside the old one, in a folder of its own that may take other temporary files, is on disk before the old
    one goes, and keeps the old one's permissions. Where there was none, only its owner may read it: a report holds
    personal data.
    Raises: ReportError where it cannot be written; what the block raises otherwise passes through.
    """
    target = check_target(path, overwrite=overwrite)
    _remove_left_over(target)
    try:
        folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp"))
    except OSError as error:
        raise mapped(error, target) from error
    try:
        new = folder / "new"
        new.touch(mode=0o600)
        if target.exists():
            new.chmod(stat.S_IMODE(target.stat().st_mode))
        with new.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        new.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        raise mapped(error, target) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_ours(target: Path) -> bool:
    try:
        return is_report(target)
    except OSError:
        return False


def mapped(error: OSError, target: Path) -> ReportError:
    """What the system said, as our error."""
    if error.errno in _DISK_FULL:
        fix: Remedy = InTurn(Advice("free some disk space"), _AGAIN)
    elif os.name == "nt" and isinstance(error, PermissionError):
        fix = InTurn(Advice("close the file in other programs"), _AGAIN)
    else:
        fix = _ANOTHER
    return ReportError(f"the report {target} cannot be written", found=error.strerror or type(error).__name__, fix=fix)


def _remove_left_over(target: Path) -> None:
    for left in target.parent.glob(f".{glob.escape(target.name)}.*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - max(file.stat().st_mtime for file in (left, *left.iterdir())) > LEFT_OVER_S:
                shutil.rmtree(left)
