"""What `status` shows."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from dispatcher.cli import summary
from dispatcher.cli.terminal import STATE_STYLES, TABLE_BOX, out, print_json, say
from dispatcher.errors import ExitCode
from dispatcher.ledger.records import CampaignStatus
from dispatcher.model import RowState

if TYPE_CHECKING:
    from dispatcher.settings import Settings


async def show_one(settings: Settings, name: str, *, as_json: bool) -> ExitCode:
    """One campaign. Raises: CampaignNotFound, LedgerError."""
    from dispatcher.campaign import open_campaign

    async with open_campaign(name, settings, create=False, lock=False) as campaign:
        status = await campaign.status()
        inputs = await campaign.inputs()
    if as_json:
        from dispatcher.reporting.summary import status_object

        print_json(status_object(status, status.report_path))
        return ExitCode.OK
    record = status.campaign
    lines: list[tuple[str, Text | str]] = [
        ("campaign", Text(record.name, style="bold")),
        ("state", state_text(status)),
        ("account", f"{record.account.account_sid[:4]}…{record.account.account_sid[-4:]} at {record.account.base_url}"),
        ("flow", record.flow_sid),
    ]
    if inputs:
        lines.append(("file", inputs[-1].source))
    if status.first_started_at_ms is not None:
        lines.append(("started", time_text(status.first_started_at_ms)))
    lines += summary.status_lines(status, status.report_path)
    out().print(summary.pairs(lines))
    for hint in summary.hints(name, status):
        say(hint, "bright_black")
    return ExitCode.OK


async def show_all(settings: Settings, *, as_json: bool) -> ExitCode:
    """Every campaign of the ledger, oldest first. Raises: LedgerError."""
    from dispatcher.campaign import campaign_statuses

    statuses = await campaign_statuses(settings.state)
    if as_json:
        from dispatcher.reporting.summary import status_object

        print_json([status_object(status, status.report_path) for status in statuses])
        return ExitCode.OK
    if not statuses:
        say("no campaigns yet: dispatcher run FILE", "bright_black")
        return ExitCode.OK
    shown = [state for state in RowState if any(_rows(status)[state] for status in statuses)]
    table = Table(box=TABLE_BOX, pad_edge=False, header_style="bright_black")
    table.add_column("campaign", no_wrap=True)
    table.add_column("state")
    for state in shown:
        table.add_column(state.value, justify="right", style=STATE_STYLES[state])
    table.add_column("started", no_wrap=True)
    for status in statuses:
        rows = _rows(status)
        started = time_text(status.first_started_at_ms) if status.first_started_at_ms is not None else "–"
        counts = [f"{rows[state]:,}" if rows[state] else "" for state in shown]
        table.add_row(Text(status.campaign.name, style="bold"), state_text(status), *counts, started)
    out().print(table)
    return ExitCode.OK


def _rows(status: CampaignStatus) -> dict[RowState, int]:
    return {state: status.rows[state] + status.earlier_rows.get(state, 0) for state in RowState}


def state_text(status: CampaignStatus) -> Text:
    """The campaign's state, with why it stopped."""
    from dispatcher.reporting.summary import campaign_state

    text = Text(campaign_state(status))
    if status.stop_reason:
        text.append(f" ({status.stop_reason})", style="bright_black")
    return text


def time_text(at_ms: int) -> str:
    """Local time, to the minute."""
    return datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
