"""Room 2: rows' states, durable.

In: checked rows from intake, intents and outcomes from sending. Out: rows granted for sending, counts, report rows.
Owns the promises *never twice* and *never lost*: an intent is on disk before its request leaves, no row has two live
attempts (the database refuses it), and whatever kills the process, the next run finds each row in a state with a
reason.

`location.py` says where it lies; `protocol.py` what any ledger can do; the rules (planning, attempts, runs, …) are
written once, over named queries (`db.py`); `sqlite/` is the one database today. Callers see `Ledger` alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dispatcher.ledger.location import has_rehearsals, is_exposed, ledger_folder
from dispatcher.ledger.protocol import Ledger
from dispatcher.ledger.records import Account
from dispatcher.ledger.snapshot import LedgerSnapshot
from dispatcher.ledger.sqlite.cleaning import clean
from dispatcher.ledger.sqlite.copies import back_up, move
from dispatcher.ledger.sqlite.health import LedgerHealth, ledger_health
from dispatcher.ledger.sqlite.lease import is_held, is_held_by_any
from dispatcher.ledger.sqlite.ledger import SqliteLedger, SqliteRehearsal
from dispatcher.ledger.sqlite.leftovers import remove_leftovers

if TYPE_CHECKING:
    # Its library takes time to load, and nobody who only names a record needs it.
    from dispatcher.settings.schema import StateSettings

__all__ = [
    "Ledger",
    "LedgerHealth",
    "LedgerSnapshot",
    "back_up_ledger",
    "check_ledger",
    "clean_ledger",
    "has_rehearsals",
    "is_exposed",
    "is_leased",
    "ledger_folder",
    "move_ledger",
    "open_ledger",
    "open_rehearsal",
    "reopen_rehearsal",
]

# `loopback`: the host to call is this machine. Rehearsals have a ledger of their own (see `location`).


async def open_ledger(state: StateSettings, *, create: bool = True, loopback: bool = False) -> Ledger:
    """Open the ledger, and make or upgrade it as needed; a few ms. The caller closes it.

    Raises: SettingsError (see `ledger_folder`), LedgerUnwritable, LedgerFull, LedgerCorrupt, LedgerTooNew,
    LedgerUnreachable; CampaignNotFound where `create` is off and there is none.
    """

    def opened() -> Ledger:
        folder = ledger_folder(state, loopback=loopback)
        remove_leftovers()
        return SqliteLedger.open(folder, create=create)

    return await asyncio.to_thread(opened)


async def open_rehearsal(
    state: StateSettings,
    campaign: str,
    *,
    repeat_after_ms: int = 0,
    loopback: bool = False,
    scratch: Path | None = None,
) -> Ledger:
    """A throw-away ledger with that campaign's rows alone, none where it is new. The caller closes it.

    It knows, too, whom other campaigns have reached in the last `repeat_after_ms`.

    Whatever is done with it changes nothing, and whatever kills the process leaves nothing of it; with `scratch` it is
    made anew in that file, and kept for `reopen_rehearsal`. Its leases are its own.
    Raises: SettingsError, LedgerCorrupt, LedgerTooNew, LedgerUnwritable, LedgerFull, LedgerUnreachable.
    """

    def opened() -> Ledger:
        folder = ledger_folder(state, loopback=loopback)
        remove_leftovers()
        return SqliteRehearsal.open(folder, campaign, repeat_after_ms, scratch)

    return await asyncio.to_thread(opened)


async def reopen_rehearsal(state: StateSettings, scratch: Path, *, loopback: bool = False) -> Ledger:
    """A rehearsal that was kept, as it was left; a few ms. The caller closes it. Several may have it open at once.

    Raises: SettingsError; LedgerError: it is not there; LedgerCorrupt, LedgerTooNew, LedgerUnwritable.
    """
    return await asyncio.to_thread(
        lambda: SqliteRehearsal.reopen(ledger_folder(state, loopback=loopback), scratch.absolute())
    )


def is_leased(state: StateSettings, account_sid: str, base_url: str, *, loopback: bool = False) -> bool:
    """Whether any process works for the account now, with this ledger or with another one of this user.

    Nothing is opened, made or changed. False: it cannot be told.
    """
    return is_held_by_any(account_sid, base_url) or is_held(
        ledger_folder(state, loopback=loopback), Account(account_id=0, account_sid=account_sid, base_url=base_url)
    )


async def check_ledger(state: StateSettings, *, loopback: bool = False) -> LedgerHealth | None:
    """Read the whole ledger and check that it is sound, without changing it; None where there is none yet.

    Raises: SettingsError; LedgerCorrupt, LedgerUnwritable, LedgerUnreachable, LedgerError: it cannot even be read.
    """
    return await asyncio.to_thread(ledger_health, ledger_folder(state, loopback=loopback))


async def back_up_ledger(
    state: StateSettings, target: Path, *, overwrite: bool = False, loopback: bool = False
) -> Path:
    """Copy the ledger to a file, as it is at one moment, also while it is in use; returns what was copied.

    Raises: SettingsError; UsageError: there is no ledger, or a file of that name; LedgerError.
    """
    return await asyncio.to_thread(back_up, ledger_folder(state, loopback=loopback), target, overwrite=overwrite)


async def clean_ledger(
    state: StateSettings, progress: Callable[[int, int], None], *, loopback: bool = False
) -> list[Path]:
    """Write the ledger's file anew: what was forgotten is on none of its pages then, in no log and no upgrade's copy.

    `progress` is called, on another thread, with the bytes written and those that there are to write. Returns ledgers
    that were set aside in the same folder, which are as they were.
    Raises: SettingsError; LedgerFull: the ledger is as it was; LedgerUnreachable: others read it or write to it.
    """
    return await asyncio.to_thread(clean, ledger_folder(state, loopback=loopback), progress)


async def move_ledger(folder: Path, state: StateSettings) -> Path:
    """Make a folder's ledger, which an earlier version has made there, the user's; returns its new path.

    Raises: SettingsError; UsageError: there is none, or the user has one; AccountLocked; LedgerError.
    """

    def moved() -> Path:
        return move(folder.absolute(), ledger_folder(state, passed_over=folder))

    return await asyncio.to_thread(moved)
