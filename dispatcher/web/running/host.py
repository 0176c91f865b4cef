"""Which machine this is, and which folder of it: a copy of the folder is another host, and so is a restored snapshot.

Told from the machine's own number (machine-id(5)) and the place of the folder on its disk, hashed: neither is kept.
"""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path

#: Linux: systemd's, and D-Bus's of machines without it.
MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


def host_id(folder: Path) -> str:
    """A host's name for itself: 32 hex digits, the same as long as the folder stays on its machine. Raises: OSError."""
    place = folder.stat()
    text = f"{_machine()} {place.st_dev} {place.st_ino}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _machine() -> str:
    for path in MACHINE_IDS:
        try:
            found = path.read_text(encoding="ascii", errors="replace").strip()
        except OSError:
            continue
        if found:
            return found
    # Elsewhere the machine's name has to do, with the folder's place.
    return platform.node()
