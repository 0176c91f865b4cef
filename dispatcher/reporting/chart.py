"""The rate over time as a drawing: columns of equal width, a line for the limit, long pauses cut out. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dispatcher.reporting.summary import Departures

COLUMNS_MAX = 120
SEGMENTS_MAX = 12
PERIODS_MAX = 12
#: A time without requests that is longer than this is cut out of the drawing.
PAUSE_S = 60
#: In units of the drawing's height: room above the highest column, and in units of a column: the gap at a pause.
_HEADROOM = 1.15
_GAP_COLUMNS = 2.0


@dataclass(frozen=True, slots=True)
class Segment:
    """A time of sending without long pauses."""

    start_s: int
    end_s: int
    #: Requests in each column; the last may be narrower than the others.
    columns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Period:
    """A column, or a line of the table beside the drawing."""

    start_s: int
    end_s: int
    requests: int

    @property
    def rate_per_s(self) -> float:
        return self.requests / (self.end_s - self.start_s)


@dataclass(frozen=True, slots=True)
class RateChart:
    """What is drawn."""

    column_s: int
    segments: tuple[Segment, ...]
    limit_per_s: float

    @property
    def top_per_s(self) -> float:
        """The rate at the drawing's upper edge."""
        rates = (column.rate_per_s for segment in self.segments for column in self.columns(segment))
        return max(self.limit_per_s, 0.1, *rates) * _HEADROOM

    def columns(self, segment: Segment, size: int = 1) -> list[Period]:
        """A segment's columns, or `size` of them taken together."""
        found = []
        for first in range(0, len(segment.columns), size):
            start_s = segment.start_s + first * self.column_s
            end_s = min(start_s + size * self.column_s, segment.end_s)
            found.append(Period(start_s, end_s, sum(segment.columns[first : first + size])))
        return found

    def periods(self) -> list[Period]:
        """The same numbers for the table: at most PERIODS_MAX lines, and one more for each pause."""
        total = sum(len(segment.columns) for segment in self.segments)
        size = max(1, -(-total // PERIODS_MAX))
        return [period for segment in self.segments for period in self.columns(segment, size)]


def rate_chart(departures: Departures, *, window_limit: int, window_s: float) -> RateChart:
    """Lay the departures out. `window_limit`: requests that may leave in any `window_s` seconds."""
    limit_per_s = window_limit / window_s
    buckets = departures.buckets
    if not buckets:
        return RateChart(departures.bucket_s, (), limit_per_s)
    pause_s = max(PAUSE_S, 12 * departures.bucket_s)
    while len(parts := list(_split(buckets, pause_s))) > SEGMENTS_MAX:
        pause_s *= 2
    spans = [part[-1][0] + departures.bucket_s - part[0][0] for part in parts]
    column_s = _column_s(sum(spans), departures.bucket_s)
    if column_s < window_s and limit_per_s and max(n for _, n in buckets) > 3 * limit_per_s * departures.bucket_s:
        # Sent a window's worth at once: only over a whole window can it be compared with the limit.
        column_s = _column_s(sum(spans), departures.bucket_s, at_least_s=window_s)
    return RateChart(column_s, tuple(_segment(part, departures.bucket_s, column_s) for part in parts), limit_per_s)


def _column_s(span_s: int, bucket_s: int, at_least_s: float = 0) -> int:
    """A multiple of the bucket that people count in, so that the columns are not too many."""
    wanted = max(span_s / COLUMNS_MAX, at_least_s, bucket_s)
    for seconds in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600):
        if seconds >= wanted and seconds % bucket_s == 0:
            return seconds
    return -(-int(wanted) // bucket_s) * bucket_s or bucket_s


def _split(buckets: tuple[tuple[int, int], ...], pause_s: int) -> Iterator[list[tuple[int, int]]]:
    part: list[tuple[int, int]] = []
    for bucket in buckets:
        if part and bucket[0] - part[-1][0] > pause_s:
            yield part
            part = []
        part.append(bucket)
    yield part


def _segment(buckets: list[tuple[int, int]], bucket_s: int, column_s: int) -> Segment:
    start_s = buckets[0][0]
    columns = [0] * ((buckets[-1][0] - start_s) // column_s + 1)
    for second, n in buckets:
        columns[(second - start_s) // column_s] += n
    return Segment(start_s, buckets[-1][0] + bucket_s, tuple(columns))


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a segment stands in the drawing, in hundredths of its width and height."""

    segment: Segment
    left: float
    width: float
    #: (left, top, width, height) of each column that has requests.
    bars: tuple[tuple[float, float, float, float], ...]


def placed(chart: RateChart) -> list[Placed]:
    """Segments side by side over the whole width, with a gap where time is cut out."""
    if not chart.segments:
        return []
    spans = [segment.end_s - segment.start_s for segment in chart.segments]
    gap_s = _GAP_COLUMNS * chart.column_s
    unit = 100 / (sum(spans) + gap_s * (len(spans) - 1))
    top = chart.top_per_s
    found = []
    left = 0.0
    for segment, span_s in zip(chart.segments, spans, strict=True):
        bars = tuple(
            (
                left + (column.start_s - segment.start_s) * unit,
                100 - 100 * column.rate_per_s / top,
                (column.end_s - column.start_s) * unit,
                100 * column.rate_per_s / top,
            )
            for column in chart.columns(segment)
            if column.requests
        )
        found.append(Placed(segment, left, span_s * unit, bars))
        left += (span_s + gap_s) * unit
    return found


def ticks(top: float) -> list[float]:
    """Round values from 0 up to `top`: three to six of them."""
    step = 10.0**-6
    while True:
        for factor in (1, 2, 5):
            if top / (step * factor) <= 5:
                return [round(n * step * factor, 9) for n in range(int(top / (step * factor)) + 1)]
        step *= 10
