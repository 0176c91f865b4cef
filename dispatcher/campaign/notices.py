"""What should be known of the ledger's place before anything is sent."""

from __future__ import annotations

from shlex import quote

from dispatcher.errors import SettingsError
from dispatcher.ledger import is_exposed, ledger_folder
from dispatcher.remedies import Advice
from dispatcher.settings import Settings
from dispatcher.settings.notices import Notice


def ledger_notices(settings: Settings) -> list[Notice]:
    """Of the ledger's folder: whether any user of the machine may look into it. A server sees to that itself.

    Never raises.
    """
    if settings.is_cluster:
        return []
    try:
        folder = ledger_folder(settings.state, loopback=settings.is_loopback)
    except SettingsError:
        return []  # said by whoever opens it
    if not is_exposed(folder):
        return []
    text = f"any user of this machine may look into {folder}, where phone numbers are"
    return [Notice(about="privacy", text=text, fix=Advice(f"chmod 700 {quote(str(folder))}"))]
