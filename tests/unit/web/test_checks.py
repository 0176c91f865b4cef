"""A draft's check, opened to be looked at; or the way to where there is one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiohttp import web

from dispatcher.campaign import rehearse_campaign
from dispatcher.web.checking import scratch_of
from dispatcher.web.checks import opened_check
from dispatcher.web.store import Draft, Stage, Store
from tests.integration.web.served import FewAccounts, served


@dataclass
class Desk:
    """As much of a site as is needed, and a draft whose check is kept."""

    store: Store
    accounts: FewAccounts
    draft: Draft


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with served(tmp_path, start=False) as found:
        draft = replace(await found.draft("spring", 3), check={"planned": 3})
        account, scratch = found.accounts.of(draft), scratch_of(found.store, draft.draft_id)
        scratch.parent.mkdir(parents=True, exist_ok=True)
        opening = rehearse_campaign("spring", account.settings, account.credentials, scratch=scratch, anew=True)
        async with opening as rehearsal:
            await rehearsal.plan(tmp_path / "spring.csv")
        yield Desk(found.store, found.accounts, draft)


async def test_the_kept_check_is_opened(desk: Desk) -> None:
    """As often as pages are opened, also at once; nothing is read or sent anew."""
    async with opened_check(desk, desk.draft) as one, opened_check(desk, desk.draft) as other:  # type: ignore[arg-type]
        assert await one.first_request() == await other.first_request()
        assert await one.first_request() is not None


@pytest.mark.parametrize(
    "wrong",
    [{"stage": stage} for stage in Stage if stage is not Stage.checked] + [{"check": None}, {"draft_id": "0" * 22}],
)
async def test_without_a_check_the_page_leads_on(desk: Desk, wrong: dict[str, object]) -> None:
    """Not checked yet, not any more, or its file is gone: the draft's own page says what to do."""
    draft = replace(desk.draft, **wrong)  # type: ignore[arg-type]
    with pytest.raises(web.HTTPSeeOther) as caught:
        async with opened_check(desk, draft):  # type: ignore[arg-type]
            pass
    assert caught.value.location == f"/c/{draft.draft_id}"
