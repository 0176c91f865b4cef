"""How long wrong passwords wait: longer each time, never for ever, and never those who are somebody else."""

from __future__ import annotations

import itertools

import pytest

from dispatcher.web.throttle import (
    FIRST,
    FIRST_OF_ONE,
    FORGOTTEN_S,
    WAIT_MAX_S,
    WAIT_MIN_S,
    WAIT_OF_NAME_MAX_S,
    Throttle,
)

HERE, THERE = "192.0.2.1", "192.0.2.2"


def fail(throttle: Throttle, times: int, name: str = "anna", address: str = HERE, now_s: float = 0.0) -> float:
    """Fail so often, each time when it may be tried; returns when that was."""
    for _ in range(times):
        now_s += throttle.wait_s(name, address, now_s=now_s)
        throttle.failed(name, address, now_s=now_s)
    return now_s


def test_each_failure_doubles_the_wait() -> None:
    """Four are free; then 32, 64, 128 … seconds, at most a quarter of an hour, however many more."""
    throttle, now_s, waits = Throttle(), 0.0, []
    for _ in range(20):
        now_s = fail(throttle, 1, now_s=now_s)
        waits.append(throttle.wait_s("anna", HERE, now_s=now_s))
    assert waits == [0.0] * 4 + [32.0, 64.0, 128.0, 256.0, 512.0] + [WAIT_MAX_S] * 11


def test_the_wait_runs_down() -> None:
    """It is over to the second, and asking for it does not make it longer."""
    throttle = Throttle()
    now_s = fail(throttle, FIRST)
    for passed_s in (0.0, 10.5, 31.0, 32.0, 33.0):
        assert throttle.wait_s("anna", HERE, now_s=now_s + passed_s) == max(0.0, WAIT_MIN_S - passed_s)


def test_nobody_else_waits() -> None:
    """Another name from the same address, and the same name from another one, may try at once."""
    throttle = Throttle()
    now_s = fail(throttle, FIRST + 2)
    assert throttle.wait_s("anna", HERE, now_s=now_s) == 128.0
    assert throttle.wait_s("bob", HERE, now_s=now_s) == 0.0
    assert throttle.wait_s("anna", THERE, now_s=now_s) == 0.0


def test_the_right_password_forgets() -> None:
    """The next wrong one is the first again."""
    throttle = Throttle()
    now_s = fail(throttle, FIRST + 3)
    throttle.succeeded("anna", HERE)
    assert throttle.wait_s("anna", HERE, now_s=now_s) == 0.0
    throttle.failed("anna", HERE, now_s=now_s)
    assert throttle.wait_s("anna", HERE, now_s=now_s) == 0.0


def test_an_address_that_tries_names_waits() -> None:
    """One password for each of many names is slowed down, too; a right one of its own does not free it."""
    throttle = Throttle()
    for n in range(FIRST_OF_ONE + 2):
        throttle.failed(f"name{n}", HERE, now_s=0.0)
    throttle.succeeded("mallory", HERE)
    assert throttle.wait_s("anna", HERE, now_s=0.0) == 128.0
    assert throttle.wait_s("anna", THERE, now_s=0.0) == 0.0


def test_a_name_tried_from_everywhere_waits_a_little() -> None:
    """Whoever has signed in from an address before does not wait there for what others try elsewhere."""
    throttle = Throttle()
    throttle.succeeded("anna", HERE)
    for n in range(1_000):
        throttle.failed("anna", f"198.51.{n // 250}.{n % 250}", now_s=0.0)
    assert throttle.wait_s("anna", THERE, now_s=0.0) == WAIT_OF_NAME_MAX_S
    assert throttle.wait_s("anna", HERE, now_s=0.0) == 0.0


def test_a_day_without_a_failure_forgets() -> None:
    """Typing errors do not add up over weeks."""
    throttle = Throttle()
    now_s = fail(throttle, FIRST - 1)
    throttle.failed("anna", HERE, now_s=now_s + FORGOTTEN_S + 1)
    assert throttle.wait_s("anna", HERE, now_s=now_s + FORGOTTEN_S + 1) == 0.0
    throttle.failed("anna", HERE, now_s=now_s + FORGOTTEN_S + 2)
    assert throttle.wait_s("anna", HERE, now_s=now_s + FORGOTTEN_S + 2) == 0.0


def test_an_offices_typing_errors_do_not_add_up() -> None:
    """Sixty wrong passwords a day from one address, of many names, wait for nothing, however many days."""
    throttle, now_s = Throttle(), 0.0
    for n in range(60 * 30):
        now_s += 24 * 60.0
        throttle.failed(f"name{n % 20}", HERE, now_s=now_s)
        throttle.succeeded(f"name{n % 20}", HERE)
        assert throttle.wait_s("anna", HERE, now_s=now_s) == 0.0


def test_memory_is_bounded() -> None:
    """A million names and addresses leave no more than was agreed, and whoever tries them waits all the same."""
    throttle = Throttle(remembered=100)
    for n in range(20_000):
        throttle.failed(f"name{n}", f"198.51.{n // 250 % 250}.{n % 250}", now_s=0.0)
        throttle.failed(f"name{n}", HERE, now_s=0.0)
        throttle.succeeded(f"name{n}", f"198.51.{n // 250 % 250}.{n % 250}")
    assert len(throttle) <= 400
    assert throttle.wait_s("anna", HERE, now_s=0.0) == WAIT_MAX_S


def test_a_million_failures_are_no_overflow() -> None:
    """The wait stays a quarter of an hour."""
    throttle = Throttle()
    for _ in itertools.repeat(None, 5_000):
        throttle.failed("anna", HERE, now_s=0.0)
    assert throttle.wait_s("anna", HERE, now_s=0.0) == WAIT_MAX_S


@pytest.mark.parametrize(
    ("one", "two", "is_same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "", True),
        ("unknown", "other", False),
    ],
)
def test_who_stands_behind_an_address(one: str, two: str, is_same: bool) -> None:
    """With IPv6 everybody has 2^64 of them; what is no address is one by itself."""
    throttle = Throttle()
    for _ in range(FIRST):
        throttle.failed("anna", one, now_s=0.0)
    assert (throttle.wait_s("anna", two, now_s=0.0) > 0) == is_same
