"""Imports that run ahead of their use, beside the start of a command."""

from __future__ import annotations

import threading
from importlib import import_module


def import_client() -> None:
    """Begin to load what speaks HTTP. Half of its time goes to the machine's certificates, and leaves Python free."""
    threading.Thread(target=import_module, args=("dispatcher.studio.client",), name="import-ahead").start()
