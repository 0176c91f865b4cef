"""SIDs that look random, repeat from run to run, and need no table to be found again."""

from __future__ import annotations

import hashlib

_MODULUS = 1 << 128
_HEX_DIGITS = frozenset("0123456789abcdef")


class SidSpace:
    """All SIDs of one prefix: a bijection between 0, 1, 2, … and `PREFIX` + 32 lower-case hex digits.

    `at(n)` is the n-th SID, `index(sid)` its n again. Multiplying by an odd number modulo 2**128 mixes the digits and
    has an inverse, so a million executions need no dictionary of their SIDs.
    """

    __slots__ = ("_factor", "_inverse", "_offset", "prefix")

    def __init__(self, prefix: str, seed: int) -> None:
        digest = hashlib.blake2b(f"{prefix}:{seed}".encode(), digest_size=32).digest()
        self.prefix = prefix
        self._factor = int.from_bytes(digest[:16]) | 1
        self._inverse = pow(self._factor, -1, _MODULUS)
        self._offset = int.from_bytes(digest[16:])

    def at(self, n: int) -> str:
        return f"{self.prefix}{(n * self._factor + self._offset) % _MODULUS:032x}"

    def index(self, sid: str) -> int | None:
        """The n whose SID this is (it may be larger than any handed out), or None if it is no SID of this space."""
        digits = sid[len(self.prefix) :]
        if not sid.startswith(self.prefix) or len(digits) != 32 or not _HEX_DIGITS.issuperset(digits):
            return None
        return (int(digits, 16) - self._offset) * self._inverse % _MODULUS


def derived_sid(prefix: str, *parts: str | int) -> str:
    """A SID that is a function of its parts, for things that are never looked up by it (a contact, a message)."""
    return prefix + hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=16).hexdigest()
