"""`run --dry-run` and `run --test-to`: no row changes, whatever comes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from rich.text import Text

from dispatcher.campaign.destination import look, refuse_other_folder
from dispatcher.campaign.flow_check import check_flow, preview_object
from dispatcher.campaign.outlook import outlook, refuse_too_many
from dispatcher.campaign.problems import LOOKED_AT, bad_rows, left_out, plan_object
from dispatcher.campaign.requested import SentTest, request_object
from dispatcher.cli.asking import typed_number
from dispatcher.cli.render.campaign import planned
from dispatcher.cli.render.findings import print_bad_rows, say_flow_check, shortened
from dispatcher.cli.render.numbers import duration_text
from dispatcher.cli.render.preview import preview_lines
from dispatcher.cli.render.progress import reading
from dispatcher.cli.render.remedies import remedy_text
from dispatcher.cli.render.terminal import STATE_STYLES, err, pairs, print_json, print_pairs, say
from dispatcher.cli.session import Session
from dispatcher.errors import AuthenticationError, ExitCode, FlowNotFound, PermissionRefused, StudioError
from dispatcher.plurals import counted

if TYPE_CHECKING:
    from dispatcher.campaign import Rehearsal
    from dispatcher.campaign.preview import FlowPreview

PARAMETER_MAX = 200


async def dry_run(
    session: Session,
    file: str,
    campaign: str | None,
    *,
    again: bool,
    add: bool,
    limit: int | None,
    check: bool,
    as_json: bool,
) -> ExitCode:
    """The exit code is what the flow makes of it, as it would be for the run.

    Raises: InputError, ColumnError, SettingsError, LedgerError.
    """
    with contextlib.suppress(AuthenticationError):
        session.require_credentials()
    no_flow = await session.look_for_flow(offline=not check)
    settings = session.settings
    into = await look(file, campaign, settings)
    async with session.rehearsing(into.name) as opened:
        await refuse_other_folder(opened, into)
        async with reading(session.bus, file):
            counts = await opened.plan(file, into.plan_options(again=again, add=add))
        rows = await bad_rows(opened, limit=LOOKED_AT) if left_out(counts) else []
        ahead = outlook(await opened.status(), settings, limit=limit, again=counts.repeats)
        refuse_too_many(ahead, settings)
        has_credentials = session.credentials is not None
        flow = await check_flow(
            opened, has_credentials=has_credentials, offline=not check, limit=limit, no_flow=no_flow
        )
        # Last: in the rehearsal's ledger that row is on its way then.
        first = await opened.first_request()
    if as_json:
        found = {"would_send": ahead.most, "duration_s": round(ahead.duration_s, 1)}
        told = {**plan_object(file, into.name, counts), **found, "first_request": request_object(first)}
        print_json({**told, "flow": flow.as_json(remedy_text), "preview": preview_object(flow)})
        return flow.exit_code
    err().print(planned(file, counts))
    print_bad_rows(rows)
    lines: list[tuple[str, Text | str]] = [
        ("campaign", into.name),
        ("flow", settings.campaign.flow or "not set"),
        ("would send", Text(counted(ahead.most, "row"), style="bold")),
        ("takes", duration_text(ahead.duration_s, settings)),
    ]
    if first is not None:
        lines += [("first request", f"row {first.row_number}"), ("  To", first.to), ("  From", first.sender)]
        for parameter, value in first.parameters.items():
            lines.append((f"  {parameter}", Text(shortened(value, PARAMETER_MAX))))
    if flow.preview is not None:
        lines += preview_lines(flow.preview)
    print_pairs(lines)
    say_flow_check(flow)
    say("dry run: nothing was sent, nothing was kept", "bold")
    return flow.exit_code


async def send_test(
    session: Session, file: str, campaign: str | None, *, to: str, row: int | None, wait: bool, as_json: bool
) -> ExitCode:
    """Raises what `dry_run` does, AuthenticationError, AccountLocked, FlowNotFound."""
    session.require_credentials()
    await session.find_flow()
    to = typed_number(to, file)
    into = await look(file, campaign, session.settings)
    async with session.rehearsing(into.name) as opened:
        async with reading(session.bus, file):
            # Whom a test reaches is the tester's own affair, and its values are the first row's, whoever that is.
            await opened.plan(file, into.plan_options(again=True))
        shown = await _shown(opened, row)
        if shown is not None and not as_json:
            # Before it leaves: it can still be stopped.
            err().print(pairs(preview_lines(shown)))
        sent = SentTest(*await opened.test_send(to, row_number=row, wait=wait))
    if as_json:
        print_json(sent.as_json() | {"preview": None if shown is None else shown.as_json()})
    else:
        _print_test(sent)
    if sent.verdict.stop is not None:
        raise sent.verdict.stop
    return sent.exit_code


async def _shown(opened: Rehearsal, row: int | None) -> FlowPreview | None:
    """What the test will say; None: Studio does not tell. A flow that cannot be read stops no test."""
    try:
        return await opened.preview(row_number=row, rows_max=0)
    except (StudioError, PermissionRefused, FlowNotFound):
        return None


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
    print_pairs(lines)
    say("no row of the campaign was sent or changed", "bright_black")
