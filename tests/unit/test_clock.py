"""The program's clock: right at the start, and deaf to what is done to the wall clock afterwards."""

from __future__ import annotations

import time

import pytest

from dispatcher import clock


def test_the_clock_starts_with_the_wall_clock() -> None:
    """The program's clock agrees with the wall clock of its start, in seconds and in milliseconds."""
    assert abs(clock.now_s() - time.time()) < 5  # NTP may have slewed the wall clock since this process began
    assert abs(clock.now_ms() - clock.now_s() * 1000) < 1000


@pytest.mark.parametrize("step_s", [-3600, 3600])
def test_a_step_of_the_wall_clock_is_not_heard(monkeypatch: pytest.MonkeyPatch, step_s: int) -> None:
    """A step of the wall clock, forward or back, does not reach the program's clock."""
    before_ms = clock.now_ms()
    real_s, real_ns = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: real_s() + step_s)
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + step_s * 10**9)
    assert 0 <= clock.now_ms() - before_ms < 5_000
    assert 0 <= clock.now_s() * 1000 - before_ms < 5_000


def test_the_clock_never_goes_back() -> None:
    """No reading of the program's clock is before an earlier one."""
    times = [clock.now_ms() for _ in range(10_000)]
    assert times == sorted(times)
