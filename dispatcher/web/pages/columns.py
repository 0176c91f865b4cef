"""Step 1: which column is what, which flow, which sender."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from dispatcher.campaign.setup import Variables
from dispatcher.errors import DispatcherError
from dispatcher.web.access import Action
from dispatcher.web.columns import Answers, Seen, answered, filled, look_settings, problems, read, settings_of
from dispatcher.web.corrections import is_correction
from dispatcher.web.countries import country_choices, country_name
from dispatcher.web.drafts import change, check_version, unsent_draft
from dispatcher.web.figures import sample
from dispatcher.web.flows import FlowChoice
from dispatcher.web.forms import Form
from dispatcher.web.rendering import render
from dispatcher.web.routes import Route, form, page
from dispatcher.web.site import SITE
from dispatcher.web.store import Draft, Stage
from dispatcher.web.visitor import Visitor
from dispatcher.web.words import words_of

_PURPOSES = (
    ("marketing", "Marketing: rows wait for daytime where the contacts are"),
    ("transactional", "A reminder, a code, an answer to the contact: it may leave at any hour"),
)
_NOTHING = ("", "(nothing)")


async def show(request: web.Request, _: Visitor) -> web.Response:
    """`GET /c/{draft_id}/columns`."""
    draft = await unsent_draft(request)
    if draft.stage is Stage.checking or draft.look is None:
        raise web.HTTPSeeOther(f"/c/{draft.draft_id}")
    if is_correction(draft):
        # Its columns are those of the campaign that it is added to.
        raise web.HTTPSeeOther(f"/c/{draft.draft_id}/check")
    seen = seen_of(draft.look)
    given = request.app[SITE].accounts.of(draft).settings
    return await _show(request, draft, seen, answered(seen, draft.settings, draft.name, given), {})


async def answer(request: web.Request, visitor: Visitor, sent: Form) -> web.Response:
    """`POST /c/{draft_id}/columns`: look at another sheet, show what a flow uses, or check all rows."""
    draft = await unsent_draft(request)
    check_version(draft, sent)
    if draft.look is None or is_correction(draft):
        raise web.HTTPConflict
    site, seen = request.app[SITE], seen_of(draft.look)
    answers = read(sent, seen)
    looked = look_settings(answers, seen) if sent.text("do") == "look" else None
    if looked is not None:
        changed = await change(request, visitor, draft, "looked_anew", settings=looked, stage=Stage.checking)
        await site.checker.look(changed)
        raise web.HTTPSeeOther(f"/c/{draft.draft_id}")
    account = site.accounts.with_profile(draft.profile)
    needs_sender = account.settings.campaign.from_column is None
    found = problems(answers, needs_flow=account.credentials is not None, needs_sender=needs_sender)
    found |= await _name_taken(request, draft, answers.name)
    if sent.text("do") == "flow" or found:
        return await _show(request, draft, seen, answers, {} if sent.text("do") == "flow" else found)
    settings = settings_of(answers, seen)
    try:
        site.accounts.with_profile(draft.profile, settings)
    except DispatcherError as error:
        return await _show(request, draft, seen, answers, {"": words_of(error).message})
    changed = await change(
        request,
        visitor,
        draft,
        "check_asked",
        settings=settings,
        name=answers.name,
        stage=Stage.checking,
        check=None,
        error=None,
    )
    await site.checker.check(changed)
    raise web.HTTPSeeOther(f"/c/{draft.draft_id}")


async def _name_taken(request: web.Request, draft: Draft, name: str) -> dict[str, str]:
    """A campaign of another file by the same name would be gone on with: the page asks for another name."""
    others = [one for one in await request.app[SITE].store.drafts.named(name) if one.draft_id != draft.draft_id]
    if any(one.profile == draft.profile for one in others):
        return {"name": f"There is a campaign {name!r} already. Give this one another name."}
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _VariableChoice:
    name: str
    label: str
    hint: str
    column: str
    choices: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _ColumnChoice:
    name: str
    sample: str
    is_chosen: bool


async def _show(
    request: web.Request, draft: Draft, seen: Seen, answers: Answers, found: dict[str, str]
) -> web.Response:
    site = request.app[SITE]
    upload = await site.store.uploads.get(draft.uploads[0])
    flows: list[FlowChoice] = []
    flows_problem = ""
    try:
        flows = await site.flows.of(draft.profile)
    except DispatcherError as error:
        flows_problem = f"The flows of the account cannot be listed now. {words_of(error).message}"
    chosen = next((flow for flow in flows if answers.flow in (flow.sid, flow.name)), None)
    variables = Variables()
    if chosen is not None:
        variables = await site.flows.variables_if_known(draft.profile, chosen.sid)
    answers = filled(answers, seen, variables)
    return render(
        request,
        "columns.html",
        status=422 if found else 200,
        draft=draft,
        problems=found,
        look=seen,
        file_name=upload.name if upload else draft.name,
        answers=answers,
        sheets=[(sheet, sheet) for sheet in seen.sheets],
        encodings=[(encoding, f"{sample(text, 60)} ({encoding})") for encoding, text in seen.encodings],
        columns=[_NOTHING, *((name, _with_samples(name, seen)) for name in seen.columns)],
        regions=[("", "(all numbers have a country code)"), *country_choices()],
        region_hint=_region_hint(seen),
        flows=[_NOTHING, *((flow.sid, flow.label) for flow in flows)] if flows else [],
        flows_problem=flows_problem,
        variables=[_variable(name, variables, answers, seen) for name in variables.names],
        others=_others(answers, seen, variables),
        purposes=_PURPOSES,
        purpose_hint="What whoever runs this server has set for hours and limits holds for marketing.",
    )


def seen_of(look: dict[str, Any]) -> Seen:
    """A draft's `look` as values."""
    return Seen(
        columns=tuple(column["name"] for column in look["columns"]),
        samples={column["name"]: column["samples"] for column in look["columns"]},
        sheets=tuple(look["sheets"]),
        sheet=look["sheet"] or "",
        to=look["to"] or "",
        country=look["country"] or "",
        needs_country=look["needs_country"],
        repeated=tuple(look["repeated"]),
        notes=tuple(look["notes"]),
        encodings=tuple((one["encoding"], one["text"]) for one in look.get("encodings", ())),
        encoding=look["settings"].get("input.encoding", ""),
        settings=look["settings"],
    )


