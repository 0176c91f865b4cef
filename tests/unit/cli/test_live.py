"""The live view's picture, from snapshots that the test makes."""

from __future__ import annotations

import asyncio
import io
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from dispatcher.campaign.timing import Waiting, WaitsFor
from dispatcher.cli.render import live
from dispatcher.cli.render.live import RunView, line_text
from dispatcher.cli.render.numbers import clock_text, rate_text
from dispatcher.clock import now_ms
from dispatcher.events import EventBus, Phase, Snapshot, Wait, WaitKind
from dispatcher.model import RowState, empty_counts


def snapshot(**changes: Any) -> Snapshot:
    values: dict[str, Any] = {
        "campaign": "spring",
        "phase": Phase.sending,
        "rows": empty_counts() | {RowState.created: 131, RowState.planned: 53, RowState.rejected: 4, RowState.busy: 2},
        "to_send": 190,
        "done": 137,
        "in_flight": 4,
        "requests": 140,
        "throttled": 3,
        "rate_per_s": 19.5,
        "rate_allowed_per_s": 19.8,
        "rate_limit_per_s": 20.0,
        "window_now": 191,
        "window_limit": 200,
        "elapsed_s": 7.0,
        "eta_s": 2.7,
    }
    return replace(EventBus().snapshot(), **(values | changes))


def waiting(reason: str, remaining_s: float | None) -> Wait:
    return Wait(kind=WaitKind.throttled, reason=reason, remaining_s=remaining_s)


def drawn(shown: Snapshot, width: int) -> str:
    file = io.StringIO()
    Console(file=file, width=width, force_terminal=False, highlight=False).print(RunView(shown))
    return file.getvalue()


def test_which_host_sends_is_shown() -> None:
    """While workers of a cluster do; and that they are to, where none does yet."""
    watched = snapshot(phase=Phase.watching, sent_by="alpha")
    assert "sent by alpha" in drawn(watched, 80)
    assert line_text(watched).endswith("sent by alpha")
    assert "its workers send it" in drawn(replace(watched, sent_by=None), 80)


def test_why_it_stops_comes_before_what_it_waits_for() -> None:
    """Until it has."""
    stopping = snapshot(stop_reason="campaign 'spring' is paused", waiting=waiting("Studio answered 429", 3.0))
    assert "stops: campaign 'spring' is paused" in drawn(stopping, 80)
    assert line_text(stopping).endswith("; stops: campaign 'spring' is paused")
    assert "stops:" not in drawn(replace(stopping, phase=Phase.finished), 80)


def test_the_view_has_all_numbers() -> None:
    """Campaign, phase, states, rate, window and times stand in it; states without rows do not."""
    text = drawn(snapshot(), 80)
    for part in ("spring  sending", "0:03 left · 0:07", "137 of 190", " 72 %", "created 131", "rejected 4", "busy 2"):
        assert part in text
    for part in ("planned 53", "rate 19.5/s of 20/s", "window 191 of 200", "429s 3", "in flight 4"):
        assert part in text
    assert "invalid" not in text


def test_what_is_not_known_is_not_shown() -> None:
    """Before a run has begun there are no times, and no line of numbers."""
    text = drawn(snapshot(elapsed_s=None, eta_s=None, to_send=0, done=0), 80)
    assert "left" not in text
    assert "rate" not in text
    assert "0:00" in text


def test_a_wait_is_told_with_its_reason() -> None:
    """And with what is left of it, where that is known."""
    text = drawn(snapshot(waiting=waiting("Studio answered 429, too many requests", 2.25)), 80)
    assert "waits: Studio answered 429, too many requests · 2.2 s" in text
    assert "waits: x · 1:05" in drawn(snapshot(waiting=waiting("x", 65)), 80)
    assert drawn(snapshot(waiting=waiting("another process is sending", None)), 80).rstrip().endswith("is sending")


@pytest.mark.parametrize("width", range(40, 100, 7))
def test_a_name_and_its_number_stay_together(width: int) -> None:
    """Lines are broken between states, never inside one."""
    rows = empty_counts() | dict.fromkeys(RowState, 123_456)
    lines = drawn(snapshot(rows=rows), width).splitlines()
    for state in set(RowState) - {RowState.sending}:
        assert any(f"{state.value} 123,456" in line for line in lines)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_long_reason_keeps_its_countdown(width: int) -> None:
    """It takes one line, whatever its length."""
    reason = "Studio answered something very long " * 9
    short = drawn(snapshot(waiting=waiting("x", 2.25)), width)
    long = drawn(snapshot(waiting=waiting(reason, 2.25)), width)
    assert len(long.splitlines()) == len(short.splitlines())
    assert long.rstrip().endswith("… · 2.2 s")
    endless = drawn(snapshot(waiting=waiting(reason, None)), width)
    assert len(endless.splitlines()) == len(short.splitlines())


