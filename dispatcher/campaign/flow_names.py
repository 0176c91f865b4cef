"""A flow by its name, wherever its SID is wanted: the account's list says which is meant. Nothing is guessed."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dispatcher.campaign.wiring import studio_client
from dispatcher.errors import SettingsError
from dispatcher.intake.header import visible
from dispatcher.remedies import AnyOf, Command, Setting
from dispatcher.settings import Credentials, Settings, is_flow_sid

if TYPE_CHECKING:
    from dispatcher.studio.resources import Flow

_SHOWN_MAX = 10
_FIXES_MAX = 3
_LISTS = Command("flows", does="lists the account's flows")


async def with_flow_sid(settings: Settings, credentials: Credentials | None) -> Settings:
    """The settings with the flow's SID in place of its name. Studio is asked only where a name stands there.

    Without credentials it cannot be found out: then no flow is set.

    Raises: SettingsError: no flow of the account has the name, or several have; AuthenticationError, StudioError.
    """
    name = settings.campaign.flow
    if name is None or is_flow_sid(name):
        return settings
    may_ask = credentials is not None and credentials.has_secret
    return settings_with_flow(settings, await _sid_of(name, settings, credentials) if credentials and may_ask else None)


def settings_with_flow(settings: Settings, flow_sid: str | None) -> Settings:
    """The settings with another flow, or none."""
    return settings.model_copy(update={"campaign": settings.campaign.model_copy(update={"flow": flow_sid})})


def find_flow(name: str, flows: Sequence[Flow]) -> Flow:
    """The one flow of this name, as people see it: blanks at its ends do not count, capitals do.

    Raises: SettingsError: there is none, or there are several.
    """
    wanted = visible(name)
    found = [flow for flow in flows if visible(flow.friendly_name or "") == wanted]
    if len(found) == 1:
        return found[0]
    shown = wanted if len(wanted) <= 60 else f"{wanted[:59]}…"
    if found:
        listed = ", ".join(f"{flow.sid} ({flow.status or 'status not told'})" for flow in found[:_SHOWN_MAX])
        more = f" and {len(found) - _SHOWN_MAX} more" if len(found) > _SHOWN_MAX else ""
        raise SettingsError(
            f'[campaign] flow: the account has {len(found)} flows named "{shown}"',
            found=listed + more,
            fix=AnyOf(*(Setting("campaign.flow", flow.sid) for flow in found[:_FIXES_MAX])),
        )
    names = sorted({visible(flow.friendly_name or "") for flow in flows} - {""})
    more = f" and {len(names) - _SHOWN_MAX} more" if len(names) > _SHOWN_MAX else ""
    there = ", ".join(f'"{one}"' for one in names[:_SHOWN_MAX]) + more
    near = nearest(wanted, names)
    raise SettingsError(
        f'[campaign] flow: the account has no flow named "{shown}"',
        found=f"the flows {there}" if names else "no flows" if not flows else "flows without names",
        fix=AnyOf(Setting("campaign.flow", near), _LISTS) if near else _LISTS,
    )


def nearest(wanted: str, names: Sequence[str]) -> str | None:
    """The name that was probably meant: to be shown, never to be used."""
    by_fold = {name.casefold(): name for name in reversed(names)}
    if wanted.casefold() in by_fold:
        return by_fold[wanted.casefold()]
    begins = [name for fold, name in by_fold.items() if fold.startswith(wanted.casefold())]
    if wanted and len(begins) == 1:
        return begins[0]
    close = difflib.get_close_matches(wanted.casefold(), by_fold, n=1, cutoff=0.6)
    return by_fold[close[0]] if close else None


async def _sid_of(name: str, settings: Settings, credentials: Credentials) -> str:
    async with studio_client(settings, credentials) as studio:
        return find_flow(name, [flow async for flow in studio.flows()]).sid
