"""What `check`, `run --dry-run` and `run --test-to` do: all on a throw-away copy of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from dispatcher.cli import options, planning, summary
from dispatcher.cli.interrupts import Interrupts, run_async
from dispatcher.cli.terminal import STATE_STYLES, TABLE_BOX, err, out, print_json, say, visible
from dispatcher.errors import ExitCode
from dispatcher.ledger.records import ReportRow
from dispatcher.model import Outcome, RowState

if TYPE_CHECKING:
    from dispatcher.campaign import Campaign
    from dispatcher.ledger.records import PlanCounts
    from dispatcher.settings import LoadedSettings

SHOWN_FIRST = 20
EXAMPLES = 3
VALUE_MAX = 30


def check_file(
    source: str, name: str, loaded: LoadedSettings, *, show_all: bool, offline: bool, as_json: bool
) -> ExitCode:
    """`check`. Raises: InputError, ColumnError, SettingsError, LedgerError."""
    from dispatcher.campaign import open_campaign
    from dispatcher.cli import preflight

    async def main(interrupts: Interrupts) -> ExitCode:
        credentials = options.credentials_if_any()
        async with open_campaign(
            name, loaded.settings, credentials, bus=planning.event_bus(), scratch=True
        ) as campaign:
            interrupts.watch(campaign)
            counts = await planning.plan(campaign, source)
            problems, header = await _problems(campaign, counts, None if show_all else SHOWN_FIRST)
            flow = await preflight.ask(campaign, credentials, offline=offline)
        invalid = counts.rows[RowState.invalid]
        if as_json:
            print_json({**_check_object(source, name, counts, problems, header), "flow": flow.as_json()})
        else:
            err().print(summary.planned(source, counts))
            _print_problems(problems, header)
            hidden = _left_out(counts) - len(problems)
            if hidden > 0:
                say(f"{hidden:,} more: --all shows them", "bright_black")
            if invalid:
                say(f"{invalid:,} rows are wrong and would not be sent; the others can be", "yellow")
            flow.show()
        return flow.exit_code or (ExitCode.SOME_REFUSED if invalid else ExitCode.OK)

    return run_async(main)


def _left_out(counts: PlanCounts) -> int:
    return counts.rows[RowState.invalid] + counts.rows[RowState.skipped]


async def _problems(
    campaign: Campaign, counts: PlanCounts, limit: int | None
) -> tuple[list[ReportRow], tuple[str, ...]]:
    from dispatcher.reporting.selection import Selection

    header = (await campaign.inputs())[-1].header
    found: list[ReportRow] = []
    if _left_out(counts):
        async for batch in campaign.rows(only=Selection(frozenset({RowState.invalid, RowState.skipped}))):
            found += batch
            if limit is not None and len(found) >= limit:
                return found[:limit], header
    return found, header


def cell_of(row: ReportRow, header: Sequence[str]) -> str:
    """The value that is wrong, or nothing where it is the row as a whole."""
    if row.reason_column in header:
        index = header.index(row.reason_column)
        if index < len(row.cells):
            return row.cells[index]
    return ""


def shortened(value: str, most: int = VALUE_MAX) -> str:
    """On one line, and no longer than fits into a table."""
    flat = visible(value).replace("\n", " ").replace("\t", " ")
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def _advice(row: ReportRow) -> str:
    from dispatcher.reporting.wording import row_advice

    return row_advice(row.state, reason=row.reason_code) if row.reason_code else ""


def _print_problems(problems: list[ReportRow], header: Sequence[str]) -> None:
    if not problems:
        return
    table = Table(box=TABLE_BOX, pad_edge=False, header_style="bright_black")
    table.add_column("row", justify="right", no_wrap=True)
    table.add_column("column", overflow="fold")
    table.add_column("value", overflow="fold")
    table.add_column("reason", overflow="fold")
    advice: dict[str, str] = {}
    for row in problems:
        reason = Text.assemble((row.state.value, STATE_STYLES[row.state]), f": {visible(row.reason or '')}")
        value = Text(shortened(cell_of(row, header)))
        table.add_row(str(row.row_number), Text(visible(row.reason_column or "")), value, reason)
        if row.reason_code:
            advice[row.reason_code] = _advice(row)
    out().print(table)
    out().print(summary.pairs([(reason, what) for reason, what in advice.items() if what]))
    out().print()


def _check_object(
    source: str, name: str, counts: PlanCounts, problems: list[ReportRow], header: Sequence[str]
) -> dict[str, Any]:
    return {
        "file": source,
        "campaign": name,
        "total": counts.total,
        "rows": {state.value: counts.rows[state] for state in RowState},
        "reasons": counts.reasons,
        "new": counts.new,
        "corrected": counts.corrected,
        "problems": [
            {
                "row_number": row.row_number,
                "state": row.state.value,
                "reason": row.reason_code,
                "column": row.reason_column,
                "value": cell_of(row, header)[:200],
                "message": row.reason,
                "advice": _advice(row),
            }
            for row in problems
        ],
        "problems_left_out": _left_out(counts) - len(problems),
    }


def dry_run(source: str, name: str, loaded: LoadedSettings, *, limit: int | None, as_json: bool) -> ExitCode:
    """`run --dry-run`. Raises what `check_file` does."""
    from dispatcher.campaign import open_campaign
    from dispatcher.cli.outlook import SendOptions, outlook

    async def main(interrupts: Interrupts) -> ExitCode:
        credentials = options.credentials_if_any()
        settings = loaded.settings
        async with open_campaign(name, settings, credentials, bus=planning.event_bus(), scratch=True) as campaign:
            interrupts.watch(campaign)
            counts = await planning.plan(campaign, source)
            problems, header = await _problems(campaign, counts, EXAMPLES)
            send_options = SendOptions(report=Path(), limit=limit)
            ahead = outlook(await campaign.status(), settings, send_options)
            first = await campaign.first_request()
            record = campaign.record
        assert record is not None
        request = None
        if first is not None:
            request = {
                "row_number": first.row_number,
                "To": first.to,
                "From": first.sender,
                "Parameters": first.parameters,
            }
        if as_json:
            found = _check_object(source, name, counts, [], header)
            del found["problems"], found["problems_left_out"]
            print_json(
                found | {"would_send": ahead.most, "duration_s": round(ahead.duration_s, 1), "first_request": request}
            )
            return ExitCode.OK
        err().print(summary.planned(source, counts))
        _print_problems(problems, header)
        flow = settings.campaign.flow or "not set"
        lines: list[tuple[str, Text | str]] = [("campaign", name), ("flow", flow)]
        lines.append(("would send", Text(f"{ahead.most:,} rows", style="bold")))
        lines.append(("takes", summary.duration_text(ahead.duration_s, settings)))
        if request is not None:
            lines.append(("first request", f"row {request['row_number']}"))
            lines.append(("  To", str(request["To"])))
            lines.append(("  From", str(request["From"])))
            for parameter, value in first.parameters.items() if first else ():
                lines.append((f"  {parameter}", Text(shortened(value, 200))))
        out().print(summary.pairs(lines))
        say("dry run: nothing was sent, nothing was kept", "bold")
        return ExitCode.OK

    return run_async(main)


_TEST_EXIT = {
    Outcome.created: ExitCode.OK,
    Outcome.rejected: ExitCode.SOME_REFUSED,
    Outcome.busy: ExitCode.SOME_REFUSED,
    Outcome.unknown: ExitCode.SOME_UNKNOWN,
    Outcome.throttled: ExitCode.STOPPED,
    Outcome.not_sent: ExitCode.STOPPED,
}


def send_test(source: str, name: str, to: str, loaded: LoadedSettings, *, wait: bool, as_json: bool) -> ExitCode:
    """`run --test-to`. Raises what `check_file` does, AuthenticationError, AccountLocked, FlowNotFound."""
    from dispatcher.campaign import open_campaign
    from dispatcher.model import STATE_AFTER
    from dispatcher.reporting.wording import row_advice
    from dispatcher.settings import load_credentials

    credentials = load_credentials()

    async def main(interrupts: Interrupts) -> ExitCode:
        bus = planning.event_bus()
        async with open_campaign(name, loaded.settings, credentials, bus=bus, scratch=True) as campaign:
            interrupts.watch(campaign)
            await planning.plan(campaign, source)
            request, verdict = await campaign.test_send(to, wait=wait)
        what_to_do = row_advice(
            STATE_AFTER[verdict.outcome], http_status=verdict.http_status, error_code=verdict.error_code
        )
        if as_json:
            print_json(
                {
                    "to": request.to,
                    "from": request.sender,
                    "parameters": request.parameters,
                    "row_number": request.row_number,
                    "outcome": verdict.outcome.value,
                    "execution_sid": verdict.execution_sid,
                    "http_status": verdict.http_status,
                    "error_code": verdict.error_code,
                    "error_message": verdict.message,
                    "advice": what_to_do,
                }
            )
        else:
            lines: list[tuple[str, Text | str]] = [
                ("sent to", f"{request.to}, with the values of row {request.row_number}"),
                ("from", request.sender),
                ("outcome", Text(verdict.outcome.value, style=STATE_STYLES[STATE_AFTER[verdict.outcome]])),
            ]
            if verdict.execution_sid:
                lines.append(("execution", verdict.execution_sid))
            if verdict.message:
                code = f" ({verdict.error_code})" if verdict.error_code else ""
                lines.append(("answer", f"{verdict.message}{code}"))
            if what_to_do:
                lines.append(("what to do", what_to_do))
            out().print(summary.pairs(lines))
            say("no row of the campaign was sent or changed", "bright_black")
        if verdict.stop is not None:
            raise verdict.stop
        return _TEST_EXIT[verdict.outcome]

    return run_async(main)
