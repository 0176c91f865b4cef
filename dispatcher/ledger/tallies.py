"""How many rows of each input are in which state: moved in the transaction that moves the rows."""

from __future__ import annotations

from collections import Counter

from dispatcher.ledger.db import Db

#: (input_id, state as plain text) -> by how many rows the state grew.
Moves = Counter[tuple[int, str]]


def add(db: Db, moves: Moves) -> None:
    """Move the tallies."""
    changed = [[input_id, state, n] for (input_id, state), n in moves.items() if n]
    if changed:
        db.run("tallies_add", moves=changed)


def moved(input_id: int, before: str, after: str, n: int) -> Moves:
    """The moves of `n` rows of one input from one state to another."""
    moves: Moves = Counter()
    moves[input_id, before] -= n
    moves[input_id, after] += n
    return moves
