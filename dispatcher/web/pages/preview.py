"""Step 3: the texts that a contact gets, and one test to a phone of one's own."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from dispatcher.campaign import FlowPreview, Rehearsal
from dispatcher.clock import now_ms
from dispatcher.errors import DispatcherError
from dispatcher.model import RowState
from dispatcher.reporting.selection import Selection
from dispatcher.web.access import Action, may_test
from dispatcher.web.checks import opened_check
from dispatcher.web.drafts import check_version, unsent_draft
from dispatcher.web.figures import masked
from dispatcher.web.forms import Form
from dispatcher.web.rendering import render
from dispatcher.web.routes import Route, form, page
from dispatcher.web.site import SITE, Site
from dispatcher.web.store import Draft
from dispatcher.web.tested import shown_test
from dispatcher.web.texts import row_notes, shown_texts, spread_facts
from dispatcher.web.visitor import Visitor
from dispatcher.web.words import words_of

#: By somebody who may not send.
TESTS_AN_HOUR = 10
_PLANNED = Selection(frozenset({RowState.planned}))


async def show(request: web.Request, visitor: Visitor) -> web.Response:
    """`GET /c/{draft_id}/preview?row=`."""
    draft = await unsent_draft(request)
    return await _show(request, visitor, draft, request.query.get("row", "").strip(), {})


async def test(request: web.Request, visitor: Visitor, sent: Form) -> web.Response:
    """`POST /c/{draft_id}/test`: one message to a number of one's own, with a row's values."""
    draft = await unsent_draft(request)
    check_version(draft, sent)
    site, to = request.app[SITE], sent.text("to")
    problems: dict[str, str] = {}
    if not to:
        problems["to"] = "Type your own number, with its country code."
    elif not may_test(visitor.user, to):
        problems["to"] = "A test goes to a number of your own. Whoever looks after people here can add it."
    elif not visitor.may(Action.test_anybody) and await _has_tested_much(site, visitor):
        problems["to"] = f"{TESTS_AN_HOUR} tests in an hour are enough. Wait a while, or ask somebody who may send."
    else:
        try:
            await site.supervisor.test_send(
                draft, to=to, row_number=sent.whole("row"), who=visitor.name, source=visitor.source
            )
        except DispatcherError as error:
            words = words_of(error)
            problems["to"] = words.in_one
    if problems:
        return await _show(request, visitor, draft, sent.text("row"), problems, to=to)
    row = sent.whole("row")
    raise web.HTTPSeeOther(f"/c/{draft.draft_id}/preview" + (f"?row={row}" if row else ""))


async def _has_tested_much(site: Site, visitor: Visitor) -> bool:
    """A page is no way to send somebody texts for nothing."""
    since_ms = now_ms() - 3_600_000
    return await site.store.audit.count(visitor.name, "tested", since_ms=since_ms) >= TESTS_AN_HOUR


async def _show(
    request: web.Request, visitor: Visitor, draft: Draft, row: str, problems: dict[str, str], *, to: str = ""
) -> web.Response:
    site = request.app[SITE]
    wanted = int(row) if row.isascii() and row.isdigit() and len(row) < 12 else None
    if row and wanted is None:
        problems = {**problems, "row": "Type a row's number, as your spreadsheet shows it."}
    async with opened_check(site, draft) as rehearsal:
        found, problems = await _preview(site, draft, rehearsal, wanted, problems)
        spread = found
        if not found.not_shown:
            spread = await site.flow_checks.spread(draft, rehearsal)
        shown = await _row(rehearsal, found.row_number)
        number = found.row_number or 0
        following = await _first_after(rehearsal, number) if number else None
    test_off = ""
    if site.accounts.of(draft).credentials is None:
        test_off = "A test can be sent once whoever runs this server has set the credentials of the account."
    elif visitor.user is not None and not visitor.user.own_numbers and not visitor.may(Action.test_anybody):
        test_off = "A test goes to a number of your own. Whoever looks after people here can add yours."
    return render(
        request,
        "preview.html",
        status=422 if problems else 200,
        draft=draft,
        problems=problems,
        preview=found,
        row_number=found.row_number,
        next_row=following,
        longest_row=spread.spread.longest.row_number if spread.spread and spread.spread.longest else None,
        to=shown.to,
        sender=shown.sender,
        along=shown.along,
        texts=shown_texts(found.row) if found.row else [],
        notes=row_notes(found.row) if found.row else [],
        spread=spread_facts(spread),
        test=shown_test(draft.test, site.zone, now_ms()),
        test_off=test_off,
        own_numbers=[(number, number) for number in visitor.user.own_numbers] if visitor.user else [],
        typed_to=to,
    )


async def _preview(
    site: Site, draft: Draft, rehearsal: Rehearsal, row: int | None, problems: dict[str, str]
) -> tuple[FlowPreview, dict[str, str]]:
    """The row that was asked for; where that is none, the first, and what is wrong."""
    for wanted in (row, None):
        try:
            found = await site.flow_checks.preview(draft, rehearsal, wanted)
        except DispatcherError as error:
            words = words_of(error)
            if wanted is None:
                return FlowPreview(not_shown=f"{words.message} {words.what_to_do}".strip()), problems
            problems = {**problems, "row": words.message}
        else:
            return found, problems
    raise AssertionError("the first row is asked for last")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    to: str = ""
    sender: str = ""
    along: tuple[tuple[str, str], ...] = ()


async def _row(rehearsal: Rehearsal, row_number: int | None) -> _Row:
    """Whom a row goes to, from whom, and with which values."""
    if row_number is None:
        return _Row()
    inputs = {one.input_id: one for one in await rehearsal.inputs()}
    async for batch in rehearsal.rows(after_row=row_number - 1):
        row = batch[0]
        own = inputs[row.input_id]
        return _Row(
            to=masked(row.to_address or ""),
            sender=own.sender(row.from_address) or "",
            along=tuple(own.parameters(row.cells).items()),
        )
    return _Row()


async def _first_after(rehearsal: Rehearsal, row_number: int) -> int | None:
    async for batch in rehearsal.rows(only=_PLANNED, after_row=row_number):
        return batch[0].row_number
    return None


ROUTES: tuple[Route, ...] = (
    page("/c/{draft_id}/preview", Action.prepare, show),
    form("/c/{draft_id}/test", Action.test, test),
)
