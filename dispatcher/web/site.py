"""What every page works with: one object for one server, found in the application by `SITE`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from dispatcher.settings import WebSettings
    from dispatcher.web.accounts import Accounts
    from dispatcher.web.address import Address
    from dispatcher.web.checking import Checker
    from dispatcher.web.downloads import Downloads
    from dispatcher.web.errands import Errands
    from dispatcher.web.flow_checks import FlowChecks
    from dispatcher.web.flows import Flows
    from dispatcher.web.health import LoopLag
    from dispatcher.web.live import Live
    from dispatcher.web.reasons import Reasons
    from dispatcher.web.running import Supervisor
    from dispatcher.web.store import Store
    from dispatcher.web.tries import Tries
    from dispatcher.web.uploads import Received


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One server."""

    settings: WebSettings
    accounts: Accounts
    store: Store
    address: Address
    flows: Flows
    reasons: Reasons
    flow_checks: FlowChecks
    tries: Tries
    supervisor: Supervisor
    checker: Checker
    received: Received
    downloads: Downloads
    live: Live
    errands: Errands
    lag: LoopLag
    #: In which times are told: this machine's.
    zone: str
    #: Who the one person at this machine is, in the history.
    local_name: str

    @property
    def is_local(self) -> bool:
        """Whether one person at this machine uses it, by a link."""
        return self.settings.auth == "link"

    async def taken_names(self, profile: str | None) -> set[str]:
        """Names that a new campaign of an account cannot have: drafts' and the ledger's. Raises: LedgerError."""
        drafts = {draft.name for draft in await self.store.drafts.list() if draft.profile == profile}
        return drafts | {status.campaign.name for status in await self.supervisor.register.statuses()}


SITE = web.AppKey("site", Site)
