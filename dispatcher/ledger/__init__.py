"""Room 2: rows' states, durable.

In: checked rows from intake, intents and outcomes from sending. Out: rows granted for sending, counts, report rows.
Owns the promises *never twice* and *never lost*: an intent is on disk before its request leaves, no row has two live
attempts (the database refuses it), and whatever kills the process, the next run finds each row in a state with a
reason.

`location.py` says where it lies; `protocol.py` what any ledger can do; the rules (planning, attempts, runs, …) are
written once, over named queries (`db.py`) of two databases: `sqlite/`, a file, and `postgres/`, a server for many
machines, which `served.py` loads where the settings name one. Callers see `Ledger` alone.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from dispatcher.errors import Interrupted, SettingsError, UsageError
from dispatcher.ledger import served
from dispatcher.ledger.copying import Copied, Tell
from dispatcher.ledger.health import LedgerHealth, Looking
from dispatcher.ledger.location import has_rehearsals, is_exposed, ledger_folder
from dispatcher.ledger.protocol import Ledger
from dispatcher.ledger.records import Account
from dispatcher.ledger.snapshot import LedgerSnapshot
from dispatcher.ledger.sqlite.cleaning import clean
from dispatcher.ledger.sqlite.copies import back_up, move
from dispatcher.ledger.sqlite.health import ledger_health
from dispatcher.ledger.sqlite.lease import is_held, is_held_by_any
from dispatcher.ledger.sqlite.ledger import SqliteLedger, SqliteRehearsal
from dispatcher.ledger.sqlite.leftovers import remove_leftovers
from dispatcher.remedies import Advice, AnyOf, Command, Option, Setting

if TYPE_CHECKING:
    # Its library takes time to load, and nobody who only names a record needs it.
    from dispatcher.ledger.postgres.migrating import Migrated
    from dispatcher.ledger.sqlite.rehearsal import Elsewhere
    from dispatcher.settings.schema import StateSettings

T = TypeVar("T")

__all__ = [
    "Copied",
    "Ledger",
    "LedgerHealth",
    "LedgerSnapshot",
    "back_up_ledger",
    "check_ledger",
    "clean_ledger",
    "copy_ledger",
    "give_ledger_rights",
    "has_rehearsals",
    "is_exposed",
    "is_leased",
    "ledger_folder",
    "migrate_ledger",
    "move_ledger",
    "open_ledger",
    "open_rehearsal",
    "reopen_rehearsal",
]

# `loopback`: the host to call is this machine. Rehearsals have a ledger of their own (see `location`).


async def open_ledger(
    state: StateSettings,
    *,
    create: bool = True,
    loopback: bool = False,
    lease_s: float | None = None,
    only_sends: bool = False,
) -> Ledger:
    """Open the ledger, and make or upgrade it as needed; a few ms. The caller closes it.

    `lease_s`: how long a server's leases last without being renewed; `only_sends`: with them nobody plans, so nobody is
    asked to make room for them.

    Raises: SettingsError (see `ledger_folder`), LedgerUnwritable, LedgerFull, LedgerCorrupt, LedgerTooNew,
    LedgerUnreachable; CampaignNotFound where `create` is off and there is none. Of a server's: LedgerNotMigrated,
    LedgerGone, ExtraMissing; it is never made so.
    """

    def opened() -> Ledger:
        if state.url:
            return served.open_server(state, lease_s=lease_s, only_sends=only_sends)
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
        ledger = _of_campaigns(state, loopback)
        remove_leftovers()
        return SqliteRehearsal.open(ledger, campaign, repeat_after_ms, scratch)

    return await asyncio.to_thread(opened)


async def reopen_rehearsal(state: StateSettings, scratch: Path, *, loopback: bool = False) -> Ledger:
    """A rehearsal that was kept, as it was left; a few ms. The caller closes it. Several may have it open at once.

    Raises: SettingsError; LedgerError: it is not there; LedgerCorrupt, LedgerTooNew, LedgerUnwritable.
    """
    return await asyncio.to_thread(lambda: SqliteRehearsal.reopen(_of_campaigns(state, loopback), scratch.absolute()))


def _of_campaigns(state: StateSettings, loopback: bool) -> Path | Elsewhere:
    return served.campaign_there(state) if state.url else ledger_folder(state, loopback=loopback)


async def is_leased(state: StateSettings, account_sid: str, base_url: str, *, loopback: bool = False) -> bool:
    """Whether any process works for the account now, with this ledger or with another one of this user.

    Nothing is made or changed. False: it cannot be told. Raises: LedgerError: of a server's ledger; ExtraMissing.
    """

    def held() -> bool:
        if is_held_by_any(account_sid, base_url):
            return True
        if state.url:
            return served.is_leased_there(state, account_sid, base_url)
        account = Account(account_id=0, account_sid=account_sid, base_url=base_url)
        return is_held(ledger_folder(state, loopback=loopback), account)

    return await asyncio.to_thread(held)


async def check_ledger(
    state: StateSettings, looking: Looking | None = None, *, loopback: bool = False
) -> LedgerHealth | None:
    """Look whether the ledger is whole, without changing it; None where there is none yet.

    `looking`: and at what it says, row by row; called, on another thread, with how far that is.
    Raises: SettingsError; LedgerCorrupt, LedgerUnwritable, LedgerUnreachable, LedgerError: it cannot even be read.
    """

    def checked(go_on: Callable[[], None]) -> LedgerHealth | None:
        def look(done: int, total: int) -> None:
            go_on()
            if looking is not None:
                looking(done, total)

        closely = None if looking is None else look
        if state.url:
            return served.check_server(state, closely)
        return ledger_health(ledger_folder(state, loopback=loopback), closely)

    return await _until_cancelled(checked)


async def back_up_ledger(
    state: StateSettings, target: Path, *, overwrite: bool = False, loopback: bool = False
) -> Path:
    """Copy the ledger to a file, as it is at one moment, also while it is in use; returns what was copied.

    Raises: SettingsError; UsageError: there is no ledger, or a file of that name, or a server's, which makes its copies
    itself; LedgerError.
    """
    if state.url:
        raise UsageError(
            "a server's ledger is backed up by PostgreSQL, and the key that tells forgotten people by itself",
            found=state.shown_url,
            fix=Advice("dump it with pg_dump, without the data of dispatcher.forgotten_key, and that to another place"),
        )
    return await asyncio.to_thread(back_up, ledger_folder(state, loopback=loopback), target, overwrite=overwrite)


async def clean_ledger(
    state: StateSettings, progress: Callable[[int, int], None], *, loopback: bool = False
) -> list[Path]:
    """Write the ledger's file anew: what was forgotten is on none of its pages then, in no log and no upgrade's copy.

    `progress` is called, on another thread, with the bytes written and those that there are to write. Returns ledgers
    that were set aside in the same folder, which are as they were.
    Of a server's ledger nothing can be written anew from here.
    Raises: SettingsError; LedgerFull: the ledger is as it was; LedgerUnreachable: others read it or write to it.
    """
    if state.url:
        return []
    return await asyncio.to_thread(clean, ledger_folder(state, loopback=loopback), progress)


async def copy_ledger(
    state: StateSettings, tell: Tell, *, folder: Path | None = None, replace: bool = False, loopback: bool = False
) -> Copied:
    """Copy the user's ledger, or that of a folder, to the server that the settings name; see `copying.copy`.

    Raises: as that; SettingsError: they name none; ExtraMissing.
    """
    _check_server_named(state)

    def copied(go_on: Callable[[], None]) -> Copied:
        def told(what: str, done: int, total: int) -> None:
            go_on()
            tell(what, done, total)

        source = ledger_folder(state, loopback=loopback) if folder is None else folder.expanduser().absolute()
        return served.copy_there(source, state, told, replace=replace)

    return await _until_cancelled(copied)


async def migrate_ledger(state: StateSettings, *, accept_history: bool = False) -> Migrated:
    """Make the tables on the server that the settings name, or bring them up to date.

    `accept_history`: that server is taken for the ledger's, though it is another one than it was.
    Raises: SettingsError, LedgerUnreachable, LedgerUnwritable, LedgerTooNew, LedgerGone, LedgerError; ExtraMissing.
    """
    _check_server_named(state)
    return await asyncio.to_thread(lambda: served.migrate_server(state, accept_history=accept_history))


async def give_ledger_rights(state: StateSettings) -> str:
    """Make the roles of a server's ledger, and give them their rights, once all tables are there.

    Returns the SQL that somebody else is to run, who may; empty where it is done. Raises: as `migrate_ledger`.
    """
    _check_server_named(state)
    return await asyncio.to_thread(served.give_rights, state)


async def _until_cancelled(work: Callable[[Callable[[], None]], T]) -> T:
    """Run what takes long on a thread; whoever is cancelled ends it where it next calls what it is given."""
    cancelled = threading.Event()

    def go_on() -> None:
        if cancelled.is_set():
            raise Interrupted

    try:
        return await asyncio.to_thread(work, go_on)
    except asyncio.CancelledError:
        cancelled.set()
        raise


def _check_server_named(state: StateSettings) -> None:
    if not state.url:
        raise SettingsError(
            "no server is named for the ledger", fix=Setting("state.url", "postgresql://user@host/database")
        )


async def move_ledger(folder: Path, state: StateSettings) -> Path:
    """Make a folder's ledger, which an earlier version has made there, the user's; returns its new path.

    Raises: SettingsError; UsageError: there is none, or the user has one, or it is a server's; AccountLocked;
    LedgerError.
    """
    if state.url:
        raise UsageError(
            "the settings name a server for the ledger, and a file does not move there",
            found=state.shown_url,
            fix=AnyOf(
                Command("ledger copy", (), (Option("from", str(folder)),), does="copies it there"),
                Advice("take [state] url out of the settings"),
            ),
        )

    def moved() -> Path:
        return move(folder.absolute(), ledger_folder(state, passed_over=folder))

    return await asyncio.to_thread(moved)
