"""Start one Twilio Studio Flow Execution per row of a contacts file.

Never above the account's rate, never twice for a row, and with an answer for every row.

    import asyncio
    from dispatcher import load_credentials, load_settings, open_campaign

    async def main() -> None:
        settings = load_settings("config.toml").settings
        async with open_campaign("spring", settings, load_credentials()) as campaign:
            print(await campaign.plan("contacts.csv"))
            result = await campaign.send()
            await campaign.report("spring-report.csv")
            raise SystemExit(result.exit_code)

    asyncio.run(main())

Names are loaded when they are first used: `import dispatcher` alone costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dispatcher.version import __version__ as __version__

if TYPE_CHECKING:
    from dispatcher.campaign import Campaign as Campaign
    from dispatcher.campaign import RunResult as RunResult
    from dispatcher.campaign import open_campaign as open_campaign
    from dispatcher.errors import DispatcherError as DispatcherError
    from dispatcher.errors import ExitCode as ExitCode
    from dispatcher.events import EventBus as EventBus
    from dispatcher.ledger.records import CampaignStatus as CampaignStatus
    from dispatcher.ledger.records import PlanCounts as PlanCounts
    from dispatcher.model import RowState as RowState
    from dispatcher.sandbox import Sandbox as Sandbox
    from dispatcher.sandbox import SandboxSettings as SandboxSettings
    from dispatcher.settings import Credentials as Credentials
    from dispatcher.settings import Settings as Settings
    from dispatcher.settings import load as _load
    from dispatcher.settings import load_credentials as load_credentials
    from dispatcher.studio.client import Studio as Studio

    load_settings = _load

#: Public name -> the module that has it, and its name there.
_PLACES = {
    "Campaign": ("dispatcher.campaign", "Campaign"),
    "CampaignStatus": ("dispatcher.ledger.records", "CampaignStatus"),
    "Credentials": ("dispatcher.settings", "Credentials"),
    "DispatcherError": ("dispatcher.errors", "DispatcherError"),
    "EventBus": ("dispatcher.events", "EventBus"),
    "ExitCode": ("dispatcher.errors", "ExitCode"),
    "PlanCounts": ("dispatcher.ledger.records", "PlanCounts"),
    "RowState": ("dispatcher.model", "RowState"),
    "RunResult": ("dispatcher.campaign", "RunResult"),
    "Sandbox": ("dispatcher.sandbox", "Sandbox"),
    "SandboxSettings": ("dispatcher.sandbox", "SandboxSettings"),
    "Settings": ("dispatcher.settings", "Settings"),
    "Studio": ("dispatcher.studio.client", "Studio"),
    "load_credentials": ("dispatcher.settings", "load_credentials"),
    "load_settings": ("dispatcher.settings", "load"),
    "open_campaign": ("dispatcher.campaign", "open_campaign"),
}

__all__ = ["__version__", *sorted(_PLACES)]


def __getattr__(name: str) -> Any:
    try:
        module, attribute = _PLACES[name]
    except KeyError:
        raise AttributeError(f"module 'dispatcher' has no attribute {name!r}") from None
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return list(__all__)
