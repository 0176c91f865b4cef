"""Passwords: hashed as told, one at a time beside the loop, and nobody learns which names there are."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from dispatcher.errors import UsageError
from dispatcher.web import passwords
from dispatcher.web.passwords import COST, Cost, Hasher, check_new, hash_of, is_outdated, is_password

CHEAP = Cost(n=2**10, r=8, p=1)
PASSWORD = "correct horse battery"


def test_what_a_password_costs() -> None:
    """32 MiB, three times: OWASP's second choice for scrypt; it stands with each hash."""
    assert (COST.n, COST.r, COST.p) == (2**15, 8, 3)
    assert 128 * COST.n * COST.r == 32 * 1024 * 1024
    assert hash_of(PASSWORD).startswith("scrypt$32768$8$3$")


def test_each_hash_has_its_own_salt() -> None:
    """Two people of one password cannot be told to be such."""
    one, two = hash_of(PASSWORD, CHEAP), hash_of(PASSWORD, CHEAP)
    assert one != two
    assert is_password(PASSWORD, one, CHEAP)
    assert is_password(PASSWORD, two, CHEAP)


@pytest.mark.parametrize("wrong", ["", "correct horse batter", "Correct horse battery", PASSWORD + " ", "\udcff"])
def test_another_password_is_none(wrong: str) -> None:
    """Nothing is cut off, folded or passed over, and no text is an error."""
    assert not is_password(wrong, hash_of(PASSWORD, CHEAP), CHEAP)


def test_a_password_of_every_keyboard() -> None:
    """An accent typed in one piece or in two is the same password."""
    stored = hash_of("caf\u00e9 caf\u00e9 caf\u00e9", CHEAP)
    assert is_password("cafe\u0301 cafe\u0301 cafe\u0301", stored, CHEAP)
    assert not is_password("cafe cafe cafe", stored, CHEAP)


def test_the_cost_can_be_raised() -> None:
    """A hash of another cost is still good, and is told to be outdated."""
    stored = hash_of(PASSWORD, CHEAP)
    assert is_password(PASSWORD, stored, COST)
    assert (is_outdated(stored, COST), is_outdated(stored, CHEAP)) == (True, False)


@pytest.mark.parametrize(
    ("password", "is_good"),
    [
        ("", False),
        ("a" * 11, False),
        ("a" * 12, True),
        ("\u00e9" * 11, False),
        ("e\u0301" * 11, False),
        ("e\u0301" * 12, True),
        ("a" * 1024, True),
        ("a" * 1025, False),
    ],
)
def test_which_password_can_be_one(password: str, is_good: bool) -> None:
    """Twelve characters, as they are counted once they are normalised; nothing else is asked of it."""
    if is_good:
        check_new(password)
        return
    with pytest.raises(UsageError, match=r"at least 12|at most 1,024"):
        check_new(password)


def test_an_unknown_name_costs_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly one hash of the same cost is made for a wrong password, and for a name that is not there."""
    made: list[Cost] = []
    scrypt = passwords._scrypt

    def counted(password: str, salt: bytes, cost: Cost) -> bytes:
        made.append(cost)
        return scrypt(password, salt, cost)

    stored = hash_of(PASSWORD, CHEAP)
    monkeypatch.setattr(passwords, "_scrypt", counted)
    assert not is_password("wrong", stored, CHEAP)
    assert not is_password("wrong", None, CHEAP)
    assert made == [CHEAP, CHEAP]


async def test_one_at_a_time_and_the_loop_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five at once only one is worked on, and not on the loop's thread, which goes on meanwhile."""
    at_once: list[int] = []
    under_way: set[int] = set()

    def slow(password: str, salt: bytes, cost: Cost) -> bytes:
        assert threading.current_thread() is not threading.main_thread()
        me = len(at_once)
        under_way.add(me)
        at_once.append(len(under_way))
        time.sleep(0.02)
        under_way.discard(me)
        return b""

    monkeypatch.setattr(passwords, "_scrypt", slow)
    hasher = Hasher(CHEAP)
    tries = [asyncio.create_task(hasher.is_password(PASSWORD, None)) for _ in range(5)]
    turns = 0
    while not all(task.done() for task in tries):
        turns += 1
        await asyncio.sleep(0.001)
    assert at_once == [1] * 5
    assert turns > 5
    hasher.close()


async def test_a_password_of_a_megabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is nobody's, and is not worked through."""
    hasher = Hasher(CHEAP)
    monkeypatch.setattr(passwords, "normalised", lambda text: text if len(text) < 2_000 else pytest.fail("worked on"))
    assert not await hasher.is_password("a" * 1_000_000, hash_of(PASSWORD, CHEAP))
    with pytest.raises(UsageError):
        await hasher.hash_of("short")
    hasher.close()
