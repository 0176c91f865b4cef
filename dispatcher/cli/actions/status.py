"""`status`: what the ledger knows, without credentials and without a lock."""

from __future__ import annotations

from rich.text import Text

from dispatcher.campaign import campaign_statuses
from dispatcher.campaign.next_steps import rows_of_all_files
from dispatcher.cli.options import Asked
from dispatcher.cli.render.campaign import account_text, say_next_steps, state_text, status_lines
from dispatcher.cli.render.numbers import time_text
from dispatcher.cli.render.terminal import STATE_STYLES, out, pairs, print_json, say, table
from dispatcher.cli.session import Session
from dispatcher.errors import ExitCode
from dispatcher.model import RowState
from dispatcher.reporting.summary import status_object


def show_one(asked: Asked, name: str, *, as_json: bool) -> ExitCode:
    """One campaign. Raises: CampaignNotFound, LedgerError."""
    session = Session(asked)

    async def main() -> ExitCode:
        async with session.viewing(name) as campaign:
            status, inputs = await campaign.status(), await campaign.inputs()
            reasons = await campaign.reasons()
        if as_json:
            print_json(status_object(status, status.report_path, reasons))
            return ExitCode.OK
        record = status.campaign
        lines: list[tuple[str, Text | str]] = [
            ("campaign", Text(record.name, style="bold")),
            ("state", state_text(status)),
            ("account", account_text(record.account)),
            ("flow", record.flow_sid),
        ]
        if inputs:
            lines.append(("file", inputs[-1].source))
        if status.first_started_at_ms is not None:
            lines.append(("started", time_text(status.first_started_at_ms)))
        out().print(pairs([*lines, *status_lines(status, status.report_path)]))
        say_next_steps(name, status)
        return ExitCode.OK

    return session.run(main)


def show_all(asked: Asked, *, as_json: bool) -> ExitCode:
    """Every campaign of the ledger, oldest first. Raises: LedgerError."""
    session = Session(asked)

    async def main() -> ExitCode:
        statuses = await campaign_statuses(session.settings.state)
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
        for status, rows in zip(statuses, counts, strict=True):
            started = time_text(status.first_started_at_ms) if status.first_started_at_ms is not None else "–"
            cells = [Text(f"{rows[state]:,}" if rows[state] else "", style=STATE_STYLES[state]) for state in states]
            shown.add_row(Text(status.campaign.name, style="bold"), state_text(status), *cells, started)
        out().print(shown)
        return ExitCode.OK

    return session.run(main)
