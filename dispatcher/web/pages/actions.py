"""What is done with a campaign that was launched: pause, go on, stop for good, recall, look up, retry."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Iterable, Sequence
from typing import TYPE_CHECKING

from aiohttp import web

from dispatcher.campaign.outlook import outlook, read_count
from dispatcher.campaign.retry_choices import facets
from dispatcher.clock import now_ms
from dispatcher.errors import DispatcherError
from dispatcher.model import ExecutionStatus, Reason
from dispatcher.plurals import counted
from dispatcher.web.access import Action
from dispatcher.web.drafts import check_version, draft_of, line
from dispatcher.web.forms import Form
from dispatcher.web.pages.campaign import show_campaign
from dispatcher.web.refused import choice_text, read_choice
from dispatcher.web.rendering import render
from dispatcher.web.routes import Route, form, page
from dispatcher.web.site import SITE
from dispatcher.web.store import Draft, Stage
from dispatcher.web.traces import remove_draft, remove_files
from dispatcher.web.visitor import Visitor
from dispatcher.web.words import words_of

if TYPE_CHECKING:
    from dispatcher.campaign.retry_choice import RetryChoice
    from dispatcher.campaign.view import CampaignView
    from dispatcher.sending.reconcile import Reconciled
    from dispatcher.tracking.results import RecallResult, TrackResult

#: It stands beside each contact of the report.
_REASON_MAX = 300
_STOP, _RECALL = "STOP", "RECALL"


async def pause(request: web.Request, visitor: Visitor, _: Form) -> web.Response:
    """`POST …/pause`."""
    draft = await _launched(request)
    return await _done(
        request, visitor, draft, request.app[SITE].supervisor.pause(draft, who=visitor.name, source=visitor.source)
    )


async def go_on(request: web.Request, visitor: Visitor, sent: Form) -> web.Response:
    """`POST …/go-on`: where more would be reached than was confirmed, with the number typed anew."""
    draft = await _launched(request)
    confirmed = None
    if "count" in sent:
        view = await request.app[SITE].supervisor.view_of(draft)
        expected = await _most(view)
        confirmed = read_count(sent.text("count"))
        if confirmed != expected:
            problems = {
                "count": f"Type {expected:,} to confirm that {counted(expected, 'contact is', 'contacts are')} meant."
            }
            return await show_campaign(request, visitor, draft, problems, status=422)
    work = request.app[SITE].supervisor.go_on(
        draft,
        who=visitor.name,
        source=visitor.source,
        seen=sent.whole("seen") or 0,
        confirmed=confirmed,
        revision=sent.whole("revision"),
    )
    return await _done(request, visitor, draft, work)


async def unschedule(request: web.Request, visitor: Visitor, _: Form) -> web.Response:
    """`POST …/unschedule`."""
    draft = await _launched(request)
    work = request.app[SITE].supervisor.unschedule(draft, who=visitor.name, source=visitor.source)
    return await _done(request, visitor, draft, work)


async def reconcile(request: web.Request, visitor: Visitor, _: Form) -> web.Response:
    """`POST …/reconcile`."""
    draft, site = await _launched(request), request.app[SITE]

    def text(found: Reconciled) -> str:
        return (
            f"{counted(found.created, 'row')} found to have been sent, {counted(found.planned, 'row')} not:"
            f" these are sent now. {counted(found.unresolved + found.waiting, 'row is', 'rows are')} still not sure."
        )

    await site.errands.begin(
        draft.draft_id, lambda: site.supervisor.reconcile(draft, who=visitor.name, source=visitor.source), text
    )
    raise _back(draft)


async def track(request: web.Request, visitor: Visitor, _: Form) -> web.Response:
    """`POST …/track`: what became of the conversations."""
    draft, site = await _launched(request), request.app[SITE]
    view = await site.supervisor.view_of(draft)
    await site.store.audit.write(line(visitor, "tracked", draft))

    def text(result: TrackResult) -> str:
        if result.error is not None:
            raise result.error
        ended = result.counts.by_status[ExecutionStatus.ended]
        return f"{counted(ended, 'conversation has', 'conversations have')} ended."

    await site.errands.begin(draft.draft_id, view.track, text)
    raise _back(draft)


async def ask_stop(request: web.Request, _: Visitor) -> web.Response:
    """`GET …/stop`."""
    return _ask_stop(request, await _launched(request), {}, {})


async def stop(request: web.Request, visitor: Visitor, sent: Form) -> web.Response:
    """`POST …/stop`: with the word typed, and why."""
    draft, site = await _launched(request), request.app[SITE]
    problems = {}
    if sent.text("word").upper() != _STOP:
        problems["word"] = f"Type {_STOP} to confirm."
    if not sent.text("reason"):
        problems["reason"] = "Say why: it stands in the report."
    elif not sent.text("reason").isprintable() or len(sent.text("reason")) > _REASON_MAX:
        problems["reason"] = f"Say it in one line of up to {_REASON_MAX} letters that can be seen."
    if problems:
        return _ask_stop(request, draft, problems, {"reason": sent.text("reason")})
    await site.errands.begin(
        draft.draft_id,
        lambda: site.supervisor.stop_for_good(
            draft, who=visitor.name, source=visitor.source, reason=sent.text("reason")
        ),
        lambda rows: f"Stopped: {counted(rows, 'contact')} that waited will not be reached.",
    )
    raise _back(draft)


def _ask_stop(request: web.Request, draft: Draft, problems: dict[str, str], typed: dict[str, str]) -> web.Response:
    lines = (
        "Contacts that wait will not be reached. What was sent stays sent.",
        "It can be taken back as long as the campaign is kept.",
    )
    return _ask(
        request,
        draft,
        "stop",
        f"Stop {draft.name} for good?",
        lines,
        "Stop for good",
        problems,
        typed,
        word=_STOP,
        reason=True,
    )


async def ask_recall(request: web.Request, _: Visitor) -> web.Response:
    """`GET …/recall`."""
    return await _ask_recall(request, await _launched(request), {})


async def recall(request: web.Request, visitor: Visitor, sent: Form) -> web.Response:
    """`POST …/recall`: conversations that are still open are ended."""
    draft, site = await _launched(request), request.app[SITE]
    if sent.text("word").upper() != _RECALL:
        return await _ask_recall(request, draft, {"word": f"Type {_RECALL} to confirm."})

    def text(result: RecallResult) -> str:
        if result.error is not None:
            raise result.error
        return f"{counted(result.ended, 'conversation was', 'conversations were')} ended."

    await site.errands.begin(
        draft.draft_id, lambda: site.supervisor.recall(draft, who=visitor.name, source=visitor.source), text
    )
    raise _back(draft)


async def _ask_recall(request: web.Request, draft: Draft, problems: dict[str, str]) -> web.Response:
    site = request.app[SITE]
    counts = await (await site.supervisor.view_of(draft)).executions()
    open_ones = counts.by_status[ExecutionStatus.active] + counts.unseen
    others = [one.name for one in await site.supervisor.queue() if one.is_running and one.draft_id != draft.draft_id]
    lines = [
        "What was sent stays sent. "
        f"{counted(open_ones, 'conversation', 'conversations')} may still be open; contacts get nothing more of them.",
        "Contacts that wait are not reached either: the campaign is paused. This cannot be undone.",
    ]
    lines += [f"It pauses {name} meanwhile." for name in others]
    return _ask(
        request, draft, "recall", f"Recall {draft.name}?", lines, "End open conversations", problems, {}, word=_RECALL
    )


async def ask_put_back(request: web.Request, _: Visitor) -> web.Response:
    """`GET …/put-back`."""
    return await _ask_put_back(request, await _launched(request), {}, "")


async def put_back(request: web.Request, visitor: Visitor, sent: Form) -> web.Response:
    """`POST …/put-back`: the stop is taken back."""
    draft, site = await _launched(request), request.app[SITE]
    most = await _cancelled(request, draft)
    typed = read_count(sent.text("count"))
    if typed != most:
        return await _ask_put_back(request, draft, {"count": f"Type {most:,} to confirm."}, sent.text("count"))
    await site.errands.begin(
        draft.draft_id,
        lambda: site.supervisor.put_back(
            draft, who=visitor.name, source=visitor.source, seen=sent.whole("seen") or 0, confirmed=most
        ),
        lambda _: "The stop is taken back: it goes on.",
    )
    raise _back(draft)


async def _ask_put_back(request: web.Request, draft: Draft, problems: dict[str, str], typed: str) -> web.Response:
    view = await request.app[SITE].supervisor.view_of(draft)
    most = await _cancelled(request, draft)
    lines = [f"{counted(most, 'contact')} that were taken out wait again, and are reached."]
    hidden = [("seen", (await view.wish()).version)]
    return _ask(
        request,
        draft,
        "put-back",
        f"Go on with {draft.name}?",
        lines,
        "Go on",
        problems,
        {"count": typed},
        hidden=hidden,
        most=most,
    )


async def ask_retry(request: web.Request, _: Visitor) -> web.Response:
    """`GET …/retry?code=|busy=|all=`."""
    query = Form(list(request.query.items()))
    return await _ask_retry(request, await _launched(request), query, {}, "")


async def retry(request: web.Request, visitor: Visitor, sent: Form) -> web.Response:
    """`POST …/retry`: contacts of one kind are sent to once more."""
    draft, site = await _launched(request), request.app[SITE]
    choice = _choice(sent)
    most = await _rows_of(request, draft, choice)
    if read_count(sent.text("count")) != most:
        return await _ask_retry(request, draft, sent, {"count": f"Type {most:,} to confirm."}, sent.text("count"))
    await site.errands.begin(
        draft.draft_id,
        lambda: site.supervisor.retry(
            draft,
            choice,
            confirmed=most,
            who=visitor.name,
            source=visitor.source,
            seen=sent.whole("version") or 0,
        ),
        lambda _: f"{counted(most, 'contact is', 'contacts are')} sent to again.",
    )
    raise _back(draft)


async def _ask_retry(
    request: web.Request, draft: Draft, sent: Form, problems: dict[str, str], typed: str
) -> web.Response:
    choice = _choice(sent)
    most = await _rows_of(request, draft, choice)
    if not most:
        raise _back(draft)
    lines = [
        f"{counted(most, 'contact')} {choice_text(choice)}. They are sent to once more; all others stay as they are.",
        "What was wrong should be put right before: otherwise they are refused again.",
    ]
    hidden: list[tuple[str, object]] = [(name, sent.text(name)) for name in ("code", "busy", "all") if sent.text(name)]
    # Typed again after a mistake it is the same form; what was done meanwhile makes it an old one.
    hidden.append(("version", sent.text("version") or draft.version))
    return _ask(
        request,
        draft,
        "retry",
        "Send to these again?",
        lines,
        f"Send to {counted(most, 'contact')} again",
        problems,
        {"count": typed},
        hidden=hidden,
        most=most,
        is_danger=False,
    )


async def cancel_check(request: web.Request, visitor: Visitor, sent: Form) -> web.Response:
    """`POST …/cancel-check`."""
    site, draft = request.app[SITE], await draft_of(request)
    check_version(draft, sent)
    if draft.stage is Stage.checking:
        await site.checker.cancel(draft, audit=line(visitor, "check_cancelled", draft))
    raise _back(draft)


async def delete(request: web.Request, visitor: Visitor, sent: Form) -> web.Response:
    """`POST …/delete`: a draft of which nothing was sent."""
    site, draft = request.app[SITE], await draft_of(request)
    check_version(draft, sent)
    if draft.stage is Stage.launched:
        raise web.HTTPConflict
    if not await remove_draft(site.store, draft, now_ms=now_ms(), audit=line(visitor, "draft_deleted", draft)):
        raise web.HTTPConflict
    # Its check may have begun anew what is removed.
    await site.checker.drop(draft.draft_id)
    await asyncio.to_thread(shutil.rmtree, site.store.uploads.check_folder(draft.draft_id), ignore_errors=True)
    raise web.HTTPSeeOther("/")


async def delete_file(request: web.Request, visitor: Visitor, _: Form) -> web.Response:
    """`POST …/delete-file`: the uploaded file's bytes; the record of what was sent stays."""
    site, draft = request.app[SITE], await _launched(request)
    if draft.planned < len(draft.uploads):
        raise web.HTTPConflict
    await remove_files(site.store, draft, now_ms=now_ms(), audit=line(visitor, "file_deleted", draft))
    raise _back(draft)


