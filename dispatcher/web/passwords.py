"""Passwords: hashed by scrypt, each with its own salt and with what it cost, so that the cost can be raised.

One at a time, on a thread of its own: each takes 32 MiB and a second of a slow machine, and nobody may have the page or
the sending beside it stand still by trying many.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from dispatcher.errors import UsageError

T = TypeVar("T")

CHARACTERS_MIN = 12
#: Far above any pass phrase: a longer one only costs time.
CHARACTERS_MAX = 1024
_SALT_BYTES = 16
_HASH_BYTES = 32
_MEMORY_MAX_BYTES = 256 * 1024 * 1024
#: What is compared for a name that is not known: no password has it.
_NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Cost:
    """scrypt's parameters (RFC 7914): memory is 128 · n · r bytes, 32 MiB by default; time is n · r · p."""

    n: int = 2**15
    r: int = 8
    p: int = 3


COST = Cost()


def check_new(password: str) -> None:
    """Raises: UsageError: too short or too long. What else makes one good, nobody can tell by looking at it."""
    characters = len(normalised(password))
    if characters < CHARACTERS_MIN:
        raise UsageError(
            f"a password needs at least {CHARACTERS_MIN} characters",
            found=f"{characters}",
            fix="take four or five words that have nothing to do with each other",
        )
    if characters > CHARACTERS_MAX:
        raise UsageError(f"a password has at most {CHARACTERS_MAX:,} characters", found=f"{characters:,}")


def normalised(password: str) -> str:
    """The same for every keyboard: an accent typed in one piece or in two (Unicode NFKC)."""
    return unicodedata.normalize("NFKC", password)


def hash_of(password: str, cost: Cost = COST) -> str:
    """What is stored: `scrypt$n$r$p$salt$hash`. Blocking, about half a second."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return "$".join(
        ("scrypt", str(cost.n), str(cost.r), str(cost.p), _text(salt), _text(_scrypt(password, salt, cost)))
    )


def is_password(password: str, stored: str | None, cost: Cost = COST) -> bool:
    """Whether it is the one that was stored. None: of nobody; that takes as long, so that names cannot be tried.

    Blocking, about half a second. Raises: ValueError: `stored` is no hash of ours.
    """
    if stored is None:
        _scrypt(password, _NOBODY.encode(), cost)
        return False
    then, salt, hashed = _parts(stored)
    return hmac.compare_digest(_scrypt(password, salt, then), hashed)


def is_outdated(stored: str, cost: Cost = COST) -> bool:
    """Whether it was hashed at another cost than today's. Raises: ValueError."""
    return _parts(stored)[0] != cost


class Hasher:
    """The thread that hashes, one password at a time."""

    def __init__(self, cost: Cost = COST) -> None:
        self.cost = cost
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="page-passwords")

    async def hash_of(self, password: str) -> str:
        """See `hash_of`. Raises: UsageError as `check_new`."""
        check_new(password)
        return await self._do(lambda: hash_of(password, self.cost))

    async def is_password(self, password: str, stored: str | None) -> bool:
        """See `is_password`."""
        if len(password) > CHARACTERS_MAX:
            # Nobody's, and no more work than any other.
            password, stored = "", None
        return await self._do(lambda: is_password(password, stored, self.cost))

    def close(self) -> None:
        """Whatever waits is not done any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._pool.submit(work))


def _scrypt(password: str, salt: bytes, cost: Cost) -> bytes:
    # What no text can be (half of a surrogate pair, from a form) is still only a wrong password.
    secret = normalised(password).encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=cost.n, r=cost.r, p=cost.p, maxmem=_MEMORY_MAX_BYTES, dklen=_HASH_BYTES)


def _parts(stored: str) -> tuple[Cost, bytes, bytes]:
    name, n, r, p, salt, hashed = stored.split("$")
    if name != "scrypt":
        raise ValueError(f"not a hash of ours: {name}")
    return Cost(int(n), int(r), int(p)), base64.b64decode(salt), base64.b64decode(hashed)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
