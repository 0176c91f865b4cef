"""Rows that a cool-off would hold, among those that wait for their hours, their own times and caps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from dispatcher.ledger.senders import DueOf
from dispatcher.rules.gate import Due


def delayed(waiting: Iterable[DueOf], held: Mapping[tuple[Due, int], int], *, placed: bool) -> list[DueOf]:
    """Rows that wait, each of the held ones not before that is over.

    `held`: where and when rows may go by themselves, and until when they are held (ms) -> how many. Those that are not
    among the ones that wait, as they wait for nothing else, come last, and are nobody's. Which sender's the held ones
    are is not known: they are taken from the first. `placed`: it is told by place.
    """
    left: dict[Due, Counter[int]] = {}
    for (due, until_ms), n in held.items():
        left.setdefault(due if placed else due._replace(place_id=0), Counter())[until_ms] += n
    found: list[DueOf] = []
    for sender, due, n in waiting:
        rest = n
        for until_ms, of in left.get(due, Counter()).items():
            taken = min(rest, of)
            left[due][until_ms] -= taken
            rest -= taken
            found.append(_until(sender, due, until_ms, taken))
        found.append(DueOf(sender, due, rest))
    found += [_until("", due, until_ms, n) for due, of in left.items() for until_ms, n in of.items()]
    return [one for one in found if one.rows]


def _until(sender: str, due: Due, until_ms: int, rows: int) -> DueOf:
    return DueOf(sender, due._replace(first_ms=max(due.first_ms, until_ms)), rows)
