"""What Studio says of a draft's flow, and what its texts come to: looked up once, and kept while nothing changes.

A page is waited for, and Studio is somebody else's: it is asked once a minute for each draft, not for each page.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from dispatcher.campaign.flow_check import NotChecked
from dispatcher.errors import DispatcherError

if TYPE_CHECKING:
    from dispatcher.campaign import FlowPreview, Rehearsal
    from dispatcher.studio.preflight import Finding, SeenFlow
    from dispatcher.web.store import Draft

T = TypeVar("T")

KEPT_S = 60.0
#: So many drafts' answers are kept.
KEPT_MAX = 50
#: For what the texts of all rows come to, so many are looked at, and for so long.
_ROWS_MAX = 2_000
_BUDGET_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowFound:
    """What was found about the flow. `skipped`: why nobody was asked; `error`: why there was no answer."""

    findings: Sequence[Finding] = ()
    skipped: NotChecked | None = None
    error: DispatcherError | None = None
    #: The published revision; None: there is none, or it is not known.
    revision: int | None = None


class FlowChecks:
    """Of one server. What Studio has refused is asked again at the next page."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int], tuple[float, FlowFound]] = {}
        self._spread: dict[tuple[str, int], tuple[float, FlowPreview]] = {}
        self._seen: dict[tuple[str, int], tuple[float, SeenFlow]] = {}

    async def of(self, draft: Draft, rehearsal: Rehearsal, *, has_credentials: bool) -> FlowFound:
        """Compare the checked file with the flow. Never raises for what Studio answers."""
        kept = _kept(self._found, draft)
        if kept is not None:
            return kept
        if not has_credentials:
            return FlowFound(skipped=NotChecked.no_credentials)
        if rehearsal.settings.campaign.flow is None:
            return FlowFound(skipped=NotChecked.no_flow)
        try:
            findings = await rehearsal.preflight()
        except DispatcherError as error:
            return FlowFound(error=error)
        self._know(draft, rehearsal)
        found = FlowFound(findings=findings, revision=rehearsal.seen_revision)
        _keep(self._found, draft, found)
        return found

    async def preview(self, draft: Draft, rehearsal: Rehearsal, row_number: int | None) -> FlowPreview:
        """The texts of one row. Raises: as `Rehearsal.preview`."""
        self._tell(draft, rehearsal)
        found = await rehearsal.preview(row_number=row_number, rows_max=0)
        self._know(draft, rehearsal)
        return found

    async def spread(self, draft: Draft, rehearsal: Rehearsal) -> FlowPreview:
        """What the texts of all rows come to. Raises: as `Rehearsal.preview`."""
        kept = _kept(self._spread, draft)
        if kept is not None:
            return kept
        self._tell(draft, rehearsal)
        found = await rehearsal.preview(rows_max=_ROWS_MAX, budget_s=_BUDGET_S)
        _keep(self._spread, draft, found)
        return found

    def _tell(self, draft: Draft, rehearsal: Rehearsal) -> None:
        seen = _kept(self._seen, draft)
        if seen is not None:
            rehearsal.take_flow(seen)

    def _know(self, draft: Draft, rehearsal: Rehearsal) -> None:
        if _kept(self._seen, draft) is None and rehearsal.seen_flow is not None:
            _keep(self._seen, draft, rehearsal.seen_flow)


def _kept(kept: dict[tuple[str, int], tuple[float, T]], draft: Draft) -> T | None:
    """What was found of the draft as it is, if that is not too old."""
    found = kept.get((draft.draft_id, draft.version))
    return found[1] if found is not None and time.monotonic() - found[0] < KEPT_S else None


def _keep(kept: dict[tuple[str, int], tuple[float, T]], draft: Draft, found: T) -> None:
    key = (draft.draft_id, draft.version)
    # What is found anew is the newest.
    kept.pop(key, None)
    while len(kept) >= KEPT_MAX:
        del kept[next(iter(kept))]
    kept[key] = time.monotonic(), found
