"""Step 4: how many, from whom, when; and the number that a person types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from dispatcher.campaign.outlook import outlook, read_count
from dispatcher.clock import now_ms
from dispatcher.errors import DispatcherError
from dispatcher.model import Reason
from dispatcher.plurals import counted
from dispatcher.studio.preflight import Severity
from dispatcher.web.access import Action, needs_password
from dispatcher.web.checks import opened_check
from dispatcher.web.cookie import renew_cookie
from dispatcher.web.corrections import add_correction, is_correction
from dispatcher.web.drafts import check_version, unsent_draft
from dispatcher.web.facts import Caution, ahead_facts, warnings
from dispatcher.web.forms import Form
from dispatcher.web.pages.check import not_checked, overlap_sentences
from dispatcher.web.rendering import render
from dispatcher.web.routes import Route, form, page
from dispatcher.web.site import SITE
from dispatcher.web.store import Draft
from dispatcher.web.tested import shown_test
from dispatcher.web.times import Asked, Choice, moment_of, zones
from dispatcher.web.visitor import Visitor
from dispatcher.web.words import finding_words, words_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the form says."""

    when: str = "now"
    date: str = ""
    time: str = ""
    zone: str = ""
    fold: str = ""
    count: str = ""
    again: bool = False
    overlap: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """What sending would do, as it stands now."""

    most: int
    left_out: int
    contacted: int
    revision: int | None
    facts: list[tuple[str, str]]
    cautions: list[Caution]
    #: Why it cannot be sent now; empty: it can.
    off: str
    overlap: str


async def show(request: web.Request, visitor: Visitor) -> web.Response:
    """`GET /c/{draft_id}/send`."""
    draft = await unsent_draft(request)
    return await _show(request, visitor, draft, Answers(zone=draft.zone or request.app[SITE].zone), {})


async def send(request: web.Request, visitor: Visitor, sent: Form) -> web.Response:
    """`POST /c/{draft_id}/send`: launched now, or ordered for a time."""
    draft = await unsent_draft(request)
    check_version(draft, sent)
    site = request.app[SITE]
    answers = Answers(
        when="later" if sent.text("when") == "later" else "now",
        date=sent.text("date"),
        time=sent.text("time"),
        zone=sent.text("zone"),
        fold=sent.text("fold"),
        count=sent.text("count"),
        again=sent.ticked("again"),
        overlap=sent.ticked("overlap"),
    )
    ahead = await _ahead(request, draft)
    problems: dict[str, str] = {}
    if ahead.off:
        problems[""] = ahead.off
    elif sent.whole("revision") != ahead.revision:
        problems[""] = "The flow was published anew since you opened this page. Look at what contacts get now."
    if ahead.overlap and not answers.overlap:
        problems["overlap"] = "Tick that you know this, or go back and choose another file."
    expected = ahead.most + (ahead.contacted if answers.again else 0)
    typed = read_count(answers.count)
    if typed != expected:
        problems["count"] = (
            f"Type {expected:,} to confirm that {counted(expected, 'contact is', 'contacts are')} meant."
            + (f" You typed {typed:,}." if typed is not None else "")
        )
    due = _due(answers)
    choices: tuple[Choice, ...] = ()
    if isinstance(due, Asked):
        problems[due.field] = due.message
        choices = due.choices
    asked = needs_password(visitor.user, visitor.session.password_at_ms, now_ms=now_ms())
    if asked:
        problems |= await _password_problem(request, visitor, sent.typed("password"))
    if problems or isinstance(due, Asked):
        return await _show(request, visitor, draft, answers, problems, ahead=ahead, choices=choices)
    try:
        if is_correction(draft):
            corrected = await add_correction(site, draft, confirmed=expected, who=visitor.name, source=visitor.source)
            raise web.HTTPSeeOther(f"/c/{corrected.draft_id}")
        await site.supervisor.launch(
            draft,
            who=visitor.name,
            source=visitor.source,
            confirmed=expected,
            revision=sent.whole("revision"),
            again=answers.again,
            due_ms=due,
            zone=answers.zone if due is not None else None,
        )
    except DispatcherError as error:
        words = words_of(error)
        problems[""] = words.in_one
        return await _show(request, visitor, draft, answers, problems, ahead=ahead, status=409)
    response = web.HTTPSeeOther(f"/c/{draft.draft_id}")
    if asked:
        await renew_cookie(request, response)
    raise response