def _with_samples(name: str, seen: Seen) -> str:
    samples = [sample(cell) for cell in seen.samples.get(name, ()) if cell.strip()][:2]
    return f"{name} ({', '.join(samples)})" if samples else name


def _region_hint(seen: Seen) -> str:
    if not seen.needs_country:
        return "The numbers that were looked at all have a country code."
    if seen.country:
        return f"Some numbers have no country code. By the others they look like {country_name(seen.country)}."
    return "Some numbers have no country code: of which country are they?"


def _variable(name: str, variables: Variables, answers: Answers, seen: Seen) -> _VariableChoice:
    column = answers.variables.get(name, "")
    hint = ""
    if not column:
        hint = "The flow has a text of its own for it." if name in variables.optional else "Missing: it would be empty."
    choices = (_NOTHING, *((one, _with_samples(one, seen)) for one in seen.columns))
    return _VariableChoice(name=name, label=name, hint=hint, column=column, choices=choices)


def _others(answers: Answers, seen: Seen, variables: Variables) -> list[_ColumnChoice]:
    taken = {answers.variables[name] for name in variables.names if name in answers.variables}
    return [
        _ColumnChoice(
            name=name, sample=sample(next(iter(seen.samples.get(name, ())), ""), 40), is_chosen=name in answers.along
        )
        for name in seen.columns
        # Under a variable's own name its column is sent, and no other.
        if name != answers.to and name not in taken and name not in answers.variables
    ]


ROUTES: tuple[Route, ...] = (
    page("/c/{draft_id}/columns", Action.prepare, show),
    form("/c/{draft_id}/columns", Action.prepare, answer),
)
