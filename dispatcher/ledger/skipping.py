"""Planned rows are left out: each with a sentence why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from dispatcher.errors import LedgerCorrupt
from dispatcher.ledger import tallies
from dispatcher.ledger.chunks import ROW_NUMBER_BITS
from dispatcher.ledger.db import Db
from dispatcher.model import Reason, RowState


def skip(db: Db, reason: Reason, sentences: Mapping[int, str]) -> int:
    """Planned rows become skipped: row_id -> why. Returns how many. Raises: LedgerCorrupt: one is not planned."""
    if not sentences:
        return 0
    flat: list[int | str] = []
    for pair in sentences.items():
        flat += pair
    n = db.update("rows_skip", 2, flat, reason_code=reason.value)
    if n != len(sentences):
        raise LedgerCorrupt("rows that were to be left out are not planned", fix="restore a copy of the ledger")
    moves: tallies.Moves = Counter()
    for input_id, rows in Counter([row_id >> ROW_NUMBER_BITS for row_id in sentences]).items():
        moves.update(tallies.moved(input_id, RowState.planned.value, RowState.skipped.value, rows))
    tallies.add(db, moves)
    return n
