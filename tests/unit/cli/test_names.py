"""What a command derives from its arguments: the campaign's name, the report's path, what a send would do."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.cli.outlook import SendOptions, duration_s, outlook
from dispatcher.cli.run import campaign_name
from dispatcher.cli.sending import must_be_able_to_ask, report_path
from dispatcher.errors import ReportError, UsageError
from dispatcher.ledger.records import Account, CampaignRecord, CampaignStatus
from dispatcher.model import RowState, empty_counts
from dispatcher.settings import RateSettings, Settings


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("contacts.csv", "contacts"),
        ("lists/Spring 2026.xlsx", "Spring 2026"),
        ("contacts.csv.gz", "contacts"),
        ("contacts", "contacts"),
        ("v1.2.csv", "v1.2"),
        ("spring-report.csv", "spring"),
        ("-report.csv", "-report"),
        (".csv", ".csv"),
    ],
)
def test_a_campaign_is_named_after_its_file(source: str, name: str) -> None:
    assert campaign_name(source, None) == name
    assert campaign_name(source, "chosen") == "chosen"


def test_standard_input_has_no_name() -> None:
    with pytest.raises(UsageError):
        campaign_name("-", None)
    assert campaign_name("-", "spring") == "spring"


def test_the_report_is_named_after_its_campaign_whatever_that_holds() -> None:
    assert report_path("spring", None) == Path("spring-report.csv")
    assert report_path("a/b:c\x07", None) == Path("a_b_c_-report.csv")
    assert report_path("spring", Path("out.xlsx")) == Path("out.xlsx")


def test_the_report_never_takes_the_place_of_the_file_that_is_read() -> None:
    Path("spring-report.csv").write_text("phone\n", encoding="utf-8")
    assert report_path("spring", None, "spring-report.csv") == Path("spring-report-2.csv")
    with pytest.raises(UsageError):
        report_path("spring", Path("spring-report.csv"), "./spring-report.csv")
    assert report_path("spring", None, "-") == Path("spring-report.csv")
    with pytest.raises(ReportError):
        report_path("spring", Path("nowhere/r.csv"))


def settings(**rate: object) -> Settings:
    return Settings(rate=RateSettings(**rate))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "rate", "seconds"),
    [
        (198, {}, 10.0),
        (0, {}, 0.0),
        (198, {"pace": "spike"}, 0.0),
        (199, {"pace": "spike"}, 10.0),
        (397, {"pace": "spike"}, 20.0),
        (100, {"per_second": 10, "headroom": 0}, 10.0),
    ],
)
def test_the_duration_is_that_of_the_rate(rows: int, rate: dict[str, object], seconds: float) -> None:
    assert duration_s(rows, settings(**rate)) == pytest.approx(seconds)


def status(rows: dict[RowState, int], earlier: dict[RowState, int] | None = None) -> CampaignStatus:
    account = Account(account_id=1, account_sid="AC" + "0" * 32, base_url="http://127.0.0.1")
    record = CampaignRecord(campaign_id=1, name="spring", account=account, flow_sid="FW" + "0" * 32, input_id=1)
    return CampaignStatus(
        campaign=record,
        rows=empty_counts() | rows,
        earlier_rows=earlier or {},
        attempts=0,
        throttled=0,
        worst_window=0,
        window_limit=0,
        first_started_at_ms=None,
        duration_s=0.0,
        running=False,
        stop_reason=None,
        report_path=None,
    )


def test_what_may_be_sent_counts_rows_in_doubt_of_every_file_and_planned_rows_of_this_one() -> None:
    found = status(
        {RowState.planned: 10, RowState.unknown: 2, RowState.created: 5},
        {RowState.planned: 7, RowState.sending: 1},
    )
    options = SendOptions(report=Path())
    assert outlook(found, settings(), options).most == 13
    assert outlook(found, settings(), SendOptions(report=Path(), whole_campaign=True)).most == 20
    assert outlook(found, settings(), SendOptions(report=Path(), limit=4)).most == 4
    assert outlook(found, settings(), options, extra=3).most == 16


def test_nobody_is_asked_where_nobody_can_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(UsageError, match="no terminal"):
        must_be_able_to_ask(False)
    with pytest.raises(UsageError, match="standard input"):
        must_be_able_to_ask(False, "-")
    must_be_able_to_ask(True, "-")
