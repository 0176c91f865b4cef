"""The settings that nothing can be done without: told together, not one after the other."""

from __future__ import annotations

from dispatcher.errors import SettingsError
from dispatcher.remedies import InTurn, Setting
from dispatcher.settings.schema import Settings


def check_required(settings: Settings, *, flow: bool) -> None:
    """`flow`: whether it is needed, too. A single one that is missing is said by whoever needs it, who knows more.

    Raises: SettingsError.
    """
    missing: list[Setting] = []
    if flow and settings.campaign.flow is None:
        missing.append(Setting("campaign.flow", "FW…"))
    if not settings.campaign.from_ and not settings.campaign.from_column:
        missing.append(Setting("campaign.from", "+1…"))
    if settings.columns.to is None:
        missing.append(Setting("columns.to", "COLUMN"))
    if len(missing) > 1:
        names = ", ".join("[{}] {}".format(*one.name.split(".")) for one in missing)
        raise SettingsError(f"{len(missing)} settings are missing", found=names, fix=InTurn(*missing))
