"""Files of uploads on disk: made, synced and removed on a thread of their own, so that no page waits for a disk."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath, PureWindowsPath
from typing import TypeVar

from dispatcher.durable import sync_folder
from dispatcher.web.store.failures import mapped

T = TypeVar("T")

_NAME_CHARACTERS = 200
_SUFFIX_CHARACTERS = 10


class FileThread:
    """Runs what blocks on the disk, one at a time."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="page-files")

    async def do(self, work: Callable[[], T]) -> T:
        """Run it. A caller that is cancelled does not undo it. Raises: LedgerFull, LedgerUnwritable."""
        try:
            return await asyncio.shield(asyncio.wrap_future(self._pool.submit(work)))
        except OSError as error:
            raise mapped(error) from error

    def close(self) -> None:
        """Do not wait for it: what it removes is removed by the next sweep, too."""
        self._pool.shutdown(wait=False)


def plain_name(name: str) -> str:
    """A browser's name of a file as text for people: its last part, without what cannot be shown."""
    last = PureWindowsPath(PurePath(name).name).name
    shown = "".join(character for character in last if character.isprintable()).strip()
    return shown[:_NAME_CHARACTERS] or "file"


def plain_suffix(name: str) -> str:
    """What of a name says how the file is to be read, as a suffix that is safe on any disk: `.csv`, `.csv.gz`, ``."""
    kept: list[str] = []
    for suffix in reversed(PurePath(name).suffixes):
        letters = suffix[1:].lower()
        if not letters.isascii() or not letters.isalnum() or len(letters) > _SUFFIX_CHARACTERS:
            break
        kept.insert(0, f".{letters}")
        if letters != "gz":
            break
    return "".join(kept)


def make_private(folder: Path) -> None:
    """Make the folder, for this user alone, and what is missing above it. Raises: OSError."""
    if folder.is_dir():
        return
    make_private(folder.parent)
    folder.mkdir(exist_ok=True, mode=0o700)


def sync_file(path: Path) -> None:
    """What was written to the file is on disk, and its name, too; only its owner may read it. Raises: OSError."""
    handle = os.open(path, os.O_RDWR)
    try:
        if os.name != "nt":
            os.fchmod(handle, 0o600)
        os.fsync(handle)
    finally:
        os.close(handle)
    sync_folder(path.parent)
    sync_folder(path.parent.parent)


def remove(folder: Path) -> None:
    """Remove a folder with what is in it; none is fine. Raises: OSError."""
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)


def folders(parent: Path) -> set[str]:
    """The names of what is in a folder; none where it is not there. Raises: OSError."""
    return {entry.name for entry in parent.iterdir()} if parent.is_dir() else set()


def remove_all(parent: Path, names: Collection[str]) -> None:
    """Remove these folders of `parent`. Raises: OSError."""
    for name in names:
        remove(parent / name)
