"""What a run's end is told as: the kind, the object, and nothing of anybody."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dispatcher.campaign.announcement import announcing, is_news, kind_of
from dispatcher.campaign.handing import HandedOver
from dispatcher.campaign.result import RunResult
from dispatcher.errors import BreakerOpen, CanaryStopped, DispatcherError, GuardTripped, Interrupted
from dispatcher.ledger.notices import EndedRun, NewNotice
from dispatcher.ledger.records import CampaignStatus
from dispatcher.ledger.wishes import PAUSED_BEFORE, refusal
from dispatcher.model import NoticeKind, Pause, PausedBy, RowState
from dispatcher.settings import Settings
from tests.unit.campaign.values import status

HOOK = "https://example.com/hook?token=canary-url"
BOTH = {"webhook": HOOK, "command": ["/usr/bin/canary-command"]}


def settings(**tables: dict[str, Any]) -> Settings:
    return Settings.model_validate({"notify": {"webhook": HOOK}} | tables)


def ended(of: CampaignStatus, **skipped: int) -> EndedRun:
    return EndedRun(
        run_id=7,
        started_at_ms=1_000,
        ended_at_ms=61_500,
        requests=3,
        throttled=1,
        status=of,
        skipped=skipped,
        told_before=None,
    )


def told(
    of: CampaignStatus,
    *,
    error: DispatcherError | None = None,
    remaining: int = 0,
    by: Settings | None = None,
    had_work: bool = True,
    report: Path | None = None,
    killed: bool = False,
    **skipped: int,
) -> list[NewNotice]:
    """The notices of a run that has come to this."""

    def result(found: CampaignStatus) -> RunResult:
        return RunResult(status=found, error=error, remaining=remaining)

    announce = announcing(by or settings(), None if killed else result, report=report, had_work=had_work)
    assert announce is not None
    return [*announce(ended(of, **skipped))]


def data(found: list[NewNotice]) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(found[0].body)
    assert body["type"] == found[0].kind
    inner: dict[str, Any] = body["data"]
    return inner


DONE = status({RowState.created: 3})
WAITS = replace(status({RowState.created: 1, RowState.planned: 2}), first_started_at_ms=1)


@pytest.mark.parametrize(
    ("of", "error", "remaining", "kind"),
    [
        (DONE, None, 0, NoticeKind.finished),
        (status({RowState.created: 2, RowState.unknown: 1}), None, 0, NoticeKind.finished),
        (WAITS, None, 0, NoticeKind.stopped),  # a limit
        (WAITS, BreakerOpen("20 failures"), 2, NoticeKind.stopped),
        (WAITS, GuardTripped("41 of 200"), 2, NoticeKind.guard),
        (WAITS, CanaryStopped("6 of 50"), 2, NoticeKind.canary),
        (DONE, Interrupted(), 0, NoticeKind.stopped),
        (DONE, None, 1, NoticeKind.stopped),  # rows of an earlier file
    ],
)
def test_kinds_of_a_run(of: CampaignStatus, error: DispatcherError | None, remaining: int, kind: NoticeKind) -> None:
    """Finished is a run after which every row has its answer."""
    assert kind_of(RunResult(status=of, error=error, remaining=remaining)) is kind


def test_a_killed_run_has_no_exit_code() -> None:
    """It has stopped, and the ledger says why."""
    killed = replace(WAITS, stop_reason="interrupted: the process was killed")
    (found,) = told(killed, killed=True)
    assert found.kind == NoticeKind.stopped
    assert data([found])["exit_code"] is None
    assert data([found])["error"] == {"code": "killed", "message": "interrupted: the process was killed"}


def test_a_body_is_the_runs_object() -> None:
    """The keys of `run --json`, the run, and why it ended; in Standard Webhooks' three members."""
    (found,) = told(
        WAITS, error=BreakerOpen("20 failures", fix="wait"), remaining=2, report=Path("r.csv"), suppressed=4
    )
    body = json.loads(found.body)
    assert (body["type"], body["timestamp"], set(body)) == (
        "stopped",
        "1970-01-01T00:01:01.500Z",
        {"type", "timestamp", "data"},
    )
    assert body["data"]["rows"]["planned"] == 2
    assert body["data"]["skipped"] == {"suppressed": 4}
    assert body["data"]["error"] == {"code": "breaker_open", "message": "20 failures"}
    assert (body["data"]["exit_code"], body["data"]["report"]) == (5, str(Path("r.csv").absolute()))
    assert body["data"]["run"] == {
        "id": 7,
        "started_at": "1970-01-01T00:00:01.000Z",
        "finished_at": "1970-01-01T00:01:01.500Z",
        "requests": 3,
        "throttled": 1,
    }
    # Where it is, and whose folder that is, is nobody's business.
    assert "ledger" not in body["data"]


