"""`hours`: when contacts may be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dispatcher.cli import options
from dispatcher.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from dispatcher.campaign.hours_shown import HoursShown, Standing

EPILOG = options.examples(
    ("dispatcher hours", "which hours hold, and how it is now"),
    ("dispatcher hours +12025550123", "where that is, and when it is open"),
    ("dispatcher hours +12025550123 --area FL", "as a column with the state has it"),
    ("dispatcher hours spring", "where a campaign's rows wait"),
    ("dispatcher hours --presets", "all that come along, with sources"),
)


_ASKED = "Numbers or addresses; or a campaign's name."


@options.reads_settings("columns.region", "hours.mode", "schedule.start_at", "schedule.deadline", "account.base_url")
def hours(
    asked: options.Asked,
    numbers: Annotated[list[str] | None, typer.Argument(metavar="NUMBER…|CAMPAIGN", help=_ASKED)] = None,
    zone: Annotated[
        str | None,
        typer.Option("--zone", metavar="ZONE", help="Their time zone, as a column would have it (America/Denver)."),
    ] = None,
    area: Annotated[
        str | None,
        typer.Option("--area", metavar="STATE", help="Their state, as a column would have it (FL or US-FL)."),
    ] = None,
    presets: Annotated[
        bool, typer.Option("--presets", help="The hours that the program brings along, with their sources.")
    ] = False,
    json: options.Json = False,
) -> int:
    """Show which hours hold, or when contacts may be reached.

    For a number: where it may be and how certain that is, what holds there, today's hours and the next opening. For a
    campaign: the places of its rows that wait, by its start, too. Needs no credentials, and sends nothing. Not legal
    advice.
    """
    from dispatcher.cli.render import hours as render
    from dispatcher.cli.render.terminal import print_json

    if presets:
        if numbers or zone or area:
            raise UsageError("the presets are the same for all numbers", fix="leave the numbers out, or the presets")
        # Not by the settings: whoever has a wrong name in them looks here for the right one.
        from dispatcher.campaign.hours_shown import preset_objects

        if json:
            print_json(preset_objects())
        else:
            render.print_presets()
        return ExitCode.OK
    if numbers and len(numbers) == 1 and _is_name(numbers[0]) and not (zone or area):
        from dispatcher.cli.session import run_command

        name = numbers[0]
        return run_command(asked, lambda session: _campaign(session, name, json))
    if (zone or area) and not numbers:
        raise UsageError("a zone or a state is one of numbers", fix="give the number, too")
    from dispatcher.campaign.hours_shown import HoursShown
    from dispatcher.clock import now_ms

    shown = HoursShown(asked.load().settings, now_ms())
    found = shown.contacts(numbers, zone or "", area or "") if numbers else shown.zones()
    if json:
        print_json(_object(shown, found, "contacts" if numbers else "zones"))
    elif numbers:
        render.print_contacts(shown, found)
    else:
        render.print_hours(shown, found)
    return ExitCode.OK


def _is_name(text: str) -> bool:
    """Whether it is a campaign's name: no number has a letter, and every other address a colon or an at sign."""
    return any(map(str.isalpha, text)) and not any(sign in text for sign in ":@+")


async def _campaign(session: options.Session, name: str, as_json: bool) -> int:
    from dispatcher.cli.render import hours as render
    from dispatcher.cli.render.terminal import print_json

    async with session.viewing(name) as campaign:
        shown, found = await campaign.hours()
    if as_json:
        from dispatcher.campaign.hours_shown import hours_object, standing_object

        places = [{"rows": rows, **standing_object(one, shown.now_ms)} for rows, one in found]
        print_json({**hours_object(shown), "campaign": name, "places": places})
    else:
        render.print_campaign(shown, name, found)
    return ExitCode.OK


def _object(shown: HoursShown, found: list[Standing], name: str) -> dict[str, Any]:
    from dispatcher.campaign.hours_shown import hours_object, standing_object

    return {**hours_object(shown), name: [standing_object(one, shown.now_ms) for one in found]}
