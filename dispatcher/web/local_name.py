"""Who uses this machine, as the history calls the one person of a local page, and whoever types a command."""

from __future__ import annotations

import getpass


def local_name() -> str:
    """The user's name as the system has it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "this machine"
