"""Room 2: rows' states, durable.

In: checked rows from intake, intents and outcomes from sending. Out: rows granted for sending, counts, report rows.
Owns promises 1 and 3: an intent is on disk before its request leaves, no row has two live attempts (the database
refuses it), and whatever kills the process, the next run finds each row in a state with a reason.

`protocol.py` says what any ledger can do; the rules (planning, attempts, runs, …) are written once, over named queries
(`db.py`); `sqlite/` is the one database today. Callers see `Ledger` alone.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from dispatcher.ledger.protocol import Ledger, LedgerSnapshot
from dispatcher.ledger.records import Account, LedgerHealth
from dispatcher.ledger.sqlite.health import ledger_health
from dispatcher.ledger.sqlite.lease import is_held, is_held_by_any
from dispatcher.ledger.sqlite.ledger import SqliteLedger, SqliteRehearsal

if TYPE_CHECKING:
    # Its library takes time to load, and nobody who only names a record needs it.
    from dispatcher.settings.schema import StateSettings

__all__ = [
    "Ledger",
    "LedgerHealth",
    "LedgerSnapshot",
    "check_ledger",
    "is_leased",
    "open_ledger",
    "open_rehearsal",
]


async def open_ledger(state: StateSettings, *, create: bool = True) -> Ledger:
    """Open the ledger, and make or upgrade it as needed; a few ms. The caller closes it.

    Raises: LedgerUnwritable, LedgerFull, LedgerCorrupt, LedgerTooNew, LedgerUnreachable; CampaignNotFound where
    `create` is off and there is none.
    """
    return await asyncio.to_thread(SqliteLedger.open, Path(state.dir), create=create)


async def open_rehearsal(state: StateSettings, campaign: str, *, repeat_after_ms: int = 0) -> Ledger:
    """A throw-away ledger with that campaign's rows alone, none where it is new. The caller closes it.

    It knows, too, whom other campaigns have reached in the last `repeat_after_ms`.

    Whatever is done with it changes nothing, and whatever kills the process leaves nothing of it. Its leases are its
    own. Raises: LedgerCorrupt, LedgerTooNew, LedgerUnwritable, LedgerFull, LedgerUnreachable.
    """
    return await asyncio.to_thread(SqliteRehearsal.open, Path(state.dir), campaign, repeat_after_ms)


def is_leased(state: StateSettings, account_sid: str, base_url: str) -> bool:
    """Whether any process works for the account now, with this ledger or with another one of this user.

    Nothing is opened, made or changed. False: it cannot be told.
    """
    return is_held_by_any(account_sid, base_url) or is_held(
        Path(state.dir), Account(account_id=0, account_sid=account_sid, base_url=base_url)
    )


async def check_ledger(state: StateSettings) -> LedgerHealth | None:
    """Read the whole ledger and check that it is sound, without changing it; None where there is none yet.

    Raises: LedgerCorrupt, LedgerUnwritable, LedgerUnreachable, LedgerError: it cannot even be read.
    """
    return await asyncio.to_thread(ledger_health, Path(state.dir))
