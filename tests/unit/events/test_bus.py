"""The bus: every listener hears everything in order, and none of them can harm a run."""

from __future__ import annotations

import logging
from collections import Counter

import hypothesis.strategies as st
import pytest
from hypothesis import given

from dispatcher.events import Event, EventBus, Phase, PhaseChanged, Resumed, Stopping, Waiting, WaitKind
from tests.unit.events.support import Watched

SENDING = PhaseChanged(phase=Phase.sending)
STOPPING = Stopping(reason="asked to")


def test_listeners_hear_all_in_order() -> None:
    """Each event reaches each listener once, in the order of emission and of subscription."""
    bus = EventBus()
    heard: list[tuple[str, Event]] = []
    bus.subscribe(lambda event: heard.append(("first", event)))
    bus.subscribe(lambda event: heard.append(("second", event)))
    bus.emit(SENDING)
    bus.emit(STOPPING)
    assert heard == [("first", SENDING), ("second", SENDING), ("first", STOPPING), ("second", STOPPING)]


def test_a_failing_listener_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """A listener that raises is told nothing more; emit raises nothing, and the others hear everything.

    What it raised may hold a number or a name: the log gets its type alone.
    """
    bus = EventBus()
    calls: list[Event] = []
    others: list[Event] = []

    def fails(event: Event) -> None:
        calls.append(event)
        raise ValueError("+15550001111")

    bus.subscribe(fails)
    bus.subscribe(others.append)
    with caplog.at_level(logging.WARNING, logger="dispatcher"):
        bus.emit(SENDING)
        bus.emit(STOPPING)
    assert calls == [SENDING]
    assert others == [SENDING, STOPPING]
    assert "ValueError" in caplog.text
    assert "+1555" not in caplog.text


def test_a_listener_may_leave_and_fail_at_once() -> None:
    """One that unsubscribes itself and then raises is gone already: emit does not stumble over that."""
    bus = EventBus()

    def leaves(_: Event) -> None:
        leave()
        raise RuntimeError

    leave = bus.subscribe(leaves)
    bus.emit(SENDING)
    bus.emit(STOPPING)


def test_an_unsubscribed_listener_hears_nothing() -> None:
    """Who unsubscribes hears nothing more; doing it twice takes nobody else away, though he be the same function."""
    bus = EventBus()
    heard: list[Event] = []
    listener = heard.append
    leave, _ = bus.subscribe(listener), bus.subscribe(listener)
    bus.emit(SENDING)
    leave()
    leave()
    bus.emit(STOPPING)
    assert heard == [SENDING, SENDING, STOPPING]


def test_the_snapshot_is_new_when_listeners_hear() -> None:
    """The event is folded before listeners are told: what they read then is the state after it."""
    bus = EventBus()
    seen: list[Phase] = []
    bus.subscribe(lambda _: seen.append(bus.snapshot().phase))
    bus.emit(SENDING)
    assert seen == [Phase.sending]


def test_a_wait_that_changes_ends_first() -> None:
    """Two waits of a kind in turn: the first is resumed before the second begins."""
    watched = Watched()
    watched.bus.wait(WaitKind.throttled, "Studio asks for 2 s", 2.0)
    watched.bus.wait(WaitKind.throttled, "Studio asks for 4 s", 4.0)
    watched.bus.resume(WaitKind.throttled)
    assert [type(event) for event in watched.told] == [Waiting, Resumed, Waiting, Resumed]


def test_resume_without_a_wait_says_nothing() -> None:
    """No `Resumed` without its `Waiting`, also where another kind waits."""
    watched = Watched()
    watched.bus.resume(WaitKind.busy)
    watched.bus.wait(WaitKind.due, "the next row", 60.0)
    watched.bus.resume(WaitKind.busy)
    assert [type(event) for event in watched.told] == [Waiting]


STEPS = st.lists(st.tuples(st.sampled_from(WaitKind), st.booleans()), max_size=30)


@given(STEPS)
def test_waits_come_in_pairs(steps: list[tuple[WaitKind, bool]]) -> None:
    """Whatever is called in whatever order: at most one wait of a kind is open, and all end once they are resumed."""
    watched = Watched()
    for kind, begins in steps:
        if begins:
            watched.bus.wait(kind, "because", 1.0)
        else:
            watched.bus.resume(kind)
    for kind in WaitKind:
        watched.bus.resume(kind)
    waiting: Counter[WaitKind] = Counter()
    for event in watched.told:
        assert isinstance(event, Waiting | Resumed)
        waiting[event.kind] += 1 if isinstance(event, Waiting) else -1
        assert waiting[event.kind] in (0, 1)
    assert not +waiting
    assert watched.bus.snapshot().waiting is None
