"""A draft's check, opened to be looked at: the copy of the ledger that its file was planned into."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from aiohttp import web

from dispatcher.campaign import Rehearsal, rehearse_campaign
from dispatcher.web.checking import scratch_of
from dispatcher.web.store import Draft, Stage

if TYPE_CHECKING:
    from dispatcher.web.site import Site


@contextlib.asynccontextmanager
async def opened_check(site: Site, draft: Draft) -> AsyncIterator[Rehearsal]:
    """What the check of a draft has come to. Raises: HTTPSeeOther: there is none; SettingsError, LedgerError."""
    scratch = scratch_of(site.store, draft.draft_id)
    if draft.stage is not Stage.checked or draft.check is None or not scratch.exists():
        raise web.HTTPSeeOther(f"/c/{draft.draft_id}")
    account = site.accounts.of(draft)
    opening = rehearse_campaign(draft.name, account.settings, account.owner, scratch=scratch)
    async with opening as rehearsal:
        yield rehearsal
