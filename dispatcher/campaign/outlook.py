"""What a send would do: how many rows, and for how long. And how a person confirms that number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dispatcher.errors import UsageError
from dispatcher.model import RowState
from dispatcher.plurals import counted
from dispatcher.remedies import AnyOf, Option, Setting

if TYPE_CHECKING:
    from dispatcher.ledger.records import CampaignStatus, LedgerPlace
    from dispatcher.settings import Settings

#: What people put between thousands; a full stop is not among them: "12.5" must not be read as 125.
_BETWEEN_THOUSANDS = re.compile("[,_'’ \u00a0\u2009\u202f]")
_COUNT = re.compile(r"0|[1-9][0-9]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a send would do."""

    planned: int
    #: Rows left unknown: looked up first, and sent only where it is proved that nothing was created.
    unresolved: int
    limit: int | None
    #: Of the planned rows, those whose contacts were reached a short time ago, and are to be reached again.
    again: int = 0
    #: Rows that wait and are left out, as contacts who were reached a short time ago.
    contacted: int = 0
    #: Rows that wait and are left out, as contacts who are on a suppression list.
    suppressed: int = 0
    #: Of the planned rows, those that will be left out, as their contacts were reached as often as is allowed.
    cooled_off: int = 0
    #: Rows that wait and are taken out, since the latest file does not have them any more.
    removed: int = 0
    #: At the least: the rate is kept, and no answer is late.
    duration_s: float
    #: Which one will know of it: whoever another one has reached is not known to this one.
    ledger: LedgerPlace
    #: From when on a server is to send it, too; None: none is.
    due_ms: int | None = None

    @property
    def most(self) -> int:
        """The most executions that may be started."""
        total = self.planned + self.unresolved
        return total if self.limit is None else min(total, self.limit)


def outlook(
    status: CampaignStatus,
    settings: Settings,
    *,
    whole_campaign: bool = False,
    limit: int | None = None,
    extra: int = 0,
    risked: int = 0,
    again: int = 0,
    contacted: int = 0,
    suppressed: int = 0,
    cooled_off: int = 0,
    removed: int = 0,
) -> Outlook:
    """What a send would do, from the counts. `whole_campaign`: rows of earlier files, too.

    `extra` rows are about to be planned again, `risked` of which are unknown now; `again` of those that wait are
    repeats; `contacted` are repeats that will be left out, `suppressed` are on lists; `cooled_off` may be
    among those; `removed` wait in earlier files and will be taken out.
    """
    planned = status.rows[RowState.planned] + extra - contacted - suppressed
    earlier = status.earlier_rows
    # Unknown rows are looked up for the whole campaign, whatever file they came with.
    unresolved = sum(status.rows[state] + earlier.get(state, 0) for state in (RowState.unknown, RowState.sending))
    unresolved -= risked
    if whole_campaign:
        planned += earlier.get(RowState.planned, 0) - removed
    rows = planned if limit is None else min(planned, limit)
    return Outlook(
        planned=planned,
        unresolved=unresolved,
        limit=limit,
        again=again,
        contacted=contacted,
        suppressed=suppressed,
        cooled_off=cooled_off,
        removed=removed,
        duration_s=duration_s(rows, settings),
        ledger=status.ledger,
        due_ms=status.due_ms,
    )


def refuse_too_many(ahead: Outlook, settings: Settings) -> None:
    """Raises: UsageError: more rows would be sent than one run may send; nothing was sent."""
    most = settings.guard.max_rows
    if most and ahead.most > most:
        raise UsageError(
            f"{counted(ahead.most, 'row')} would be sent, and one run may send {most:,}",
            found="is it the right file?",
            fix=AnyOf(Setting("guard.max_rows", ahead.most), Option("limit", most)),
        )


def duration_s(rows: int, settings: Settings) -> float:
    """How long so many requests take at the rate, at the least."""
    rate, per_window = settings.rate, _per_window(settings)
    if rate.pace == "spike":
        return max(0, -(-rows // per_window) - 1) * rate.window_s
    return rows / (per_window / rate.window_s)


def pace_per_s(settings: Settings) -> float:
    """How many requests leave in a second, over a window, at the most."""
    return _per_window(settings) / settings.rate.window_s


def _per_window(settings: Settings) -> int:
    return max(1, int(settings.window_limit * (1 - settings.rate.unused_share) + 1e-9))


def read_count(typed: str) -> int | None:
    """The number that a person typed: `1234`, `1,234`, `1 234`; None: it is no whole number."""
    digits = _BETWEEN_THOUSANDS.sub("", typed.strip())
    return int(digits) if _COUNT.fullmatch(digits) else None
