"""The numbers: the JSON of the contract, the campaign's state, problems with advice, the rate over time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.ledger.records import Account, CampaignRecord, CampaignStatus, LedgerPlace, ReportRow
from dispatcher.model import REPORT_COLUMNS, WAIT_COLUMNS, Pause, PausedBy, RowState, empty_counts
from dispatcher.reporting import summary
from dispatcher.reporting.summary import CampaignState, Departures, campaign_state, status_object
from tests.support.schemas import check
from tests.unit.reporting.support import SENT_MS, batches, never_sent, rejected, row, summed

STATE = CampaignState
PAUSED = Pause(at_ms=1_795_678_278_822, by=PausedBy.guard, reason="")


def status_of(rows: dict[RowState, int] | None = None, **changes: Any) -> CampaignStatus:
    """A campaign that has run."""
    values: dict[str, Any] = {
        "campaign": CampaignRecord(
            campaign_id=1,
            name="spring",
            account=Account(account_id=1, account_sid="AC" + "0" * 32, base_url="http://127.0.0.1"),
            flow_sid="FW" + "0" * 32,
            input_id=1,
        ),
        "ledger": LedgerPlace(location="/home/ann/ledger.sqlite3", since_ms=SENT_MS),
        "rows": {**empty_counts(), **(rows or {})},
        "earlier_rows": {},
        "attempts": 190,
        "throttled": 7,
        "worst_window": 198,
        "window_limit": 200,
        "first_started_at_ms": SENT_MS,
        "duration_s": 9.87654,
        "running": False,
        "interrupted": False,
        "stop_reason": None,
        "report_path": None,
    }
    return CampaignStatus(**{**values, **changes})


def test_the_object_is_that_of_the_contract() -> None:
    """These names, every state present, numbers that JSON has."""
    status = status_of({RowState.created: 185, RowState.rejected: 5})
    found = json.loads(json.dumps(status_object(status, "spring-report.csv", {"contacted": 3, "to_invalid": 1})))
    assert found == {
        "campaign": "spring",
        "state": "finished",
        "ledger": {"path": "/home/ann/ledger.sqlite3", "since": "2026-01-31T09:05:00Z"},
        "rows": {
            "planned": 0,
            "sending": 0,
            "created": 185,
            "rejected": 5,
            "busy": 0,
            "unknown": 0,
            "invalid": 0,
            "skipped": 0,
        },
        "skipped": {"contacted": 3},
        "worst_window": 198,
        "window_limit": 200,
        "attempts": 190,
        "throttled": 7,
        "duration_s": 9.877,
        "rate_per_s": 19.24,
        "report": "spring-report.csv",
    }


def test_the_documentation_shows_the_object(root: Path) -> None:
    """The documentation shows this object and every column.

    The same names, the same columns, every word for a campaign's state.
    """
    text = (root / "docs" / "report.md").read_text(encoding="utf-8")
    shown = json.loads(text.split("```json\n")[1].split("```")[0])
    counted = status_object(status_of({RowState.created: 185, RowState.rejected: 5}), "spring-report.csv", {})
    # A run tells these, too; the acceptance tests look at them.
    own = ("schema", "exit_code", "error", "run", "waiting", "next_at", "hours")
    assert {name: value for name, value in shown.items() if name not in own} == counted
    check("run", shown)
    for word in (*REPORT_COLUMNS, *WAIT_COLUMNS, *CampaignState, *RowState, "earlier_rows"):
        assert f"`{word}`" in text, word


def test_rows_of_earlier_files_are_shown() -> None:
    """Rows of earlier files are shown where there are any.

    They are not among `rows`, and must not vanish.
    """
    assert "earlier_rows" not in status_object(status_of(earlier_rows={RowState.created: 0}), None)
    found = status_object(status_of(earlier_rows={RowState.planned: 3, RowState.busy: 0}), None)
    assert found["earlier_rows"] == {"planned": 3}


def test_a_pause_is_told_where_there_is_one() -> None:
    """Whatever the campaign's state: also of one that has no row to send."""
    assert "paused" not in status_object(status_of(), None)
    found = status_object(status_of({RowState.created: 1}, paused=PAUSED), None)
    assert (found["state"], found["paused"]) == (
        "finished",
        {"at": "2026-11-26T07:31:18Z", "by": "guard", "reason": None},
    )


def test_before_the_first_request_the_rate_is_nought() -> None:
    """No division by a duration of nothing."""
    found = status_object(status_of(attempts=0, duration_s=0.0), None)
    assert (found["rate_per_s"], found["report"]) == (0.0, None)


