"""Why a campaign's rows are left out, counted: of a large one at most every few seconds, for all who look at it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dispatcher.model import RowState

if TYPE_CHECKING:
    from dispatcher.campaign import CampaignView
    from dispatcher.ledger.records import CampaignStatus
    from dispatcher.web.store import Draft

#: Counting them reads every row; the number of them all is counted with each change, and is there at once.
KEPT_S = 10.0
_LEFT_OUT = (RowState.invalid, RowState.skipped)


class Reasons:
    """Of one server."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, int, Mapping[str, int]]] = {}

    async def of(self, draft: Draft, view: CampaignView, counts: CampaignStatus) -> Mapping[str, int]:
        """Reason → how many rows, of all the campaign's files. Raises: LedgerError."""
        rows = sum(counts.rows[state] + counts.earlier_rows.get(state, 0) for state in _LEFT_OUT)
        if not rows:
            return {}
        kept = self._kept.get(draft.draft_id)
        now_s = time.monotonic()
        if kept is not None and kept[1] == rows and now_s - kept[0] < KEPT_S:
            return kept[2]
        found = await view.reasons(whole_campaign=True)
        self._kept[draft.draft_id] = now_s, rows, found
        return found
