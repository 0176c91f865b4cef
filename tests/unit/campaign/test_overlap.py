"""Whom of a file's contacts the account has reached in the last days: told before a send."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.campaign import open_campaign, rehearse_campaign
from dispatcher.campaign.overlap import Overlap, ReachedBy
from dispatcher.clock import now_ms
from dispatcher.errors import CampaignMismatch, CampaignNotFound, LedgerError
from dispatcher.ledger import open_ledger
from dispatcher.model import Outcome, RowState
from dispatcher.settings import Credentials, Settings
from tests.support.ledgers import NONE, end

FLOW, OTHER_FLOW = "FW" + "1" * 32, "FW" + "2" * 32
ACCOUNT = Credentials(account_sid="AC" + "1" * 32, username="AC" + "1" * 32, password="none")
DAY_MS = 24 * 3_600_000
PEOPLE = ["+12025550100", "+12025550101", "+12025550102", "+12025550103"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def settings(folder: Path, flow: str = FLOW) -> Settings:
    return Settings.model_validate(
        {
            "account": {"base_url": "http://127.0.0.1:9"},
            "campaign": {"from": "+15550001111", "flow": flow},
            "columns": {"to": "phone"},
            "state": {"dir": str(folder / "state")},
        }
    )


def file_of(folder: Path, name: str, *people: str) -> Path:
    path = folder / name
    path.write_text("phone,name\n" + "".join(f"{one},Ann\n" for one in people), encoding="utf-8")
    return path


async def sent(folder: Path, name: str, source: Path, days_ago: int, flow: str = FLOW) -> int:
    """A campaign whose rows were created so many days ago; when that was."""
    at_ms = now_ms() - days_ago * DAY_MS
    async with open_campaign(name, settings(folder, flow), ACCOUNT) as campaign:
        await campaign.plan(source)
        record = campaign.record
    ledger = await open_ledger(settings(folder).state, loopback=True)
    run = await ledger.start_run(record, window_limit=200, now_ms=at_ms)
    rows = await ledger.begin_rows(run, 100, now_ms=now_ms(), input_id=None)
    ends = [end(row, Outcome.created, at_ms=at_ms) for row in rows]
    await ledger.end_rows(run, ends, now_ms=at_ms, totals=NONE)
    await ledger.stop_run(run, now_ms=at_ms, reason=None, totals=NONE)
    await ledger.close()
    return len(rows)


async def test_those_reached_on_any_flow_are_told(folder: Path) -> None:
    """By each campaign with its count; the contacts are counted once, and those who are held back are not."""
    await sent(folder, "may", file_of(folder, "may.csv", *PEOPLE[:2]), 0, OTHER_FLOW)
    await sent(folder, "june", file_of(folder, "june.csv", *PEOPLE[1:3]), 0, "FW" + "3" * 32)
    await sent(folder, "held", file_of(folder, "held.csv", PEOPLE[3]), 0)
    async with rehearse_campaign("new", settings(folder), ACCOUNT) as rehearsal:
        counts = await rehearsal.plan(file_of(folder, "new.csv", *PEOPLE))
        found = await rehearsal.overlap()
        nobody = await rehearsal.overlap(since_ms=now_ms() + DAY_MS)
    assert (counts.rows[RowState.planned], counts.reasons) == (3, {"contacted": 1})
    assert (found.contacts, found.same_file) == (3, ())
    assert [(one.name, one.contacts) for one in found.campaigns] == [("june", 2), ("may", 2)]
    assert nobody == Overlap()


async def test_many_are_put_together_in_lots(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many lots there are, each contact and campaign is counted as in one."""
    monkeypatch.setattr("dispatcher.campaign.overlap._CONTACTS_TOGETHER", 1)
    monkeypatch.setattr("dispatcher.ledger.foresight.ROWS_PER_READ", 1)
    await sent(folder, "may", file_of(folder, "may.csv", *PEOPLE[:3]), 0, OTHER_FLOW)
    async with rehearse_campaign("new", settings(folder), ACCOUNT) as rehearsal:
        await rehearsal.plan(file_of(folder, "new.csv", *PEOPLE))
        found = await rehearsal.overlap()
    assert (found.contacts, [(one.name, one.contacts) for one in found.campaigns]) == (3, [("may", 3)])


async def test_the_same_bytes_in_another_campaign(folder: Path) -> None:
    """Whatever the file is called; its own name is not told."""
    await sent(folder, "may", file_of(folder, "may.csv", *PEOPLE), 0)
    copy = file_of(folder, "copy.csv", *PEOPLE)
    for name, told in (("new", ("may",)), ("may", ())):
        async with rehearse_campaign(name, settings(folder), ACCOUNT) as rehearsal:
            await rehearsal.plan(copy)
            assert (await rehearsal.overlap()).same_file == told


async def test_without_a_ledger_nobody_was_reached(folder: Path) -> None:
    """And none is made."""
    async with rehearse_campaign("new", settings(folder), ACCOUNT) as rehearsal:
        await rehearsal.plan(file_of(folder, "new.csv", *PEOPLE))
        assert await rehearsal.overlap() == Overlap()
    assert not (folder / "state").exists()


def test_it_is_plain_values_for_a_page() -> None:
    """As JSON holds them."""
    found = Overlap(contacts=2, campaigns=(ReachedBy(name="may", contacts=2, last_at_ms=5),), same_file=("may",))
    assert found.as_json() == {
        "contacts": 2,
        "campaigns": [{"name": "may", "contacts": 2, "last_at_ms": 5}],
        "same_file": ["may"],
    }


async def test_a_kept_rehearsal_is_for_its_flow(folder: Path) -> None:
    """Opened for another flow or account, under another name, or removed, it is refused: check again."""
    scratch = folder / "checks" / "ledger.sqlite3"
    async with rehearse_campaign("new", settings(folder), ACCOUNT, scratch=scratch, anew=True) as rehearsal:
        await rehearsal.plan(file_of(folder, "new.csv", *PEOPLE))
    async with rehearse_campaign("new", settings(folder), ACCOUNT, scratch=scratch) as rehearsal:
        assert (await rehearsal.status()).rows[RowState.planned] == len(PEOPLE)
        first = await rehearsal.first_request()
        assert first is not None
        assert (first.row_number, first.to) == (2, PEOPLE[0])
        assert first.parameters["name"] == "Ann"
    other = Credentials(account_sid="AC" + "2" * 32, username="AC" + "2" * 32, password="none")
    for name, flow, whose, error in (
        ("new", OTHER_FLOW, ACCOUNT, CampaignMismatch),
        ("new", FLOW, other, CampaignMismatch),
        ("old", FLOW, ACCOUNT, CampaignNotFound),
    ):
        with pytest.raises(error):
            async with rehearse_campaign(name, settings(folder, flow), whose, scratch=scratch):
                pass
    scratch.unlink()
    with pytest.raises(LedgerError):
        async with rehearse_campaign("new", settings(folder), ACCOUNT, scratch=scratch):
            pass
