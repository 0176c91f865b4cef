"""`status`: how campaigns stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from dispatcher.cli import options
from dispatcher.cli.render.campaign import (
    identity,
    print_status_object,
    say_next_steps,
    sender_pairs,
    state_text,
    status_lines,
    waiting_pairs,
)
from dispatcher.cli.render.numbers import states_text, time_text
from dispatcher.cli.render.terminal import STATE_STYLES, out, print_json, print_pairs, say, table, visible
from dispatcher.errors import ExitCode
from dispatcher.model import RowState

if TYPE_CHECKING:
    from dispatcher.ledger.records import CampaignStatus

EPILOG = options.examples(
    ("dispatcher status", "all campaigns"),
    ("dispatcher status spring", "one, while it runs or later"),
    ("dispatcher status spring --json", "for scripts"),
)


@options.reads_settings("account.base_url", "state.dir")
async def status(
    session: options.Session, campaign: options.OptionalCampaignName = None, json: options.Json = False
) -> int:
    """Show how campaigns stand.

    Rows by state, requests, the worst window; also while a campaign runs. Needs no credentials.
    """
    return await (_one(session, campaign, json) if campaign else _all(session, json))


async def _one(session: options.Session, name: str, as_json: bool) -> ExitCode:
    async with session.viewing(name) as campaign:
        status, inputs = await campaign.status(), await campaign.inputs()
        reasons = await campaign.reasons()
        waiting = [] if status.running else await campaign.waiting()
        is_cluster = campaign.settings.is_cluster
        sender = sender_pairs(status, is_busy=await campaign.is_busy()) if is_cluster else []
    if as_json:
        print_status_object(status, reasons, session.settings, waiting)
        return ExitCode.OK
    lines = [
        ("campaign", Text(status.campaign.name, style="bold")),
        ("state", state_text(status)),
        *sender,
        *identity(status.campaign),
    ]
    if inputs:
        lines.append(("file", inputs[-1].source))
    if status.first_started_at_ms is not None:
        lines.append(("started", time_text(status.first_started_at_ms)))
    lines += [*status_lines(status, status.report_path), *waiting_pairs(waiting)]
    print_pairs(lines)
    say_next_steps(name, status, by_workers=is_cluster)
    return ExitCode.OK


def fits(statuses: Sequence[CampaignStatus], names: Sequence[str]) -> bool:
    """Whether all campaigns stand in a table without a word that is cut."""
    longest = max(len(status.campaign.name) + len(state_text(status).plain) for status in statuses)
    return longest + sum(max(len(name), 7) + 2 for name in names) + 28 <= out().width


def say_campaign(status: CampaignStatus, rows: Mapping[RowState, int]) -> None:
    """A campaign on two lines, for a narrow terminal."""
    started = f", {time_text(status.first_started_at_ms)}" if status.first_started_at_ms is not None else ""
    name = Text.assemble((visible(status.campaign.name), "bold"), "  ", state_text(status), started)
    out().print(name)
    out().print(Text.assemble("  ", states_text(rows)))


async def _all(session: options.Session, as_json: bool) -> ExitCode:
    from dispatcher.campaign import campaign_statuses
    from dispatcher.campaign.next_steps import rows_of_all_files
    from dispatcher.reporting.summary import status_object

    statuses = await campaign_statuses(session.settings)
    if as_json:
        print_json([status_object(status, status.report_path) for status in statuses])
        return ExitCode.OK
    if not statuses:
        say("no campaigns yet: dispatcher run FILE", "bright_black")
        return ExitCode.OK
    counts = [rows_of_all_files(status) for status in statuses]
    states = [state for state in RowState if any(rows[state] for rows in counts)]
    names = [state.value for state in states]
    shown = table("campaign", "state", *names, "started", right=names, whole=("campaign", "started"))
    if not fits(statuses, names):
        for status, rows in zip(statuses, counts, strict=True):
            say_campaign(status, rows)
        return ExitCode.OK
    for status, rows in zip(statuses, counts, strict=True):
        started = time_text(status.first_started_at_ms) if status.first_started_at_ms is not None else "–"
        cells = [Text(f"{rows[state]:,}" if rows[state] else "", style=STATE_STYLES[state]) for state in states]
        shown.add_row(Text(status.campaign.name, style="bold"), state_text(status), *cells, started)
    out().print(shown)
    return ExitCode.OK
