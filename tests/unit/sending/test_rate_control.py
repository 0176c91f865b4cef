"""The limiter and the breaker together, in virtual time, against a server that enforces the exact window."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.support.simulation import WINDOW_S, Others, Sent, simulate, worst_window


def by_chance(share: float, seed: int = 3) -> Callable[[float], bool]:
    """429s that have nothing to do with the rate."""
    chance = random.Random(seed)
    return lambda since_s: chance.random() < share


def storm(first_s: float, last_s: float) -> Callable[[float], bool]:
    """Nothing but 429 for a while."""
    return lambda since_s: first_s <= since_s < last_s


def once(first_s: float) -> Callable[[float], bool]:
    """One 429, to the first request from then on."""
    left = [True]
    return lambda since_s: since_s >= first_s and bool(left) and left.pop()


def assert_within(sent: Sent, per_second: float) -> None:
    assert worst_window(sent.sent_at_s) <= per_second * WINDOW_S * 0.99 + 1e-9


class TestAlone:
    @pytest.mark.parametrize(
        ("per_second", "seconds", "late_s"),
        [(5, 62, 0.0001), (5, 62, 0.002), (20, 62, 0.0001), (20, 62, 0.002), (200, 32, 0.002), (1000, 22, 0.002)],
    )
    def test_used_and_never_exceeded(self, per_second: int, seconds: int, late_s: float) -> None:
        """The limit is used to 99 percent, and never exceeded."""
        sent = simulate(per_second=per_second, seconds=seconds, late_s=late_s)
        assert sent.throttled_s == []
        assert_within(sent, per_second)
        # What the headroom leaves is all used, but for one request in a thousand.
        for first_s in range(1, seconds - 10, 10):
            assert sent.passed_between(first_s, first_s + WINDOW_S) >= math.floor(per_second * WINDOW_S * 0.99 * 0.999)

    def test_even_means_evenly_spread(self) -> None:
        sent = simulate(per_second=20, seconds=30)
        for second in range(1, 29):
            assert 18 <= sent.passed_between(second, second + 1) <= 22

    @pytest.mark.parametrize(("per_second", "rows"), [(20, 198), (20, 199), (20, 600), (50, 1600)])
    def test_a_spike(self, per_second: int, rows: int) -> None:
        """It takes its windows, and 2 percent."""
        sent = simulate(per_second=per_second, rows=rows, pace="spike")
        assert sent.throttled_s == []
        assert_within(sent, per_second)
        windows = math.ceil(rows / (per_second * WINDOW_S * 0.99)) - 1
        assert windows * WINDOW_S <= sent.duration_s <= windows * WINDOW_S * 1.02 + 0.1

    @pytest.mark.parametrize("pace", ["even", "spike"])
    @pytest.mark.parametrize("per_second", [20, 200])
    def test_a_jittery_network(self, pace: str, per_second: int) -> None:
        """Requests that take up to 50 ms longer than others meet no 429.

        To the server, those of the last window lie later, and those of this one earlier.
        """
        sent = simulate(per_second=per_second, seconds=45, latency_s=0.1, jitter_s=0.05, pace=pace, in_flight=400)
        assert len(sent.throttled_s) == 0

    @pytest.mark.parametrize("pace", ["even", "spike"])
    @pytest.mark.parametrize(("jitter_s", "share"), [(0.4, 0.97), (0.02, 0.988)])
    def test_arrivals_keep_the_limit(self, pace: str, jitter_s: float, share: float) -> None:
        """By the server's count, too, however long the ways differ; and that costs what they differ, not more."""
        sent = simulate(per_second=20, seconds=202, latency_s=0.02, jitter_s=jitter_s, pace=pace)
        assert worst_window(sent.arrived_s) <= 200
        assert sent.throttled_s == []
        if pace == "even":
            assert sent.passed_between(1, 201) >= 20 * 200 * share

    def test_equal_ways_cost_nothing(self) -> None:
        """Where all requests take the same time, however long, the whole cap is used."""
        sent = simulate(per_second=20, seconds=102, latency_s=3.0, in_flight=200)
        assert sent.passed_between(1, 91) >= math.floor(20 * 90 * 0.99 * 0.999)

    def test_a_slow_limit_is_kept_too(self) -> None:
        sent = simulate(per_second=0.1, rows=5, headroom=0.0)
        assert sent.throttled_s == []
        assert worst_window(sent.sent_at_s) == 1
        assert sent.duration_s == pytest.approx(40, abs=1)


