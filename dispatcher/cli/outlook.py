"""What a send would do: how many rows, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dispatcher.ledger.records import CampaignStatus
from dispatcher.model import RowState

if TYPE_CHECKING:
    from dispatcher.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions:
    """How a campaign is sent."""

    report: Path
    yes: bool = False
    limit: int | None = None
    json: bool = False
    #: Rows of earlier files, too.
    whole_campaign: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a send would do."""

    planned: int
    #: Rows whose answer is not known: looked up first, and sent only where it is proved that nothing was created.
    in_doubt: int
    limit: int | None
    duration_s: float

    @property
    def most(self) -> int:
        """The most executions that may be started."""
        total = self.planned + self.in_doubt
        return total if self.limit is None else min(total, self.limit)


def outlook(status: CampaignStatus, settings: Settings, options: SendOptions, extra: int = 0) -> Outlook:
    """What a send with these options would do, from the counts; `extra` rows are about to be planned again."""
    planned = status.rows[RowState.planned] + extra
    earlier = status.earlier_rows
    # Doubt is settled for the whole campaign, whatever file the row came with.
    in_doubt = sum(status.rows[state] + earlier.get(state, 0) for state in (RowState.unknown, RowState.sending))
    if options.whole_campaign:
        planned += earlier.get(RowState.planned, 0)
    rows = planned if options.limit is None else min(planned, options.limit)
    return Outlook(planned=planned, in_doubt=in_doubt, limit=options.limit, duration_s=duration_s(rows, settings))


def duration_s(rows: int, settings: Settings) -> float:
    """How long so many requests take at the rate, at the least."""
    rate = settings.rate
    per_window = max(1, int(settings.window_limit * (1 - rate.headroom)))
    if rate.pace == "spike":
        return max(0, -(-rows // per_window) - 1) * rate.window_s
    return rows / (per_window / rate.window_s)