def _due(answers: Answers) -> int | Asked | None:
    """When; None: now."""
    if answers.when != "later":
        return None
    found = moment_of(answers.date, answers.time, answers.zone, now_ms=now_ms())
    if isinstance(found, Asked) and answers.fold:
        chosen = [one.at_ms for one in found.choices if str(one.at_ms) == answers.fold]
        return chosen[0] if chosen else found
    return found


async def _password_problem(request: web.Request, visitor: Visitor, password: str) -> Mapping[str, str]:
    """Somebody else may sit there by now."""
    assert visitor.user is not None
    if not password:
        return {"password": "Type your password again."}
    wrong = await request.app[SITE].tries.again(visitor.user, password, visitor.source)
    return {"password": wrong} if wrong else {}


async def _ahead(request: web.Request, draft: Draft) -> Ahead:
    site = request.app[SITE]
    account = site.accounts.of(draft)
    async with opened_check(site, draft) as rehearsal:
        flow = await site.flow_checks.of(draft, rehearsal, has_credentials=account.credentials is not None)
        status = await rehearsal.status()
        waiting, prospect = await rehearsal.ahead(whole_campaign=True)
        left_out = await rehearsal.reasons()
        ahead = outlook(
            status,
            account.settings,
            whole_campaign=True,
            cooled_off=await rehearsal.cooled_off(whole_campaign=True),
        )
        contacted = left_out.get(Reason.contacted.value, 0)
    revision = flow.revision
    errors = [finding_words(one) for one in flow.findings if one.severity is Severity.error]
    # On a cluster the worker compares the file with the flow, where this machine cannot ask.
    off = not_checked(flow) if account.account is None else ""
    off = off or " ".join(f"{words.message} {words.what_to_do}".strip() for words in errors)
    most = account.settings.guard.max_rows
    if not off and most and ahead.most > most:
        off = f"{counted(ahead.most, 'contact')} are more than one campaign here may have: {most:,}."
    if not off and not ahead.most:
        off = "No row can be sent."
    chosen = await site.flows.name(draft.profile, account.settings.campaign.flow or "")
    assert draft.check is not None
    tested = shown_test(draft.test, site.zone, now_ms())
    return Ahead(
        most=ahead.most,
        left_out=sum(left_out.values()),
        contacted=contacted,
        revision=revision,
        facts=[
            *ahead_facts(
                ahead,
                waiting,
                prospect,
                account.settings,
                account_sid=account.owner.account_sid if account.owner else "",
                flow=chosen + (f", revision {revision}" if revision is not None else ""),
                zone=site.zone,
                now_ms=now_ms(),
            ),
            *([("Test", tested.sentence)] if tested is not None else []),
        ],
        cautions=warnings(prospect, tested=draft.test is not None),
        off=off,
        overlap=" ".join(overlap_sentences(draft.check.get("overlap"), site.zone)),
    )


async def _show(
    request: web.Request,
    visitor: Visitor,
    draft: Draft,
    answers: Answers,
    problems: Mapping[str, str],
    *,
    ahead: Ahead | None = None,
    choices: tuple[Choice, ...] = (),
    status: int = 422,
) -> web.Response:
    ahead = ahead or await _ahead(request, draft)
    return render(
        request,
        "send.html",
        status=status if problems else 200,
        draft=draft,
        problems=problems,
        most=ahead.most,
        left_out=ahead.left_out,
        contacted=ahead.contacted,
        revision=ahead.revision,
        facts=ahead.facts,
        warnings=ahead.cautions,
        off=ahead.off,
        overlap=ahead.overlap,
        answers=answers,
        is_correction=is_correction(draft),
        zones=[(zone, zone.replace("_", " ")) for zone in zones()],
        folds=[(str(one.at_ms), one.text) for one in choices],
        asks_password=needs_password(visitor.user, visitor.session.password_at_ms, now_ms=now_ms()),
    )


ROUTES: tuple[Route, ...] = (
    page("/c/{draft_id}/send", Action.send, show),
    form("/c/{draft_id}/send", Action.send, send),
)