def test_contacts_left_out_are_in_the_code() -> None:
    """The exit code is the program's: contacts reached a short time ago make it 3, unless the settings say so."""
    assert data(told(DONE, contacted=2))["exit_code"] == 3
    expected = settings(campaign={"repeat_after_h": 24})
    assert data(told(DONE, by=expected, contacted=2))["exit_code"] == 0


def test_one_for_each_channel() -> None:
    """The same body; of where it goes the ledger keeps a digest, for it may hold the receiver's secret."""
    found = told(DONE, by=settings(notify=BOTH))
    assert [one.channel.partition(":")[0] for one in found] == ["webhook", "command"]
    assert len({one.body for one in found}) == 1
    assert "canary" not in repr(found)
    other = told(DONE, by=settings(notify={"webhook": HOOK + "2"}))
    assert other[0].channel != found[0].channel


def test_nobody_is_told_nothing() -> None:
    """Without a channel, or where no kind is asked for, the ledger is not even asked for the counts."""
    assert announcing(settings(notify={})) is None
    assert announcing(settings(notify={"webhook": HOOK, "on": []})) is None
    assert told(DONE, by=settings(notify={"webhook": HOOK, "on": ["stopped"]})) == []


def test_a_run_without_work_is_no_news() -> None:
    """A job that looks every ten minutes does not tell each time that nothing waits; an error it does tell."""
    assert told(DONE, had_work=False) == []
    assert len(told(DONE, error=BreakerOpen("20 failures"), had_work=False)) == 1


def test_a_hand_over_is_no_news() -> None:
    """It goes on in a moment: a campaign that changes machines a hundred times has stopped once, or never."""
    assert told(status({RowState.planned: 3}), error=HandedOver()) == []
    assert told(status({RowState.planned: 3}), error=BreakerOpen()) != []


def test_what_still_waits_is_told_once() -> None:
    """A job that looks every ten minutes through a night says once that rows wait; and again once some were sent."""

    def told_again(before: str | None, requests: int) -> bool:
        run = replace(ended(WAITS), told_before=before, requests=requests)
        return is_news(NoticeKind.waiting, run, has_error=False, had_work=True)

    assert told_again(None, 0)
    assert told_again("stopped", 0)
    assert not told_again("waiting", 0)
    assert told_again("waiting", 5)


@pytest.mark.parametrize(
    ("by", "reason", "shown"),
    [
        (PausedBy.user, "Ann Canary asked, call +12025550142", None),
        (PausedBy.held, "contacts of Ann.xlsx cannot be read", None),
        (PausedBy.guard, "11 of the last 50 answers were refusals", "11 of the last 50 answers were refusals"),
        (PausedBy.guard, f"11 of 50{PAUSED_BEFORE}Ann Canary asked", "11 of 50"),
        (PausedBy.canary, "6 of 50 failed: 30007 4", "6 of 50 failed: 30007 4"),
        (PausedBy.canary, f"6 of 50{PAUSED_BEFORE}Ann Canary asked", "6 of 50"),
    ],
)
def test_what_a_person_typed_is_not_told(by: PausedBy, reason: str, shown: str | None) -> None:
    """Why somebody has paused a campaign may name anybody; a verdict's numbers are what its notice is for."""
    paused = replace(WAITS, paused=Pause(by=by, reason=reason, at_ms=1))
    (found,) = told(paused, error=refusal("spring", Pause(by=by, reason=reason, at_ms=1)))
    assert found.kind == {"user": "stopped", "held": "stopped"}.get(by.value, by.value)
    assert data([found])["paused"]["reason"] == shown
    assert "Canary" not in found.body
