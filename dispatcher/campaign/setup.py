"""What a first config.toml is made of: the account's flows, what a flow wants, and what is to be sent of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dispatcher.campaign.matching import Matches, match
from dispatcher.campaign.wiring import studio_client
from dispatcher.settings import Credentials, Settings

if TYPE_CHECKING:
    from dispatcher.intake.looking import Look
    from dispatcher.studio.resources import Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """What a flow reads of its Parameters."""

    #: In the order of their first use.
    names: tuple[str, ...] = ()
    #: Those of them that the flow has a default for, wherever it uses them.
    optional: frozenset[str] = frozenset()
    #: Whether these are all: v1 shows no definition, and widgets may compute names.
    is_whole: bool = False


async def account_flows(settings: Settings, credentials: Credentials) -> list[Flow]:
    """The account's flows, those that are published first, by name. Raises: AuthenticationError, StudioError."""
    async with studio_client(settings, credentials) as studio:
        found = [flow async for flow in studio.flows()]
    return sorted(found, key=lambda flow: (flow.status != "published", (flow.friendly_name or "").casefold(), flow.sid))


async def flow_variables(settings: Settings, credentials: Credentials, flow_sid: str) -> Variables:
    """What the published flow uses. Raises: AuthenticationError, FlowNotFound, StudioError."""
    from dispatcher.studio.definition import parameter_uses, read_definition
    from dispatcher.studio.preflight import look

    async with studio_client(settings, credentials) as studio:
        seen = await look(studio, flow_sid)
    if seen.published is None:
        return Variables()
    definition = read_definition(seen.published.definition)
    uses = parameter_uses(definition)
    named = {name: use for name, use in uses.named.items() if name != settings.campaign.id_parameter}
    return Variables(
        names=tuple(named),
        optional=frozenset(name for name, use in named.items() if not use.without_default),
        is_whole=not uses.dynamic and not definition.problems and bool(named),
    )


async def published_revision(settings: Settings, credentials: Credentials, flow_sid: str) -> int | None:
    """The flow's published revision; None: it has none, or v1 is spoken. Raises: as `flow_variables`."""
    from dispatcher.studio.preflight import look

    async with studio_client(settings, credentials) as studio:
        seen = await look(studio, flow_sid)
    return seen.published.revision if seen.published is not None else None


def match_columns(variables: Variables, look: Look, to: str | None, given: Mapping[str, str]) -> Matches:
    """Which of the file's columns they mean. The numbers' column is none of them, unless it is `given` or of one name.

    `given`: variable -> column or text, as the user says.
    """
    names = [name for name in variables.names if name not in given]
    columns = [name for name in look.names if name not in given.values() and (name != to or name in names)]
    return match(names, columns)


def parameters_setting(variables: Variables, look: Look, to: str, mapped: Mapping[str, str]) -> Any:
    """What `[columns] parameters` is to be, so that the rows send what the flow uses; None: as it is without.

    `mapped`: parameter -> column. Where all that a flow uses is known, nothing else is sent.
    """
    if not variables.is_whole:
        if all(parameter == column and column != to for parameter, column in mapped.items()) and not look.repeated:
            return None
        mapped = {**{name: name for name in look.names if name != to and name not in mapped.values()}, **mapped}
    if all(parameter == column for parameter, column in mapped.items()):
        return list(mapped.values())
    return dict(mapped)


def likely_sheet(looks: Sequence[tuple[str, Look]]) -> str | None:
    """The only sheet with a column that looks like numbers."""
    from dispatcher.intake.guesses import numbers_column

    found = [name for name, look in looks if numbers_column(look.columns).name is not None]
    return found[0] if len(found) == 1 else None
