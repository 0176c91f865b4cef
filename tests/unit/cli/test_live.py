"""The live view's numbers and picture, from numbers that the test sets."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from dispatcher.cli.live import RunView, Speed, clock_text, eta_s, line_text, rate_text
from dispatcher.events import Progress
from dispatcher.model import RowState, empty_counts


def progress(**changes: object) -> Progress:
    values: dict[str, object] = {
        "campaign": "spring",
        "rows": empty_counts() | {RowState.created: 131, RowState.planned: 53, RowState.rejected: 4, RowState.busy: 2},
        "to_send": 190,
        "done": 137,
        "in_flight": 4,
        "requests": 140,
        "throttled": 3,
        "rate_allowed_per_s": 19.8,
        "rate_limit_per_s": 20.0,
        "window_now": 191,
        "window_limit": 200,
        "started_at_s": 100.0,
        "phase": "sending",
    }
    return Progress(**(values | changes))  # type: ignore[arg-type]


def drawn(shown: Progress, width: int, now_s: float = 107.0, *, colour: bool = False) -> str:
    view = RunView(shown)
    view.sample(now_s)
    console = Console(file=io.StringIO(), width=width, force_terminal=colour, highlight=False)
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_view_names_campaign_phase_states_rate_window_and_time() -> None:
    text = drawn(progress(), 80)
    for part in ("spring  sending", "0:07", "137 of 190", " 72 %", "created 131", "rejected 4", "busy 2", "planned 53"):
        assert part in text
    for part in ("of 20/s", "window 191 of 200", "429s 3", "in flight 4"):
        assert part in text
    assert "invalid" not in text  # there are none


def test_a_wait_is_told_with_its_reason_and_what_is_left_of_it() -> None:
    text = drawn(progress(waiting="Studio answered 429, too many requests", waiting_until_s=109.25), 80)
    assert "waits: Studio answered 429, too many requests · 2.2 s" in text
    endless = drawn(progress(waiting="another process is sending", waiting_until_s=None), 80)
    assert "waits: another process is sending" in endless


@pytest.mark.parametrize("width", range(40, 100, 7))
def test_a_name_and_its_number_stay_together(width: int) -> None:
    rows = empty_counts() | dict.fromkeys(RowState, 123_456)
    lines = drawn(progress(rows=rows), width).splitlines()
    for state in set(RowState) - {RowState.sending}:
        assert any(f"{state.value} 123,456" in line for line in lines)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_long_reason_takes_one_line_and_keeps_its_countdown(width: int) -> None:
    short = drawn(progress(waiting="x", waiting_until_s=109.25), width)
    long = drawn(progress(waiting="Studio answered something very long " * 9, waiting_until_s=109.25), width)
    assert len(long.splitlines()) == len(short.splitlines())
    assert long.rstrip().endswith("… · 2.2 s")
    endless = drawn(progress(waiting="Studio answered something very long " * 9), width)
    assert len(endless.splitlines()) == len(short.splitlines())


def test_where_the_limiter_holds_everything_back_the_window_is_the_reason_until_its_first_has_left_it() -> None:
    shown = progress(to_send=400, requests=0, done=0, in_flight=0)
    view = RunView(shown)
    view.sample(100.0)
    assert view.waits() is None  # nothing has left yet
    shown.requests = shown.done = 60
    view.sample(101.0)
    shown.requests = shown.done = 195
    view.sample(102.0)
    assert view.waits() is None  # just now
    view.sample(104.0)
    assert view.waits() == ("the window is full", 111.0)
    view.sample(111.5)
    assert view.waits() == ("after 429s, less of the limit is taken for ours", 112.0)
    shown.in_flight = 1
    assert view.waits() is None
    shown.in_flight, shown.done = 0, 400
    assert view.waits() is None  # nothing is left to be sent


def test_a_reason_that_is_over_is_not_told() -> None:
    shown = progress(waiting="Studio answered 429", waiting_until_s=106.0, in_flight=1)
    view = RunView(shown)
    view.sample(106.1)
    assert view.waits() == ("Studio answered 429", 106.0)
    view.sample(107.0)
    assert view.waits() is None


def test_a_rate_lowered_after_429s_is_told() -> None:
    assert "held at 12/s" in drawn(progress(rate_allowed_per_s=12.0), 80)
    assert "held" not in drawn(progress(rate_allowed_per_s=19.8), 80)


@given(
    width=st.integers(40, 200),
    counts=st.lists(st.integers(0, 10**7), min_size=8, max_size=8),
    waiting=st.none() | st.text(max_size=200).filter(lambda text: text.isprintable()),
    name=st.text(min_size=1, max_size=60).filter(lambda text: text.isprintable()),
    phase=st.sampled_from(["planning", "sending", "reconciling", "finished"]),
    until_s=st.none() | st.floats(0, 1e6),
)
def test_no_line_is_wider_than_the_terminal(
    width: int, counts: list[int], waiting: str | None, name: str, phase: str, until_s: float | None
) -> None:
    rows = dict(zip(RowState, counts, strict=True))
    shown = progress(
        campaign=name,
        rows=rows,
        to_send=counts[0],
        done=counts[1],
        waiting=waiting,
        waiting_until_s=until_s,
        phase=phase,
        throttled=counts[2],
    )
    for line in drawn(shown, width).splitlines():
        assert cell_len(line) <= width


def test_a_finished_run_shows_the_bar_and_the_states_alone() -> None:
    text = drawn(progress(phase="finished", done=190), 80)
    assert "100 %" in text
    assert "window" not in text


def test_a_run_with_nothing_to_send_draws_no_bar() -> None:
    text = drawn(progress(to_send=0, done=0, phase="reconciling"), 80)
    assert "━" not in text
    assert "settling rows in doubt" in text


def test_the_speed_is_that_of_the_last_seconds() -> None:
    speed = Speed(over_s=3.0)
    assert speed.per_s == 0.0
    for second in range(10):
        speed.add(float(second), second * 20)
    assert speed.per_s == pytest.approx(20.0)
    for second in range(10, 14):
        speed.add(float(second), 180)
    assert speed.per_s == 0.0
    speed.add(15.0, 5)  # another run's count begins again
    assert speed.per_s == 0.0


def test_what_is_left_is_estimated_by_the_rate_and_not_at_all_where_nothing_is_sent() -> None:
    assert eta_s(progress(), 10.0) == pytest.approx(5.3)
    # Not faster than is allowed, even where a spike has just left.
    assert eta_s(progress(), 1000.0) == pytest.approx(53 / 19.8)
    assert eta_s(progress(), 0.0) == pytest.approx(53 / 19.8)
    assert eta_s(progress(done=190), 10.0) is None
    assert eta_s(progress(phase="reconciling"), 10.0) is None


def test_the_line_for_a_log_has_the_numbers_and_the_reason() -> None:
    shown = progress(waiting="Studio answered 429", waiting_until_s=109.0, requests=101)
    view = RunView(shown)
    view.sample(105.0)
    shown.requests = 140
    view.sample(107.0)
    line = line_text(view)
    assert line.startswith("spring: 137 of 190 rows; planned 53, created 131, rejected 4, busy 2; 19.5/s, 3 × 429")
    assert line.endswith("; waits: Studio answered 429 (2 s)")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (7.4, "0:07"), (59.6, "1:00"), (725, "12:05"), (11525, "3:12:05"), (-1, "0:00")]
)
def test_times_are_short(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text


@pytest.mark.parametrize(("rate", "text"), [(0, "0/s"), (19.84, "19.8/s"), (20, "20/s"), (1000, "1,000/s")])
def test_rates_are_short(rate: float, text: str) -> None:
    assert rate_text(rate) == text
