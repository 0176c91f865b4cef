"""What every page works with: one object for one server, found in the application by `SITE`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from dispatcher.settings import WebSettings
    from dispatcher.web.accounts import Accounts
    from dispatcher.web.address import Address
    from dispatcher.web.flows import Flows
    from dispatcher.web.store import Store
    from dispatcher.web.tries import Tries


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One server."""

    settings: WebSettings
    accounts: Accounts
    store: Store
    address: Address
    flows: Flows
    tries: Tries
    #: Who the one person at this machine is, in the history.
    local_name: str

    @property
    def is_local(self) -> bool:
        """Whether one person at this machine uses it, by a link."""
        return self.settings.auth == "link"


SITE = web.AppKey("site", Site)
