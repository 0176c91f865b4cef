"""Looking for people among those who are forgotten: by what stands for them, where anybody ever was.

As long as nobody was, nothing is asked for twice. Where the key is lost by which they are told, whatever needs to know
whom the account has reached, or must not reach, is refused: a forgotten person would be a stranger.
"""

from __future__ import annotations

from collections.abc import Sequence

from dispatcher.errors import LedgerKeyLost
from dispatcher.ledger.db import Db
from dispatcher.remedies import Advice, AnyOf, Setting


def in_use(db: Db) -> bool:
    """Whether anybody was ever forgotten. Raises: LedgerKeyLost."""
    found = db.first("erasure_key")
    if found is None:
        return False
    if not found[0]:
        raise key_lost()
    return True


def key_lost() -> LedgerKeyLost:
    """What to say where people were forgotten by a key that is not there."""
    return LedgerKeyLost(
        "people were forgotten, and the key that tells who they are is not there: they would be reached again",
        found="no forgotten.key beside the ledger, in a server's no row in forgotten_key, or another ledger's",
        fix=AnyOf(Advice("put it back from a copy"), Setting("state.dir", "a new folder")),
    )


def stand_ins(db: Db, contacts: Sequence[str]) -> list[str]:
    """What stands for these contacts, in their order; nothing where nobody was forgotten. Raises: LedgerKeyLost."""
    if not contacts or not in_use(db):
        return []
    return [one for (one,) in db.rows("pseudonyms", contacts=list(contacts))]


def asked(db: Db, contacts: Sequence[str]) -> list[str]:
    """The contacts, and behind them what stands for them: of a place found there, `place % len(contacts)` is theirs."""
    return [*contacts, *stand_ins(db, contacts)]
