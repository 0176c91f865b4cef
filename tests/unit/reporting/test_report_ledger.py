"""From a file through the ledger to the report and back: the rooms fit together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dispatcher.intake import open_input
from dispatcher.ledger.records import AttemptEnd, CampaignRecord, RunTotals
from dispatcher.ledger.sqlite.ledger import SqliteLedger
from dispatcher.model import FoundBy, Outcome, RowState
from dispatcher.reporting.report import write_report
from dispatcher.reporting.selection import Selection
from dispatcher.settings import Settings
from tests.unit.reporting.support import SENT_MS, read_csv, read_dicts

CONTACTS = (
    "mobile,name,name\n"
    "+12025550101,Zoë,one\n"
    '+12025550102,"O\'Neill, ""Pat""",two\n'
    ",nobody,three\n"
    "\n"
    "+12025550101,again,four\n"
    "+1555010,short,five\n"
    "+12025550106,Ann,six,seven\n"
    "+12025550108,=1+1,eight\n"
)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    ledger = SqliteLedger.open(tmp_path / "state")
    yield ledger
    await ledger.close()


async def _planned(ledger: SqliteLedger, path: Path) -> CampaignRecord:
    account = await ledger.account("AC" + "0" * 32, "http://127.0.0.1")
    campaign = await ledger.open_campaign("spring", account, "FW" + "0" * 32)
    tables = {"columns": {"to": "mobile", "parameters": []}, "campaign": {"from": "+12025550199"}}
    with open_input(path, Settings.model_validate(tables)) as opened:
        record = await ledger.begin_input(campaign, opened.new_input)
        for batch in opened.batches():
            await ledger.load_rows(record.input_id, batch)
        await ledger.finish_input(record.input_id, opened.sha256)
    return await ledger.find_campaign("spring")


async def _sent(ledger: SqliteLedger, campaign: CampaignRecord) -> None:
    """The first row is created, the second found by reconcile's word, the others are refused."""
    run = await ledger.start_run(campaign, window_limit=200, now_ms=SENT_MS)
    rows = await ledger.begin_rows(run, 100, now_ms=SENT_MS, input_id=None)
    ends = []
    for place, row in enumerate(rows):
        created = place < 2
        ends.append(
            AttemptEnd(
                row_id=row.row_id,
                attempt_id=row.attempt_id,
                outcome=Outcome.created if created else Outcome.rejected,
                sent_at_ms=SENT_MS,
                ended_at_ms=SENT_MS + 93,
                execution_sid=f"FN{place:032x}" if created else None,
                http_status=201 if created else 400,
                error_code=None if created else 21211,
                found_by=(FoundBy.answer, FoundBy.reconcile)[place] if created else None,
            )
        )
    totals = RunTotals(requests=len(rows), window_limit=200)
    await ledger.end_rows(run, ends, now_ms=SENT_MS + 93, totals=totals)
    await ledger.stop_run(run, now_ms=SENT_MS + 100, reason=None, totals=totals)


async def _report(ledger: SqliteLedger, campaign: CampaignRecord, path: Path, only: str = "all") -> int:
    record = (await ledger.inputs(campaign))[-1]
    async with ledger.snapshot() as snapshot:
        rows = snapshot.rows(record.input_id)
        return await write_report(path, record.header, rows, campaign=campaign.name, only=Selection.parse(only))


async def test_a_dirty_file(ledger: SqliteLedger, tmp_path: Path) -> None:
    """Every line of a dirty file is answered, and a second round finds the same.

    With the real intake and ledger; blank lines are no rows, row numbers are the spreadsheet's.
    """
    source = tmp_path / "contacts.csv"
    source.write_text(CONTACTS)
    campaign = await _planned(ledger, source)
    await _sent(ledger, campaign)
    assert await _report(ledger, campaign, tmp_path / "r.csv") == 7
    header, *records = read_csv(tmp_path / "r.csv")
    assert header[:3] == ["mobile", "name", "name"]
    malformed = records.pop(5)
    assert "+12025550106,Ann,six,seven" in ",".join(malformed[:3])
    assert [record[:3] for record in records] == [
        ["+12025550101", "Zoë", "one"],
        ["+12025550102", 'O\'Neill, "Pat"', "two"],
        ["", "nobody", "three"],
        ["+12025550101", "again", "four"],
        ["+1555010", "short", "five"],
        ["+12025550108", "=1+1", "eight"],
    ]
    records.insert(5, malformed)
    told = [dict(zip(header[3:], record[3:], strict=True)) for record in records]
    assert [row["dispatch_row_number"] for row in told] == ["2", "3", "4", "6", "7", "8", "9"]
    assert [row["dispatch_status"] for row in told] == [
        *("created", "created", "invalid", "skipped", "invalid", "invalid", "rejected")
    ]
    assert [row["dispatch_error_code"] for row in told] == [
        *("", "", "to_missing", "duplicate", "to_invalid", "row_malformed", "21211")
    ]
    assert told[1]["dispatch_error_message"] == "found by reconcile"
    assert told[2]["dispatch_error_message"].startswith("mobile: ")
    assert all(row["dispatch_advice"] for row in told if row["dispatch_status"] != "created")

    # Fed back, the report plans what the file planned, and nothing that was sent is planned again.
    again = await _planned(ledger, tmp_path / "r.csv")
    status = await ledger.status(again)
    assert status.rows[RowState.created] == 2
    record = (await ledger.inputs(again))[-1]
    assert record.header == ("mobile", "name", "name")
    await _report(ledger, again, tmp_path / "second.csv")
    assert [cells[:3] for cells in read_csv(tmp_path / "second.csv")[1:]] == [cells[:3] for cells in records]


async def test_a_subset_keeps_the_files_row_numbers(ledger: SqliteLedger, tmp_path: Path) -> None:
    """`--only failed` names lines that a person looks up in the spreadsheet."""
    source = tmp_path / "contacts.csv"
    source.write_text("mobile\n+12025550101\n+12025550102\nx\n+12025550103\n")
    campaign = await _planned(ledger, source)
    await _sent(ledger, campaign)
    assert await _report(ledger, campaign, tmp_path / "r.csv", only="failed") == 2
    assert [row["dispatch_row_number"] for row in read_dicts(tmp_path / "r.csv")] == ["4", "5"]
