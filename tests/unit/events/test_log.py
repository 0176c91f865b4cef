"""The log of a scheduled job: each event with its fields, the frequent ones only where they are asked for."""

from __future__ import annotations

import logging
from typing import Any, cast

import pytest

from dispatcher.events import Event, EventBus, PlanProgress, RateChanged, Tracking, log_event
from tests.unit.events.support import ended, started

OFTEN: list[Event] = [
    ended(1, created=1),
    PlanProgress(rows=1, done_bytes=1, total_bytes=None),
    Tracking(done=1, total=1, detail=""),
]


def test_an_event_is_a_line_with_its_fields(caplog: pytest.LogCaptureFixture) -> None:
    """A person reads the line, a program the record's fields; what is 0 is left out of counts."""
    bus = EventBus()
    bus.subscribe(log_event)
    with caplog.at_level(logging.INFO, logger="dispatcher.events"):
        bus.emit(started(3, planned=3, created=0))
    (record,) = caplog.records
    assert record.getMessage().startswith("RunStarted campaign=spring rows={'planned': 3} to_send=3")
    extra = cast(Any, record)
    assert extra.event == "RunStarted"
    assert extra.event_fields["rows"] == {"planned": 3}
    assert extra.event_fields["to_send"] == 3


@pytest.mark.parametrize("event", OFTEN, ids=lambda event: type(event).__name__)
def test_frequent_events_are_debug(caplog: pytest.LogCaptureFixture, event: Event) -> None:
    """Twenty lines a second would bury the ones that matter."""
    with caplog.at_level(logging.INFO, logger="dispatcher.events"):
        log_event(event)
        log_event(RateChanged(rate_per_s=5.0, reason="429"))
    assert [record.getMessage().split()[0] for record in caplog.records] == ["RateChanged"]
    with caplog.at_level(logging.DEBUG, logger="dispatcher.events"):
        log_event(event)
    assert caplog.records[-1].levelno == logging.DEBUG


def test_nothing_is_formatted_unheard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a log an event costs a comparison: no field is looked at."""
    monkeypatch.setattr("dispatcher.events.log.fields", lambda _: pytest.fail("formatted"))
    monkeypatch.setattr(logging.getLogger("dispatcher.events"), "level", logging.ERROR)
    monkeypatch.setattr(logging.getLogger("dispatcher.events"), "_cache", {})
    log_event(ended(1, created=1))
