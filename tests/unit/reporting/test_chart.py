"""The drawing of the rate: nothing lost, nothing drawn outside, comparable with the limit."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.reporting.chart import (
    COLUMNS_MAX,
    PERIODS_MAX,
    SEGMENTS_MAX,
    RateChart,
    placed,
    rate_chart,
    ticks,
)
from dispatcher.reporting.summary import Departures

MOMENTS = st.dictionaries(
    st.integers(0, 300) | st.integers(0, 10_000) | st.integers(0, 3_000_000), st.integers(1, 5000), max_size=60
)


def chart_of(counts: dict[int, int], *, bucket_s: int = 1, limit: int = 200) -> RateChart:
    """The chart of requests per second of the campaign."""
    buckets: dict[int, int] = {}
    for second, n in counts.items():
        start = second // bucket_s * bucket_s
        buckets[start] = buckets.get(start, 0) + n
    return rate_chart(Departures(bucket_s, tuple(sorted(buckets.items()))), window_limit=limit, window_s=10)


@given(counts=MOMENTS, bucket_s=st.sampled_from([1, 2, 8, 64]), limit=st.integers(0, 10_000))
def test_every_request_is_in_one_column_and_one_period(counts: dict[int, int], bucket_s: int, limit: int) -> None:
    """The drawing and the table beside it count the same requests, in few columns, segments and lines."""
    chart = chart_of(counts, bucket_s=bucket_s, limit=limit)
    total = sum(counts.values())
    assert sum(sum(segment.columns) for segment in chart.segments) == total
    periods = chart.periods()
    assert sum(period.requests for period in periods) == total
    assert all(one.end_s <= two.start_s for one, two in itertools.pairwise(periods))
    assert len(chart.segments) <= SEGMENTS_MAX
    assert sum(len(segment.columns) for segment in chart.segments) <= COLUMNS_MAX + SEGMENTS_MAX
    assert len(periods) <= PERIODS_MAX + len(chart.segments)


@given(counts=MOMENTS.filter(bool), bucket_s=st.sampled_from([1, 4]), limit=st.integers(0, 10_000))
def test_nothing_is_drawn_outside(counts: dict[int, int], bucket_s: int, limit: int) -> None:
    """Bars stand side by side between 0 and 100, and the limit's line is below the upper edge."""
    chart = chart_of(counts, bucket_s=bucket_s, limit=limit)
    right = 0.0
    for place in placed(chart):
        assert place.left >= right - 1e-6
        for left, top, width, height in place.bars:
            assert left >= right - 1e-6
            assert width > 0
            assert 0 < top < 100
            assert top + height == pytest.approx(100)
            right = left + width
        assert right <= place.left + place.width + 1e-6
    assert right == pytest.approx(100)
    assert chart.limit_per_s < chart.top_per_s


def test_a_steady_campaign() -> None:
    """A steady campaign has columns of its rate to the end.

    The last column may be narrower than the others; its rate is that of its own seconds.
    """
    chart = chart_of(dict.fromkeys(range(1000, 1245), 20))
    (segment,) = chart.segments
    assert chart.column_s == 5
    assert {column.rate_per_s for column in chart.columns(segment)} == {20}
    chart = chart_of(dict.fromkeys(range(1000, 1604), 20))
    assert (chart.column_s, chart.segments[0].end_s) == (10, 1604)
    assert {column.rate_per_s for column in chart.columns(chart.segments[0])} == {20}


def test_a_short_campaign_is_drawn_by_the_second() -> None:
    """A demo of some seconds shows more than one bar."""
    assert chart_of(dict.fromkeys(range(14), 20)).column_s == 1


def test_a_window_s_worth_at_once() -> None:
    """A window's worth of requests at once is drawn by the window.

    198 requests in one second and none for nine are 19.8 a second, below the limit, not 198 above it.
    """
    chart = chart_of({0: 198, 10: 198, 20: 198, 21: 1})
    assert chart.column_s == 10
    assert max(column.rate_per_s for column in chart.columns(chart.segments[0])[:2]) == 19.8


def test_long_pauses_are_cut_out() -> None:
    """A campaign that went on after the night is two times of sending, not two lines at the edges of a day."""
    night_s = 12 * 3600
    chart = chart_of({**dict.fromkeys(range(100), 20), **dict.fromkeys(range(night_s, night_s + 100), 20)})
    assert [(segment.start_s, segment.end_s) for segment in chart.segments] == [(0, 100), (night_s, night_s + 100)]
    first, second = placed(chart)
    assert first.width == second.width > 45


def test_no_departures_are_no_drawing() -> None:
    """The empty case."""
    chart = chart_of({})
    assert (chart.segments, chart.periods(), placed(chart)) == ((), [], [])


@given(st.floats(0.01, 1e6))
def test_ticks_are_round_few_and_inside(top: float) -> None:
    """From nought up, evenly, three to six."""
    found = ticks(top)
    assert found[0] == 0
    assert found[-1] <= top * (1 + 1e-9)
    assert 3 <= len(found) <= 6
