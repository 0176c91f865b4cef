"""Contacts that were refused, by why, and how each kind is chosen for a retry. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dispatcher.campaign.retry_choice import RetryChoice
from dispatcher.campaign.retry_choices import Facet
from dispatcher.model import RowState
from dispatcher.studio.advice import answer_advice, meaning

#: What a terminal's advice says, and what is done on the page instead.
_HERE = (
    (", or correct it in the file and run again", ", or correct it and upload the corrected rows"),
    ("Then run again.", "Then retry."),
    ("and run again.", "and upload the corrected rows."),
    ("then resume the campaign.", "then let the campaign go on."),
    ("then resume.", "then let the campaign go on."),
    ("in the settings.", "in the settings: whoever runs this server can."),
    ("; a run can also wait by itself", ""),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Of one kind."""

    title: str
    advice: str
    rows: int
    #: As it stands in an address: `code=21610`, `busy`, `all`.
    choice: str


def refused_of(found: Iterable[Facet]) -> list[Refused]:
    """The kinds, the most frequent first."""
    return [_refused(facet) for facet in found]


def _refused(facet: Facet) -> Refused:
    if facet.state is RowState.busy:
        return Refused(
            title="In another conversation",
            advice="Retry when that has ended.",
            rows=facet.rows,
            choice="busy=yes",
        )
    if facet.code is None:
        return Refused(
            title="Refused without a code",
            # Nothing chooses these alone.
            advice="A retry takes every refused contact, also those with a code.",
            rows=facet.rows,
            choice="all=yes",
        )
    said = meaning(facet.code)
    return Refused(
        title=f"Error {facet.code}" + (f": {said}" if said else ""),
        advice=advice_here(facet.code),
        rows=facet.rows,
        choice=f"code={facet.code}",
    )


def advice_here(code: int) -> str:
    """What to do about an error code, for somebody at the page; empty: nothing is known."""
    advice = answer_advice(None, code) or ""
    for said, here in _HERE:
        advice = advice.replace(said, here)
    return advice


def read_choice(code: int | None, *, busy: bool, every: bool) -> RetryChoice:
    """What a form has chosen."""
    return RetryChoice(codes=(code,) if code is not None else (), busy=busy, all_rejected=every)


def choice_text(choice: RetryChoice) -> str:
    """The same in words."""
    if choice.busy:
        return "in another conversation"
    if choice.codes:
        return f"refused with error {choice.codes[0]}"
    return "refused"
