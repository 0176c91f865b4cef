"""`check`, `run --dry-run` and `run --test-to`: no row changes, whatever comes."""

from __future__ import annotations

from rich.text import Text

from dispatcher.campaign.destination import look, refuse_other_folder
from dispatcher.campaign.flow_check import check_flow
from dispatcher.campaign.launch import repeats_expected
from dispatcher.campaign.naming import STANDARD_INPUT
from dispatcher.campaign.outlook import outlook
from dispatcher.campaign.problems import EXAMPLES, bad_rows, check_object, left_out, plan_object
from dispatcher.campaign.requested import SentTest, request_object
from dispatcher.cli.actions.run import HowToPlan
from dispatcher.cli.options import Asked
from dispatcher.cli.render.campaign import planned
from dispatcher.cli.render.findings import say_flow_check
from dispatcher.cli.render.numbers import duration_text
from dispatcher.cli.render.problems import print_bad_rows, shortened
from dispatcher.cli.render.progress import reading
from dispatcher.cli.render.remedies import remedy_text
from dispatcher.cli.render.terminal import STATE_STYLES, err, out, pairs, print_json, say
from dispatcher.cli.session import Session
from dispatcher.errors import ExitCode
from dispatcher.model import Reason, RowState

SHOWN_FIRST = 20
PARAMETER_MAX = 200


def check(asked: Asked, file: str, campaign: str | None, *, show_all: bool, offline: bool, as_json: bool) -> ExitCode:
    """Raises: InputError, ColumnError, SettingsError, LedgerError."""
    session = Session(asked, "optional")

    async def main() -> ExitCode:
        into = await look(file, campaign or ("check" if file == STANDARD_INPUT else None), session.settings)
        name = into.name
        async with session.rehearsing(name) as opened:
            await refuse_other_folder(opened, into)
            async with reading(session.bus, file):
                counts = await opened.plan(file, into.plan_options())
            rows = await bad_rows(opened, limit=None if show_all else SHOWN_FIRST) if left_out(counts) else []
            flow = await check_flow(opened, has_credentials=session.credentials is not None, offline=offline)
        invalid = counts.rows[RowState.invalid]
        if as_json:
            print_json({**check_object(file, name, counts, rows), "flow": flow.as_json(remedy_text)})
        else:
            err().print(planned(file, counts))
            print_bad_rows(rows)
            hidden = left_out(counts) - len(rows)
            if hidden > 0:
                say(f"{hidden:,} more: --all shows them", "bright_black")
            if invalid:
                say(f"{invalid:,} rows are wrong and would not be sent; the others can be", "yellow")
            say_flow_check(flow)
        contacted = 0 if repeats_expected(session.settings) else counts.reasons.get(Reason.contacted, 0)
        return flow.exit_code or (ExitCode.SOME_REFUSED if invalid or contacted else ExitCode.OK)

    return session.run(main)


def dry_run(
    asked: Asked, file: str, campaign: str | None, how: HowToPlan, *, limit: int | None, as_json: bool
) -> ExitCode:
    """Raises what `check` does."""
    session = Session(asked, "optional")
    settings = session.settings

    async def main() -> ExitCode:
        into = await look(file, campaign, settings)
        name = into.name
        async with session.rehearsing(name) as opened:
            await refuse_other_folder(opened, into)
            async with reading(session.bus, file):
                counts = await opened.plan(file, into.plan_options(again=how.again, add=how.add))
            rows = await bad_rows(opened, limit=EXAMPLES) if left_out(counts) else []
            ahead = outlook(await opened.status(), settings, limit=limit, again=counts.repeats)
            first = await opened.first_request()
        if as_json:
            found = {"would_send": ahead.most, "duration_s": round(ahead.duration_s, 1)}
            print_json({**plan_object(file, name, counts), **found, "first_request": request_object(first)})
            return ExitCode.OK
        err().print(planned(file, counts))
        print_bad_rows(rows)
        lines: list[tuple[str, Text | str]] = [
            ("campaign", name),
            ("flow", settings.campaign.flow or "not set"),
            ("would send", Text(f"{ahead.most:,} rows", style="bold")),
            ("takes", duration_text(ahead.duration_s, settings)),
        ]
        if first is not None:
            lines += [("first request", f"row {first.row_number}"), ("  To", first.to), ("  From", first.sender)]
            for parameter, value in first.parameters.items():
                lines.append((f"  {parameter}", Text(shortened(value, PARAMETER_MAX))))
        out().print(pairs(lines))
        say("dry run: nothing was sent, nothing was kept", "bold")
        return ExitCode.OK

    return session.run(main)


def send_test(asked: Asked, file: str, campaign: str | None, *, to: str, wait: bool, as_json: bool) -> ExitCode:
    """Raises what `check` does, AuthenticationError, AccountLocked, FlowNotFound."""
    session = Session(asked, "required")

    async def main() -> ExitCode:
        into = await look(file, campaign, session.settings)
        async with session.rehearsing(into.name) as opened:
            async with reading(session.bus, file):
                # Whom a test reaches is the tester's own affair, and its values are the first row's, whoever that is.
                await opened.plan(file, into.plan_options(again=True))
            sent = SentTest(*await opened.test_send(to, wait=wait))
        if as_json:
            print_json(sent.as_json())
        else:
            _print_test(sent)
        if sent.verdict.stop is not None:
            raise sent.verdict.stop
        return sent.exit_code

    return session.run(main)


def _print_test(sent: SentTest) -> None:
    request, verdict = sent.request, sent.verdict
    lines: list[tuple[str, Text | str]] = [
        ("sent to", f"{request.to}, with the values of row {request.row_number}"),
        ("from", request.sender),
        ("outcome", Text(verdict.outcome.value, style=STATE_STYLES[sent.state])),
    ]
    if verdict.execution_sid:
        lines.append(("execution", verdict.execution_sid))
    if verdict.message:
        code = f" ({verdict.error_code})" if verdict.error_code else ""
        lines.append(("answer", f"{verdict.message}{code}"))
    if sent.advice:
        lines.append(("what to do", sent.advice))
    out().print(pairs(lines))
    say("no row of the campaign was sent or changed", "bright_black")
