"""What a power cut must not take away again."""

from __future__ import annotations

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable: a new file's name is on disk when its folder is (fsync(2)). Raises: OSError.

    Windows has no such call, and needs none.
    """
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
