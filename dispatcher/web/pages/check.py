"""Step 2: how many rows can be sent, and every row that cannot, with what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from dispatcher.campaign.flow_check import NotChecked
from dispatcher.campaign.problems import bad_rows
from dispatcher.clock import now_ms
from dispatcher.model import Reason
from dispatcher.plurals import counted
from dispatcher.studio.preflight import Severity
from dispatcher.web.access import Action
from dispatcher.web.checks import opened_check
from dispatcher.web.corrections import corrected_draft
from dispatcher.web.drafts import unsent_draft
from dispatcher.web.flow_checks import FlowFound
from dispatcher.web.rendering import render
from dispatcher.web.routes import Route, page
from dispatcher.web.site import SITE
from dispatcher.web.times import short_moment
from dispatcher.web.visitor import Visitor
from dispatcher.web.words import Words, finding_words, reason_words, words_of

PAGE_ROWS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """One reason, and how many rows have it."""

    code: str
    words: str
    what_to_do: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found about the flow."""

    severity: str
    message: str
    found: str
    what_to_do: str


async def show(request: web.Request, _: Visitor) -> web.Response:
    """`GET /c/{draft_id}/check?reason=&after=`."""
    draft = await unsent_draft(request)
    site, chosen = request.app[SITE], request.query.get("reason", "")
    after = request.query.get("after", "")
    after_row = int(after) if after.isascii() and after.isdigit() and len(after) < 12 else 0
    async with opened_check(site, draft) as rehearsal:
        assert draft.check is not None
        reasons = left_out(draft.check["reasons"])
        if chosen not in {one.code for one in reasons}:
            chosen = ""
        rows = await bad_rows(rehearsal, after_row=after_row, reason=chosen or None, limit=PAGE_ROWS + 1)
        has_credentials = site.accounts.of(draft).credentials is not None
        flow = await site.flow_checks.of(draft, rehearsal, has_credentials=has_credentials)
    counts: Mapping[str, int] = draft.check["rows"]
    is_more = len(rows) > PAGE_ROWS
    return render(
        request,
        "check.html",
        draft=draft,
        problems={},
        into=corrected_draft(draft),
        planned=counts["planned"],
        total=draft.check["total"],
        left_out=counts["invalid"] + counts["skipped"],
        notes=draft.check["notes"],
        findings=[found(words, one.severity) for one in flow.findings if (words := finding_words(one)).message],
        flow_not_checked=not_checked(flow),
        overlaps=overlap_sentences(draft.check.get("overlap"), site.zone),
        reasons=reasons,
        chosen=chosen,
        chosen_words=next((one.words for one in reasons if one.code == chosen), ""),
        rows=rows[:PAGE_ROWS],
        next_after=rows[PAGE_ROWS - 1].row_number if is_more else None,
        is_later=after_row > 0,
    )


def left_out(reasons: Mapping[str, int]) -> list[LeftOut]:
    """Reasons with their words, the most frequent first."""
    found = []
    for code, rows in sorted(reasons.items(), key=lambda item: -item[1]):
        if code in Reason.__members__:
            words = reason_words(Reason(code))
            found.append(LeftOut(code=code, words=words.meaning, what_to_do=words.what_to_do, rows=rows))
        else:
            found.append(LeftOut(code=code, words=code.replace("_", " "), what_to_do="", rows=rows))
    return found


def found(words: Words, severity: Severity) -> Found:
    """A finding for the page."""
    return Found(severity=severity.value, message=words.message, found=words.found, what_to_do=words.what_to_do)


def not_checked(flow: FlowFound) -> str:
    """Why the flow was not looked at; empty: it was."""
    if flow.error is not None:
        words = words_of(flow.error)
        return f"{words.message} {words.what_to_do}".strip()
    return {
        None: "",
        NotChecked.offline: "",
        NotChecked.no_credentials: "This server has no credentials yet: whoever runs it has to set them.",
        NotChecked.no_flow: "No flow is chosen yet: choose one under Columns.",
    }[flow.skipped]


def overlap_sentences(overlap: Mapping[str, Any] | None, zone: str) -> list[str]:
    """Who of these contacts was reached lately, and by which campaign."""
    if not overlap:
        return []
    sentences = []
    for name in overlap["same_file"]:
        sentences.append(f"Exactly this file was given to the campaign {name!r} before.")
    if overlap["contacts"]:
        were = counted(overlap["contacts"], "of these contacts was", "of these contacts were")
        lately = ", ".join(
            f"{one['contacts']:,} by {one['name']!r} ({short_moment(one['last_at_ms'], zone, now_ms=now_ms())})"
            for one in overlap["campaigns"][:3]
        )
        sentences.append(f"{were} reached in the last 7 days: {lately}.")
    return sentences


ROUTES: tuple[Route, ...] = (page("/c/{draft_id}/check", Action.prepare, show),)