def test_a_rate_lowered_after_429s_is_told() -> None:
    """What is only rounded is not."""
    assert "held at 12/s" in drawn(snapshot(rate_allowed_per_s=12.0), 80)
    assert "held" not in drawn(snapshot(rate_allowed_per_s=19.8), 80)


@given(
    width=st.integers(40, 200),
    counts=st.lists(st.integers(0, 10**7), min_size=8, max_size=8),
    reason=st.none() | st.text(max_size=200).filter(lambda text: text.isprintable()),
    name=st.text(min_size=1, max_size=60).filter(lambda text: text.isprintable()),
    phase=st.sampled_from(Phase),
    remaining_s=st.none() | st.floats(0, 1e6),
)
def test_no_line_is_wider_than_the_terminal(
    width: int, counts: list[int], reason: str | None, name: str, phase: Phase, remaining_s: float | None
) -> None:
    """Whatever the numbers and names are."""
    shown = snapshot(
        campaign=name,
        rows=dict(zip(RowState, counts, strict=True)),
        to_send=counts[0],
        done=counts[1],
        waiting=None if reason is None else waiting(reason, remaining_s),
        phase=phase,
        throttled=counts[2],
        elapsed_s=remaining_s,
        eta_s=remaining_s,
    )
    for line in drawn(shown, width).splitlines():
        assert cell_len(line) <= width


def test_a_finished_run_shows_bar_and_states_alone() -> None:
    """Rate and window are over."""
    text = drawn(snapshot(phase=Phase.finished, done=190, eta_s=None), 80)
    assert "100 %" in text
    assert "window" not in text


@pytest.mark.parametrize(
    ("phase", "reason", "told"),
    [
        (Phase.finished, None, "done"),
        (Phase.waiting, None, "the rest waits for its time"),
        (Phase.finished, "interrupted", "stopped"),
    ],
)
def test_how_it_has_ended_is_told(phase: Phase, reason: str | None, told: str) -> None:
    """Done is only what is done: not where rows wait, or it was stopped."""
    text = drawn(snapshot(phase=phase, done=60, eta_s=None, stop_reason=reason), 80).splitlines()[0]
    assert told in text
    assert ("done" in text) == (told == "done")


def test_a_run_with_nothing_to_send_draws_no_bar() -> None:
    """It may still look up rows left unknown, and tells how far that is."""
    text = drawn(snapshot(to_send=0, done=0, phase=Phase.reconciling, detail="5 rows unknown: reading"), 80)
    assert "━" not in text
    assert "looking up unknown rows" in text
    assert "5 rows unknown: reading" in text


@pytest.mark.parametrize("phase", Phase)
def test_each_phase_has_words(phase: Phase) -> None:
    """None is shown by the name that code has for it."""
    assert drawn(snapshot(phase=phase), 80)


def test_the_line_for_a_log_has_numbers_and_reason() -> None:
    """All of it in one line."""
    line = line_text(snapshot(waiting=waiting("Studio answered 429", 2.0)))
    assert line.startswith("spring: 137 of 190 rows; planned 53, created 131, rejected 4, busy 2; 19.5/s, 3 × 429")
    assert line.endswith(", 0:03 left; waits: Studio answered 429 (2 s)")
    assert line_text(snapshot(waiting=waiting("x", 0.0))).endswith("waits: x (0 s)")
    assert line_text(snapshot(phase=Phase.reconciling)).endswith("; looking up unknown rows")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (7.4, "0:07"), (59.6, "1:00"), (725, "12:05"), (11525, "3:12:05"), (-1, "0:00")]
)
def test_times_are_short(seconds: float, text: str) -> None:
    """Minutes and seconds; hours where there are some."""
    assert clock_text(seconds) == text


@pytest.mark.parametrize(("rate", "text"), [(0, "0/s"), (19.84, "19.8/s"), (20, "20/s"), (1000, "1,000/s")])
def test_rates_are_short(rate: float, text: str) -> None:
    """Three digits say enough."""
    assert rate_text(rate) == text


@pytest.mark.parametrize("clock_ahead_ms", [3_600_000, -3_600_000])
async def test_a_countdown_by_another_clock(clock_ahead_ms: int) -> None:
    """Rows wait by Studio's clock where ours is wrong: neither an hour too long, nor over at once, again and again."""
    until_ms = now_ms() + clock_ahead_ms + 300
    rows = Waiting(rows=1, until_ms=until_ms, zone="UTC", why=WaitsFor.hours)
    began_s = time.monotonic()
    async with asyncio.timeout(5):
        await live.countdown([rows], clock_ahead_ms=clock_ahead_ms)
    assert 0.2 < time.monotonic() - began_s < 2