class TestWithOthers:
    """Another program uses half the limit."""

    @pytest.mark.parametrize("first", [False, True])
    @pytest.mark.parametrize(
        ("per_second", "latency_s", "ahead_s"),
        [(20, 0.01, 0), (20, 0.01, 7), (20, 0.01, 30), (20, 0.1, 0), (100, 0.1, 10)],
    )
    def test_what_they_leave(self, per_second: int, latency_s: float, ahead_s: float, first: bool) -> None:
        """It is used to 95 percent, with at most 2 percent of 429s."""
        others = Others(per_second=per_second / 2, ahead_s=ahead_s, first=first)
        sent = simulate(per_second=per_second, seconds=100, latency_s=latency_s, others=others)
        left_to_us = per_second / 2 * WINDOW_S
        for window in range(10):
            assert sent.passed_between(window * WINDOW_S, (window + 1) * WINDOW_S) >= 0.95 * left_to_us
        assert sent.throttled_share <= 0.02
        assert_within(sent, per_second)

    def test_who_comes_at_random_costs_little_more(self) -> None:
        sent = simulate(per_second=20, seconds=120, others=Others(per_second=10, random=True))
        assert sent.passed_between(0, 120) >= 0.95 * 10 * 120
        assert sent.throttled_share <= 0.04

    def test_who_uses_most_of_it_is_not_pestered(self) -> None:
        sent = simulate(per_second=20, seconds=120, others=Others(per_second=16, ahead_s=10))
        assert sent.passed_between(0, 120) >= 0.95 * 4 * 120
        assert sent.throttled_share <= 0.06

    def test_after_they_end(self) -> None:
        """The whole limit is back two windows later."""
        sent = simulate(per_second=20, seconds=110, others=Others(per_second=10, until_s=60))
        assert sent.passed_between(80, 90) >= 195
        assert sent.passed_between(90, 100) >= 195


class TestRefusalsByChance:
    """30 % of the requests are answered 429, whatever the rate."""

    def test_200_rows_at_20_per_second(self) -> None:
        """They are done within a minute."""
        sent = simulate(per_second=20, rows=200, refuse=by_chance(0.3))
        assert sent.duration_s <= 60

    def test_200_rows_at_200_per_second(self) -> None:
        """They are done in half of that."""
        sent = simulate(per_second=200, rows=200, refuse=by_chance(0.3))
        assert sent.duration_s <= 30

    def test_few_refusals(self) -> None:
        """They do not hold the rate down for good."""
        sent = simulate(per_second=20, rows=2000, refuse=by_chance(0.05))
        assert sent.duration_s <= 200

    @pytest.mark.parametrize("at_s", [0.05, 0.5, 3, 9, 30])
    @pytest.mark.parametrize(("per_second", "latency_s"), [(20, 0.05), (20, 0.3), (100, 0.05), (100, 0.3)])
    def test_one_out_of_the_blue(self, per_second: int, latency_s: float, at_s: float) -> None:
        """It costs less than two seconds."""
        sent = simulate(per_second=per_second, seconds=at_s + 20, latency_s=latency_s, refuse=once(at_s))
        assert len(sent.throttled_s) == 1
        assert max(after - before for before, after in pairwise(sent.sent_at_s)) < 0.5
        assert sent.passed_between(at_s, at_s + 20) >= per_second * 18
        assert_within(sent, per_second)


class TestStorm:
    """Nothing but 429 for a minute."""

    @pytest.mark.parametrize(("per_second", "latency_s"), [(20, 0.01), (200, 0.01), (200, 0.1)])
    def test_one_probe_a_pause(self, per_second: int, latency_s: float) -> None:
        """And the full rate within a window after the storm."""
        sent = simulate(per_second=per_second, seconds=110, latency_s=latency_s, refuse=storm(20, 80))
        # Those in flight when it began, then pauses of 0.1 s and more that double up to a window.
        assert sent.throttled_between(20 + latency_s, 80) <= 25
        assert sent.throttled_between(30, 80) <= 12
        back_s = min(at for at in sent.passed_s if at >= 80)
        assert back_s <= 80 + WINDOW_S
        assert sent.passed_between(back_s + WINDOW_S, back_s + 2 * WINDOW_S) >= per_second * WINDOW_S * 0.97
        assert_within(sent, per_second)

    def test_retry_after_is_waited_for_before_each_probe(self) -> None:
        sent = simulate(per_second=20, seconds=100, refuse=storm(20, 80), retry_after_s=7.0)
        first_s = sent.throttled_s[0]
        assert not any(first_s + 0.01 < at < first_s + 7.0 for at in sent.sent_at_s)
        assert sent.throttled_between(first_s + 0.02, 80) <= 60 / 7 + 1

    def test_a_storm_without_end(self) -> None:
        """It ends the run after the time of the settings."""
        sent = simulate(per_second=20, rows=100, refuse=storm(2, float("inf")))
        assert sent.stopped is not None
        assert "nothing but 429" in sent.stopped.message
        assert 900 <= sent.duration_s <= 930
