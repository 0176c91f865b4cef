"""Why rows are left out, of a real ledger: counted anew where their number has changed, or some time has passed."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.campaign import CampaignView
from dispatcher.web import reasons
from dispatcher.web.reasons import Reasons
from dispatcher.web.running import State
from tests.integration.web.served import served


async def test_counted_once_for_all_who_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second look costs nothing; a row more, or ten seconds, and it is counted anew; of none nothing is counted."""
    counted, real = [], CampaignView.reasons

    async def count(self: CampaignView, **more: bool) -> dict[str, int]:
        counted.append(self.name)
        return await real(self, **more)

    monkeypatch.setattr(CampaignView, "reasons", count)
    async with served(tmp_path) as s:
        source = tmp_path / "spring.csv"
        source.write_text("phone,first_name\n+12025550101,Ann\n12,Ben\n13,Cleo\n", encoding="utf-8")
        draft = await s.draft("spring", 1, source=source)
        draft = await s.running.launch(draft, who="Anna", confirmed=1)
        await s.until_state(draft, State.finished)
        counted.clear()
        view, status = await s.running.view_of(draft), await s.status(draft)
        kept = Reasons()
        for _ in range(3):
            assert sum((await kept.of(draft, view, status)).values()) == 2
        assert counted == ["spring"]
        monkeypatch.setattr(reasons, "KEPT_S", 0.0)
        await kept.of(draft, view, status)
        assert counted == ["spring"] * 2
        plain = await s.launched("autumn", 2, first=50)
        await s.until_state(plain, State.finished)
        counted.clear()
        assert await kept.of(plain, await s.running.view_of(plain), await s.status(plain)) == {}
        assert counted == []