@pytest.mark.parametrize(
    ("state", "rows", "changes"),
    [
        (STATE.planned, {RowState.planned: 2}, {"first_started_at_ms": None, "interrupted": True}),
        (STATE.planned, {}, {"first_started_at_ms": None}),
        (STATE.running, {RowState.planned: 2}, {"running": True}),
        (STATE.running, {RowState.created: 2}, {"running": True}),
        (STATE.finished, {RowState.created: 2, RowState.rejected: 1, RowState.unknown: 1}, {}),
        (STATE.finished, {RowState.created: 2}, {"stop_reason": "interrupted"}),
        (STATE.finished, {RowState.invalid: 2}, {"first_started_at_ms": None}),
        (STATE.stopped, {RowState.created: 2, RowState.planned: 1}, {"stop_reason": "interrupted"}),
        (STATE.interrupted, {RowState.created: 2, RowState.sending: 1}, {"interrupted": True}),
        (STATE.stopped, {RowState.created: 2, RowState.planned: 1}, {}),
        (STATE.waiting, {RowState.created: 2, RowState.planned: 1}, {"next_at_ms": 9}),
        (STATE.interrupted, {RowState.created: 2, RowState.planned: 1}, {"next_at_ms": 9, "interrupted": True}),
        (STATE.finished, {RowState.created: 2}, {"next_at_ms": 9}),
        (STATE.paused, {RowState.planned: 1}, {"next_at_ms": 9, "paused": PAUSED}),
        (STATE.finished, {RowState.created: 2}, {"earlier_rows": {RowState.planned: 1}}),
        (STATE.paused, {RowState.planned: 2}, {"paused": PAUSED, "first_started_at_ms": None}),
        (STATE.paused, {RowState.created: 2, RowState.planned: 1}, {"paused": PAUSED, "interrupted": True}),
        (STATE.running, {RowState.planned: 2}, {"paused": PAUSED, "running": True}),
        (STATE.finished, {RowState.created: 2}, {"paused": PAUSED}),
    ],
)
def test_one_word_says_where_the_campaign_stands(
    state: CampaignState, rows: dict[RowState, int], changes: dict[str, Any]
) -> None:
    """Killed and never started are told apart, also by a ledger that calls both interrupted."""
    assert campaign_state(status_of(rows, **changes)) is state


def _rows() -> list[ReportRow]:
    return [
        row(2),
        rejected(3),
        rejected(4),
        rejected(5, error_code=None, http_status=422),
        rejected(6, error_code=99999),
        never_sent(7),
        never_sent(8, state=RowState.skipped, reason_code="duplicate"),
        never_sent(9, reason_code="from_the_future"),
        row(10, state=RowState.busy, http_status=409, error_code=20409),
        row(11, state=RowState.unknown, http_status=None, error_code=None),
        row(12, state=RowState.planned, sent_at_ms=None),
    ]


def test_problems_are_counted_by_reason() -> None:
    """Problems are counted by reason, with what to do.

    Most rows first, skipped last; created and planned rows are no problems; nothing is without advice.
    """
    found = summed(status_of({RowState.created: 1}), batches(*_rows(), size=3)).problems
    assert [(problem.state.value, problem.code, problem.rows) for problem in found] == [
        ("rejected", "21211", 2),
        ("rejected", "HTTP 422", 1),
        ("rejected", "99999", 1),
        ("invalid", "to_invalid", 1),
        ("invalid", "from_the_future", 1),
        ("busy", "20409", 1),
        ("unknown", "", 1),
        ("skipped", "duplicate", 1),
    ]
    assert all(problem.advice for problem in found)
    assert found[0].meaning == "the phone number is not valid"
    assert {problem.code: problem.meaning for problem in found}[""] == "no answer"


def test_no_row_falls_between_two_reasons() -> None:
    """Problems count as many rows as there are in states that have problems.

    No row falls between two reasons.
    """
    found = summed(status_of(), batches(*_rows())).problems
    assert sum(problem.rows for problem in found) == len(_rows()) - 2


def test_departures_are_counted_by_the_second() -> None:
    """Departures are counted by the second, and rows that were never sent are not counted."""
    rows = [
        row(2, sent_at_ms=1_000_999),
        row(3, sent_at_ms=1_000_000),
        rejected(4, sent_at_ms=1_002_000),
        never_sent(5),
    ]
    assert summed(status_of(), batches(*rows)).departures == Departures(1, ((1000, 2), (1002, 1)))


@given(seconds=st.lists(st.integers(0, 10_000), max_size=200))
def test_buckets_of_departures_are_few(seconds: list[int]) -> None:
    """However long a campaign is, buckets are few and no departure is lost.

    Buckets grow to 2, 4, … seconds; each departure is in the bucket that covers its moment.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(summary, "BUCKETS_MAX", 8)
        rows = [row(number, sent_at_ms=second * 1000) for number, second in enumerate(seconds, 2)]
        found = summed(status_of(), batches(*rows)).departures
    assert len(found.buckets) <= 8
    expected: dict[int, int] = {}
    for second in seconds:
        start = second // found.bucket_s * found.bucket_s
        expected[start] = expected.get(start, 0) + 1
    assert found.buckets == tuple(sorted(expected.items()))


def test_a_campaign_without_rows_is_a_summary_too() -> None:
    """The empty case."""
    found = summed(status_of(first_started_at_ms=None, attempts=0, duration_s=0.0), [])
    assert (found.total, found.problems, found.departures.buckets) == (0, (), ())
