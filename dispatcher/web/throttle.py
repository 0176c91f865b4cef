"""How long somebody who types wrong passwords waits. The time is passed in; nothing is kept over a restart.

Counted are failures of a name from an address, of an address, and of a name. The first four of a name from an address
are free, the fifth makes it wait 32 seconds, and each further one twice as long, at most a quarter of an hour. An
address and a name have more free, as an office has one address, and anybody can type another's name: whoever has signed
in from an address before does not wait for what others type elsewhere. And each ten minutes one of theirs is forgotten:
typing errors do not add up over weeks.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

#: From this failure on there is a wait, of a name from an address,
FIRST = 5
#: of an address, whatever the names, and of a name, wherever from.
FIRST_OF_ONE = 30
#: The first wait; each further one is twice as long.
WAIT_MIN_S = 32.0
WAIT_MAX_S = 15 * 60.0
#: A name alone waits less: all who try it together must not keep its owner out.
WAIT_OF_NAME_MAX_S = 30.0
#: After so long without a failure all of them are forgotten,
FORGOTTEN_S = 24 * 3600.0
#: and one of an address or a name after so long.
ONE_FORGOTTEN_S = 600.0
#: So many are remembered of each kind, the latest; a few MB.
REMEMBERED = 10_000


@dataclass(slots=True)
class _Count:
    failures: float
    #: When the next try may be.
    until_s: float
    last_s: float


class Throttle:
    """The failures of sign-ins. Times: seconds of any clock that does not step."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._pairs: OrderedDict[Hashable, _Count] = OrderedDict()
        self._addresses: OrderedDict[Hashable, _Count] = OrderedDict()
        self._names: OrderedDict[Hashable, _Count] = OrderedDict()
        #: From where a name has signed in.
        self._known: OrderedDict[Hashable, None] = OrderedDict()

    def wait_s(self, name: str, address: str, *, now_s: float) -> float:
        """How long it is until this may be tried; 0: now. Ask before the password is looked at."""
        where = _network(address)
        waits = [
            _wait_s(self._pairs.get((name, where)), now_s),
            _wait_s(self._addresses.get(where), now_s),
        ]
        if (name, where) not in self._known:
            waits.append(_wait_s(self._names.get(name), now_s))
        return max(waits)

    def failed(self, name: str, address: str, *, now_s: float) -> None:
        """A wrong password, or an unknown name: both count alike."""
        where = _network(address)
        self._count(self._pairs, (name, where), now_s, FIRST, WAIT_MAX_S, 0.0)
        self._count(self._addresses, where, now_s, FIRST_OF_ONE, WAIT_MAX_S, 1 / ONE_FORGOTTEN_S)
        self._count(self._names, name, now_s, FIRST_OF_ONE, WAIT_OF_NAME_MAX_S, 1 / ONE_FORGOTTEN_S)

    def succeeded(self, name: str, address: str) -> None:
        """The right password: this name's failures from here are forgotten. The address' are not: it may try others."""
        where = _network(address)
        self._pairs.pop((name, where), None)
        self._known[(name, where)] = None
        self._known.move_to_end((name, where))
        if len(self._known) > self._remembered:
            self._known.popitem(last=False)

    def __len__(self) -> int:
        """How much is remembered, of all kinds."""
        return len(self._pairs) + len(self._addresses) + len(self._names) + len(self._known)

    def _count(
        self,
        counts: OrderedDict[Hashable, _Count],
        key: Hashable,
        now_s: float,
        first: int,
        wait_max_s: float,
        forgotten_per_s: float,
    ) -> None:
        count = counts.get(key)
        if count is None or now_s - count.last_s > FORGOTTEN_S:
            count = counts[key] = _Count(0, now_s, now_s)
        count.failures = max(0.0, count.failures - (now_s - count.last_s) * forgotten_per_s) + 1
        count.last_s = now_s
        over = int(count.failures) - first
        if over >= 0:
            # Bounded before it is a power: a million failures must not be a number of a million digits.
            count.until_s = now_s + min(WAIT_MIN_S * 2 ** min(over, 20), wait_max_s)
        counts.move_to_end(key)
        if len(counts) > self._remembered:
            counts.popitem(last=False)


def _wait_s(count: _Count | None, now_s: float) -> float:
    return 0.0 if count is None else max(0.0, count.until_s - now_s)


def _network(address: str) -> str:
    """Who stands behind an address: with IPv6 everybody has 2^64 of them."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
