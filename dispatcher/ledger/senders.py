"""Rows by whom they are sent: their own From, or their input's.

Of an input either each row that can be sent has a From of its own, and an index finds it by that, or none has: so no
claim goes through the rows of a sender that has sent enough for today.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from dispatcher.ledger import places
from dispatcher.ledger.db import Db
from dispatcher.rules.caps import Rooms
from dispatcher.rules.gate import Due, Gate

#: So many groups of rows that wait are told apart.
WAITS_MAX = 100_000


class DueOf(NamedTuple):
    """Rows of a sender that wait."""

    sender: str
    due: Due
    #: How many; 0: nobody has counted.
    rows: int = 0


def within(
    db: Db, rows: Iterable[Sequence[Any]], rooms: Rooms, taken: Counter[str], input_id: int, limit: int
) -> list[Sequence[Any]]:
    """Of these rows of an input (row_id, key, address or None, sender or None, …) those that their senders may begin.

    `taken`: how many more of each are granted already; those found are added.
    """
    file_sender, _ = db.one("input_senders", input_id=input_id)
    found: list[Sequence[Any]] = []
    for row in rows:
        sender = row[3] or file_sender or ""
        if len(found) < limit and taken[sender] < rooms.of(sender):
            taken[sender] += 1
            found.append(row)
    return found


def planned(
    db: Db,
    input_id: int,
    limit: int,
    at_ms: int,
    gate: Gate,
    rooms: Rooms,
    taken: Counter[str],
    whoever: Callable[[int], Sequence[Sequence[Any]]],
) -> list[Sequence[Any]]:
    """Rows of an input that may go, none of a sender above its room; as `within`.

    `whoever`: up to so many of them, whoever sends them.
    """
    file_sender, own_senders = db.one("input_senders", input_id=input_id)
    if not own_senders:
        sender = file_sender or ""
        room = min(limit, rooms.of(sender) - taken[sender])
        rows = whoever(room) if room > 0 else []
        taken[sender] += len(rows)
        return list(rows)
    found: list[Sequence[Any]] = []
    for of_senders in _open(db, input_id, at_ms, gate).values():
        left = {sender: rooms.of(sender) - taken[sender] for sender in of_senders}
        # As many of each, those with little room first: what one sends at once, its network has to carry.
        some = sorted((sender for sender, room in left.items() if room > 0), key=left.__getitem__)
        for place, sender in enumerate(some):
            share = -(-(limit - len(found)) // (len(some) - place))
            rows = db.rows(
                "planned_rows_from",
                input_id=input_id,
                sender=sender,
                places=of_senders[sender],
                now_ms=at_ms,
                limit=min(share, left[sender]),
            )
            taken[sender] += len(rows)
            found += rows
    return found


def _open(db: Db, input_id: int, at_ms: int, gate: Gate) -> dict[int, dict[str, list[int]]]:
    """Closing time, the first first -> sender -> the places that close then and have rows of it which may go."""
    found: dict[int, dict[str, list[int]]] = {}
    for sender, place_id, first_ms in db.rows("senders_planned", input_id=input_id):
        closes_ms = 0 if gate.places is None else gate.places.get(place_id)
        if closes_ms is not None and first_ms <= at_ms:
            found.setdefault(closes_ms, {}).setdefault(sender, []).append(place_id)
    return dict(sorted(found.items()))


def due(db: Db, input_ids: Iterable[int], *, placed: bool) -> list[DueOf]:
    """Of each sender the places with rows that wait; without `placed` the places of a file's one sender are one, 0."""
    found: list[DueOf] = []
    for input_id in input_ids:
        file_sender, own_senders = db.one("input_senders", input_id=input_id)
        if own_senders:
            rows = db.rows("senders_planned", input_id=input_id)
            found += [DueOf(sender, Due(place_id, first_ms)) for sender, place_id, first_ms in rows]
        elif placed:
            found += [DueOf(file_sender or "", one) for one in places.due(db, [input_id])]
        else:
            (first_ms,) = db.one("planned_first", input_id=input_id)
            found += [] if first_ms is None else [DueOf(file_sender or "", Due(0, first_ms))]
    return found


def waiting(db: Db, input_ids: Iterable[int], *, placed: bool) -> list[DueOf]:
    """As `due`, also by when rows may be sent by themselves, and counted."""
    found: list[DueOf] = []
    for input_id in input_ids:
        file_sender, own_senders = db.one("input_senders", input_id=input_id)
        if own_senders:
            rows = db.rows("senders_waiting", input_id=input_id, limit=WAITS_MAX)
            found += [DueOf(sender, Due(place_id, first_ms), n) for sender, place_id, first_ms, n in rows]
        elif placed:
            found += [DueOf(file_sender or "", one, n) for one, n in places.waiting(db, [input_id])]
        else:
            times = places.waiting_for_a_time(db, [input_id], -1)
            found += [DueOf(file_sender or "", Due(0, first_ms), n) for first_ms, n in times]
    return found
