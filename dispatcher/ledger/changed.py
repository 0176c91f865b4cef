"""What rows have sent, where a newer file says something else by now.

The ledger keeps the values of a row once, as its newest file has them. Where these are not what was sent, what was is
kept with the attempt, so that the report never shows today's values beside yesterday's request.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson

from dispatcher.ledger.chunks import ROW_NUMBER_BITS, ChunkReader, id_range
from dispatcher.ledger.db import Db
from dispatcher.ledger.records import InputRecord

#: So many rows are looked through at a time.
ROWS_PER_READ = 10_000


def keep(db: Db, known: dict[int, InputRecord], input_id: int) -> None:
    """Compare rows that were sent, or may have been, with the same rows of the file that is being planned.

    Called while both stand in the temporary table of the rows that go on.
    """
    others = [known[other] for (other,) in db.rows("continued_inputs")]
    if len(others) == 1 and _as_before(db, others[0], known[input_id]):
        return
    _find(db, known, input_id)
    _keep_found(db, known)


def count(db: Db, campaign_id: int) -> int:
    """How many rows of a campaign were sent, or may have been, with other values or to another address than now."""
    return int(db.one("sent_count", campaign_id=campaign_id)[0])


def _as_before(db: Db, old: InputRecord, new: InputRecord) -> bool:
    """Whether the file is the same, read as the same cells, and sent in the same way to the same addresses.

    Then its chunks are the same, too: to compare them costs next to nothing.
    """
    ways = [(one.parameter_columns, one.parameter_constants, one.from_address) for one in (old, new)]
    if ways[0] != ways[1] or old.sha256 != new.sha256:
        return False
    old_first = id_range(old.input_id)["first"]
    if db.one("chunks_differ", old_first=old_first, **id_range(new.input_id))[0]:
        return False
    return not db.one("continued_elsewhere")[0]


def _find(db: Db, known: dict[int, InputRecord], input_id: int) -> None:
    """The rows that differ, into a table of their own.

    A re-sorted file's rows lie in other chunks than their old ones: each file is gone through in its own order, and
    only a number of each row's values is remembered in between.
    """
    new_ids, digests = array("q"), array("q")
    reader = ChunkReader()
    for new_id, *_ in _pages(lambda after: db.rows("continued_sent_new", after=after, limit=ROWS_PER_READ)):
        new_ids.append(new_id)
        digests.append(hash(_values(known[input_id].parameters(reader.cells(db, new_id)))))
    reader = ChunkReader()
    flat: list[Any] = []
    old_rows = _pages(lambda after: db.rows("continued_sent_old", after=after, limit=ROWS_PER_READ))
    for _, new_id, old_id, attempt_id, elsewhere, before in old_rows:
        sent = known[old_id >> ROW_NUMBER_BITS].parameters(reader.cells(db, old_id))
        if before:
            _overlay(sent, orjson.loads(before))
        if elsewhere or hash(_values(sent)) != digests[bisect_left(new_ids, new_id)]:
            flat += (new_id, attempt_id, orjson.dumps(sent).decode())
        elif before:
            db.run("sent_forget", attempt_id=attempt_id)
        if len(flat) >= 3 * ROWS_PER_READ:
            db.insert("differing_insert", 3, flat)
            flat = []
    db.insert("differing_insert", 3, flat)


def _keep_found(db: Db, known: dict[int, InputRecord]) -> None:
    reader = ChunkReader()
    flat: list[Any] = []
    for new_id, attempt_id, text in _pages(lambda after: db.rows("differing", after=after, limit=ROWS_PER_READ)):
        sent: dict[str, str] = orjson.loads(text)
        now = known[new_id >> ROW_NUMBER_BITS].parameters(reader.cells(db, new_id))
        differ: dict[str, str | None] = {name: value for name, value in sent.items() if now.get(name) != value}
        differ.update(dict.fromkeys(now.keys() - sent.keys()))
        flat += (attempt_id, known[new_id >> ROW_NUMBER_BITS].campaign_id, orjson.dumps(differ).decode())
        if len(flat) >= 3 * ROWS_PER_READ:
            db.insert("sent_keep", 3, flat)
            flat = []
    db.insert("sent_keep", 3, flat)


def _values(parameters: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(parameters.items()))


def _overlay(parameters: dict[str, str], sent: dict[str, str | None]) -> None:
    for name, value in sent.items():
        if value is None:
            parameters.pop(name, None)
        else:
            parameters[name] = value


def _pages(read: Callable[[int], Sequence[Sequence[Any]]]) -> Iterator[Sequence[Any]]:
    """All rows of a query that is read on from the first column of its last row."""
    after = 0
    while rows := read(after):
        after = rows[-1][0]
        yield from rows