# --- what these have in common ---


async def _launched(request: web.Request) -> Draft:
    """Raises: HTTPNotFound; HTTPSeeOther: it was not launched."""
    draft = await draft_of(request)
    if draft.stage is not Stage.launched:
        raise _back(draft)
    return draft


async def _done(request: web.Request, visitor: Visitor, draft: Draft, work: Awaitable[object]) -> web.Response:
    """Do it; what is refused stands on the campaign's page."""
    try:
        await work
    except DispatcherError as error:
        words = words_of(error)
        sentence = words.in_one
        return await show_campaign(request, visitor, draft, {"": sentence}, status=409)
    raise _back(draft)


def _back(draft: Draft) -> web.HTTPSeeOther:
    return web.HTTPSeeOther(f"/c/{draft.draft_id}")


def _ask(
    request: web.Request,
    draft: Draft,
    what: str,
    heading: str,
    lines: Sequence[str],
    button: str,
    problems: dict[str, str],
    typed: dict[str, str],
    *,
    word: str = "",
    reason: bool = False,
    most: int | None = None,
    hidden: Iterable[tuple[str, object]] = (),
    is_danger: bool = True,
) -> web.Response:
    return render(
        request,
        "ask.html",
        status=422 if problems else 200,
        draft=draft,
        action=f"/c/{draft.draft_id}/{what}",
        heading=heading,
        lines=lines,
        button=button,
        problems=problems,
        typed={"reason": "", "count": "", **typed},
        word=word,
        reason=reason,
        most=most,
        hidden=hidden,
        is_danger=is_danger,
    )


