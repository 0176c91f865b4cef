"""Passwords as they are typed: counted, made to wait, looked at; at the sign-in and before something is sent."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dispatcher.clock import counted_ms
from dispatcher.web.store import User, Users
from dispatcher.web.store.values import name_key
from dispatcher.web.throttle import Throttle
from dispatcher.web.times import duration

#: Tries that are looked at at one moment, of an address and of all: each takes a second of a slow machine.
OF_AN_ADDRESS = 4
OF_ALL = 20
#: Longer ones are nobody's names, and are not remembered whole.
_NAME_CHARACTERS = 64
WRONG = "The name or the password is wrong."


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The password was wrong, or was not looked at."""

    sentence: str
    #: How long to wait; 0: it was looked at.
    wait_s: int = 0


class Tries:
    """The passwords that are typed at one server."""

    def __init__(self, users: Users) -> None:
        self._users = users
        self._throttle = Throttle()
        self._under_way: list[tuple[str, str]] = []

    async def password(self, name: str, password: str, source: str) -> User | Refused:
        """The person whose password it is; `source`: the address it comes from. Raises: LedgerError."""
        key = name_key(name)[:_NAME_CHARACTERS]
        wait_s = self._throttle.wait_s(key, source, now_s=_now_s())
        if wait_s > 0:
            return _later(math.ceil(wait_s), "Too many wrong passwords.")
        # Whoever sends a hundred at once would have all of them looked at before the first is counted.
        if (key, source) in self._under_way or self._of(source) >= OF_AN_ADDRESS or len(self._under_way) >= OF_ALL:
            return _later(2, "Another sign-in is being looked at.")
        self._under_way.append((key, source))
        try:
            user = await self._users.check(name, password)
        finally:
            self._under_way.remove((key, source))
        if user is not None:
            self._throttle.succeeded(key, source)
            return user
        self._throttle.failed(key, source, now_s=_now_s())
        wait_s = self._throttle.wait_s(key, source, now_s=_now_s())
        if wait_s > 0:
            return Refused(sentence=f"{WRONG} Try again in {duration(math.ceil(wait_s))}.")
        return Refused(sentence=WRONG)

    async def again(self, user: User, password: str, source: str) -> str:
        """Whether somebody who is signed in still knows the password; what is wrong, empty: nothing."""
        tried = await self.password(user.name, password, source)
        if isinstance(tried, Refused):
            return tried.sentence.replace(WRONG, "The password is wrong.")
        return "" if tried.user_id == user.user_id else "Sign in again."

    def _of(self, source: str) -> int:
        return sum(known == source for _, known in self._under_way)


def _later(wait_s: int, why: str) -> Refused:
    return Refused(sentence=f"{why} Try again in {duration(wait_s)}.", wait_s=wait_s)


def _now_s() -> float:
    return counted_ms() / 1000
