"""On a cluster: which machine works for which account, and how fast it sends, as the ledger tells it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dispatcher.campaign.observed import UNSERVED_S, Course, Pace
from dispatcher.events import EventBus, Phase, PhaseChanged

if TYPE_CHECKING:
    from dispatcher.events import Snapshot
    from dispatcher.ledger.records import Account, CampaignStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Who works for an account."""

    account: Account
    #: The machine and process that hold it, `host:pid`; None: nobody does.
    holder: str | None
    #: Since when something is to be sent and nobody works for it; None: that is not so.
    idle_since_ms: int | None = None

    @property
    def holder_text(self) -> str:
        """For people; empty: nobody."""
        return machine_text(self.holder or "")

    def is_unserved(self, now_ms: int) -> bool:
        """Whether no worker has come for so long that a person should look."""
        return self.idle_since_ms is not None and now_ms - self.idle_since_ms >= UNSERVED_S * 1000


def machine_text(holder: str) -> str:
    """`mars:4711` as `mars (process 4711)`."""
    host, _, pid = holder.rpartition(":")
    return f"{host} (process {pid})" if host else holder


class Workers:
    """Of all accounts for which something was ordered. `note` what is seen, again and again."""

    def __init__(self) -> None:
        self._serving: dict[int, Serving] = {}

    def note(self, account: Account, holder: str | None, *, is_due: bool, now_ms: int) -> None:
        """Who holds it now; `is_due`: something of it is to be sent now."""
        before = self._serving.get(account.account_id)
        since_ms = before.idle_since_ms if before is not None else None
        is_idle = is_due and holder is None
        self._serving[account.account_id] = Serving(
            account=account, holder=holder, idle_since_ms=(since_ms or now_ms) if is_idle else None
        )

    def keep(self, account_ids: set[int]) -> None:
        """Forget all others: nothing is ordered for them any more."""
        self._serving = {one: found for one, found in self._serving.items() if one in account_ids}

    def of(self, account: Account) -> Serving:
        """As it was seen last; of an account that was not looked at nobody is known."""
        return self._serving.get(account.account_id) or Serving(account=account, holder=None)

    @property
    def all(self) -> list[Serving]:
        """By the accounts' SIDs."""
        return sorted(self._serving.values(), key=lambda one: (one.account.account_sid, one.account.base_url))


class Progress:
    """How fast a campaign goes that workers send: from one look at its counts to the next."""

    def __init__(self, first: CampaignStatus, pace: Pace) -> None:
        self._course = Course(first, pace)
        self._bus = EventBus()
        self._bus.emit(self._course.begin())
        self._bus.emit(PhaseChanged(phase=Phase.sending))
        self.looked_s = time.monotonic()

    def look(self, status: CampaignStatus) -> None:
        """Its counts as they are now."""
        self.looked_s = time.monotonic()
        for event in self._course.changes(status, self.looked_s):
            self._bus.emit(event)

    @property
    def snapshot(self) -> Snapshot:
        """Its live state."""
        return self._bus.snapshot()
