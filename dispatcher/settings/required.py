"""The settings that nothing can be done without: told together, and with all that is wrong besides."""

from __future__ import annotations

from collections.abc import Callable

from dispatcher.errors import SettingsError
from dispatcher.remedies import InTurn, Setting
from dispatcher.settings.loading import UnusableSettings
from dispatcher.settings.schema import Settings


def required_settings(load: Callable[[], Settings], *, flow: bool) -> Settings:
    """The settings. `flow`: whether it is needed, too. A single one that is missing is said by whoever needs it.

    Raises: SettingsError.
    """
    try:
        settings = load()
    except UnusableSettings as error:
        missing = _missing(error.given, flow=flow)
        if not missing:
            raise
        told = [f"[{table}] {name}: missing" for table, _, name in (one.name.partition(".") for one in missing)]
        raise UnusableSettings([*error.problems, *told], given=error.given) from None
    missing = _missing(_given(settings), flow=flow)
    if len(missing) > 1:
        names = ", ".join("[{}] {}".format(*one.name.split(".")) for one in missing)
        raise SettingsError(f"{len(missing)} settings are missing", found=names, fix=InTurn(*missing))
    return settings


def _given(settings: Settings) -> frozenset[str]:
    campaign, columns = settings.campaign, settings.columns
    values = {
        "campaign.flow": campaign.flow,
        "campaign.from": campaign.from_,
        "campaign.from_column": campaign.from_column,
        "columns.to": columns.to,
    }
    return frozenset(name for name, value in values.items() if value)


def _missing(given: frozenset[str], *, flow: bool) -> list[Setting]:
    missing: list[Setting] = []
    if flow and "campaign.flow" not in given:
        missing.append(Setting("campaign.flow", "FW…"))
    if not given & {"campaign.from", "campaign.from_column"}:
        missing.append(Setting("campaign.from", "+1…"))
    if "columns.to" not in given:
        missing.append(Setting("columns.to", "COLUMN"))
    return missing
