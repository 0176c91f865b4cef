"""Into which campaign a file goes, found out before anything is opened for work: and what a person should be asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dispatcher.campaign.naming import STANDARD_INPUT, campaign_name, stem_name
from dispatcher.campaign.planning import PlanOptions
from dispatcher.errors import CampaignNotFound, InputError, UsageError
from dispatcher.hosts import is_loopback
from dispatcher.intake import file_origin
from dispatcher.ledger import open_ledger
from dispatcher.ledger.identity import canonical_sid
from dispatcher.remedies import AnyOf, Option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dispatcher.campaign.view import CampaignView
    from dispatcher.intake import FileOrigin
    from dispatcher.ledger import Ledger
    from dispatcher.ledger.records import CampaignRecord, InputRecord
    from dispatcher.settings import Credentials, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """The campaign that a file goes into."""

    name: str
    #: Whose report the file is where its rows do not say so; empty: the campaign's own.
    origin: str
    #: The file's folder; empty: it has none.
    folder: str
    #: The name is the file's own: nobody chose it, nor do the rows name it.
    is_default: bool
    #: A campaign of this default name was last fed from this folder, which is not the file's; None: none was.
    other_folder: str | None = None
    #: Another campaign that was fed exactly this file; None: there is none.
    same_file: str | None = None
    #: A name that no campaign has.
    free_name: str = ""

    def plan_options(self, *, again: bool = False, add: bool = False, guard: bool = False) -> PlanOptions:
        """How the file is to be planned."""
        return PlanOptions(origin=self.origin, again=again, add=add, guard=guard)

    def renamed(self, name: str) -> Destination:
        """The same file into a campaign that a person has chosen."""
        origin = "" if name == self.same_file else self.origin
        return replace(self, name=name, other_folder=None, same_file=None, origin=origin)

    def refuse_other_folder(self) -> None:
        """Raises: UsageError: a name that nobody chose is not taken for another folder's campaign."""
        if self.other_folder is not None:
            raise UsageError(
                f"there is a campaign {self.name!r}, and it was fed from another folder",
                found=self.other_folder,
                fix=AnyOf(Option("campaign", self.name), Option("campaign", self.free_name)),
            )


async def look(source: str, chosen: str | None, settings: Settings) -> Destination:
    """By the file alone. Raises: UsageError, InputError, SettingsError."""
    return (await _look(source, chosen, settings))[0]


async def destination(
    source: str, chosen: str | None, settings: Settings, credentials: Credentials | None
) -> Destination:
    """By the file, and by what the ledger knows. Raises: UsageError, InputError, SettingsError, LedgerError."""
    found, origin = await _look(source, chosen, settings)
    try:
        ledger = await open_ledger(settings.state, create=False, loopback=settings.is_loopback)
    except CampaignNotFound:
        return found
    try:
        return await _compared(found, ledger, origin, settings, credentials)
    finally:
        await ledger.close()


async def refuse_other_folder(campaign: CampaignView, found: Destination) -> None:
    """For a campaign that is open, as `Destination.refuse_other_folder`."""
    folder = _last_folder(await campaign.inputs()) if found.is_default else ""
    if folder not in ("", found.folder):
        replace(found, other_folder=folder, free_name=f"{found.name}-2").refuse_other_folder()


async def _look(source: str, chosen: str | None, settings: Settings) -> tuple[Destination, FileOrigin]:
    await asyncio.to_thread(_check_there, source)
    origin = await asyncio.to_thread(file_origin, source, settings.input)
    name = campaign_name(source, chosen, origin)
    # A report whose rows do not name their campaign is that of the campaign its own name stands for.
    unnamed = stem_name(source) if origin.is_report and not origin.campaigns else ""
    found = Destination(
        name=name,
        origin="" if unnamed == name else unnamed,
        folder=origin.folder,
        is_default=not chosen and not origin.campaigns,
    )
    return found, origin


def _check_there(source: str) -> None:
    """Before a campaign is made for it. Raises: InputError: there is no such file."""
    if source == STANDARD_INPUT:
        return
    try:
        Path(source).stat()
    except FileNotFoundError:
        raise InputError(f"{source} does not exist", fix="check the name and the folder") from None
    except (OSError, ValueError):
        return  # whoever reads it says what is wrong


async def _compared(
    found: Destination, ledger: Ledger, origin: FileOrigin, settings: Settings, credentials: Credentials | None
) -> Destination:
    records = [record for record in await ledger.campaigns() if _is_of(record, settings, credentials)]
    own = next((record for record in records if record.name == found.name), None)
    if own is not None and found.is_default:
        folder = _last_folder(await ledger.inputs(own))
        if folder not in ("", found.folder):
            return replace(found, other_folder=folder, free_name=_free_name(found.name, records))
    if own is None and origin.sha256 is not None and records:
        flow_sid = settings.campaign.flow or records[-1].flow_sid
        names = await ledger.campaigns_of_file(records[-1].account, flow_sid, origin.sha256)
        return replace(found, same_file=names[0] if names else None)
    return found


def _is_of(record: CampaignRecord, settings: Settings, credentials: Credentials | None) -> bool:
    account = record.account
    return credentials is None or (
        account.account_sid == canonical_sid(credentials.account_sid)
        and is_loopback(account.base_url) == is_loopback(settings.studio_url)
    )


def _last_folder(inputs: Sequence[InputRecord]) -> str:
    return next((item.folder for item in reversed(inputs) if item.folder), "")


def _free_name(name: str, records: Sequence[CampaignRecord]) -> str:
    taken = {record.name for record in records}
    return next(f"{name}-{number}" for number in range(2, len(taken) + 3) if f"{name}-{number}" not in taken)
