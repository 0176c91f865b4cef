"""The key by which forgotten people are told again: a file of its own beside the ledger, for this user alone.

Not in the ledger, so that a copy of that (a backup, one sent to somebody for help) hides who was forgotten. Who has
both can try all phone numbers. It is made when it is first needed, and never again: with another one, everybody who
was forgotten would be a stranger.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

from dispatcher.durable import sync_folder
from dispatcher.ledger.sqlite.failures import mapped_os
from dispatcher.model import pseudonym_of

KEY_NAME = "forgotten.key"
#: Where the key is read when somebody needs it; None: there is none.
KeyReader: TypeAlias = Callable[[], bytes | None]
_BYTES = 32


class Pseudonyms:
    """What stands for texts once they are forgotten, by a key that is read when it is needed; None: there is none."""

    def __init__(self, key: KeyReader) -> None:
        self._read = key
        self._key: bytes | None = None

    def __call__(self, text: str | None) -> str | None:
        if self._key is None:
            self._key = self._read()
        return None if text is None or self._key is None else pseudonym_of(text, self._key)


def key_of(folder: Path) -> KeyReader:
    """Reads the key of a ledger's folder."""
    return partial(read_key, folder / KEY_NAME)


def read_key(path: Path) -> bytes | None:
    """The key; None: the file is not there, cannot be read, or holds none."""
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        return None
    return key if len(key) == _BYTES else None


def make_key(folder: Path) -> None:
    """Make it where there is none; on disk when this returns. Raises: LedgerUnwritable, LedgerFull."""
    try:
        if not (folder / KEY_NAME).exists():
            _write(folder / KEY_NAME, secrets.token_hex(_BYTES) + "\n")
    except OSError as error:
        raise mapped_os(error) from error


def copy_key(key: Path, target: Path) -> None:
    """For a ledger that moves. Raises: OSError."""
    _write(target, key.read_text(encoding="ascii"))


def _write(path: Path, text: str) -> None:
    """On disk when this returns; never over another one."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename it fails where another process was faster.
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
        sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)
