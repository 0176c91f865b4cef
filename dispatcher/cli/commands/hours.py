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
    ("dispatcher hours --presets", "all that come along, with sources"),
)


@options.reads_settings("columns.region", "hours.mode", "schedule.start_at", "schedule.deadline", "account.base_url")
def hours(
    asked: options.Asked,
    numbers: Annotated[list[str] | None, typer.Argument(metavar="NUMBER…", help="Numbers or addresses.")] = None,
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

    For a number: where it may be and how certain that is, what holds there, today's hours and the next opening.
    Needs no credentials, and sends nothing. Not legal advice.
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


def _object(shown: HoursShown, found: list[Standing], name: str) -> dict[str, Any]:
    from dispatcher.campaign.hours_shown import hours_object, standing_object

    return {**hours_object(shown), name: [standing_object(one, shown.now_ms) for one in found]}