def _choice(sent: Form) -> RetryChoice:
    return read_choice(sent.whole("code"), busy=bool(sent.text("busy")), every=bool(sent.text("all")))


async def _rows_of(request: web.Request, draft: Draft, choice: RetryChoice) -> int:
    """How many contacts a choice has."""
    view = await request.app[SITE].supervisor.view_of(draft)
    return sum(
        one.rows
        for one in await facets(view)
        if (choice.busy and one.state.value == "busy")
        or (one.state.value == "rejected" and (choice.all_rejected or one.code in choice.codes))
    )


async def _cancelled(request: web.Request, draft: Draft) -> int:
    view = await request.app[SITE].supervisor.view_of(draft)
    return (await view.reasons(whole_campaign=True)).get(Reason.cancelled.value, 0)


async def _most(view: CampaignView) -> int:
    return outlook(await view.status(), view.settings, whole_campaign=True).most


ROUTES: tuple[Route, ...] = (
    form("/c/{draft_id}/pause", Action.pause, pause),
    form("/c/{draft_id}/go-on", Action.go_on, go_on),
    form("/c/{draft_id}/unschedule", Action.send, unschedule),
    form("/c/{draft_id}/reconcile", Action.reconcile, reconcile),
    form("/c/{draft_id}/track", Action.reconcile, track),
    page("/c/{draft_id}/stop", Action.stop, ask_stop),
    form("/c/{draft_id}/stop", Action.stop, stop),
    page("/c/{draft_id}/put-back", Action.stop, ask_put_back),
    form("/c/{draft_id}/put-back", Action.stop, put_back),
    page("/c/{draft_id}/recall", Action.recall, ask_recall),
    form("/c/{draft_id}/recall", Action.recall, recall),
    page("/c/{draft_id}/retry", Action.retry, ask_retry),
    form("/c/{draft_id}/retry", Action.retry, retry),
    form("/c/{draft_id}/cancel-check", Action.prepare, cancel_check),
    form("/c/{draft_id}/delete", Action.delete_draft, delete),
    form("/c/{draft_id}/delete-file", Action.delete_file, delete_file),
)
