"""Whole copies of a ledger: a backup, and a ledger that moves to another folder.

Copied by SQLite alone: to read the file past it would miss what is in its log, and to close a file that was opened so
takes SQLite's locks away (sqlite.org/howtocorrupt.html).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dispatcher.durable import sync_folder
from dispatcher.errors import AccountLocked, LedgerCorrupt, UsageError
from dispatcher.ledger.records import Account
from dispatcher.ledger.sqlite.connection import (
    FILE_NAME,
    check_not_cut,
    connect_readonly,
    file_version,
    make_folder,
)
from dispatcher.ledger.sqlite.failures import mapped, mapped_os
from dispatcher.ledger.sqlite.key import KEY_NAME, copy_key, read_key
from dispatcher.ledger.sqlite.lease import is_held
from dispatcher.ledger.sqlite.queries import queries
from dispatcher.remedies import Advice, AnyOf, Option, Setting

#: What a ledger that has moved is called where it was.
MOVED_NAME = f"moved-{FILE_NAME}"


def back_up(folder: Path, target: Path, *, overwrite: bool = False) -> Path:
    """Copy the ledger of a folder to a file, as it is at one moment, also while it is in use. Blocking.

    Returns what was copied. The copy appears whole or not at all, and only its owner may read it.
    Raises: UsageError: no ledger is there, or a file is where the copy would be; LedgerError.
    """
    path = _existing(folder)
    target = target.absolute()
    if target.exists() and target.samefile(path):
        raise UsageError(
            "the copy would take the ledger's own place", found=str(target), fix=Advice("name another file")
        )
    if target.exists() and not overwrite:
        ways = AnyOf(Advice("name another file"), Option("overwrite"))
        raise UsageError("there is a file of that name", found=str(target), fix=ways)
    with _errors(), _copied(path, target.parent) as copy:
        copy.replace(target)
        sync_folder(target.parent)
    return path


def move(folder: Path, target_folder: Path) -> Path:
    """Make the ledger of one folder that of another; returns its new path. Blocking.

    Where it was, it stays under another name, so that nobody goes on with it.
    Raises: UsageError: none is there, or the other folder has one; AccountLocked; LedgerError.
    """
    path, target = _existing(folder), target_folder / FILE_NAME
    with _errors():
        make_folder(target_folder)
        if target.exists():
            raise UsageError(
                "there is a ledger already, and two cannot be made one",
                found=str(target),
                fix=Setting("state.dir", str(folder)),
            )
        with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=5.0)) as held:
            # Nothing is written there from here on.
            held.execute("BEGIN IMMEDIATE")
            check_unused(held, folder)
            _take_key_along(folder, target_folder)
            with _copied(path, target_folder) as copy:
                os.link(copy, target)  # unlike a rename it fails where another process was faster
                sync_folder(target_folder)
            path.rename(path.with_name(MOVED_NAME))
            held.execute("ROLLBACK")
        take_log_along(path, MOVED_NAME)
    return target


def _take_key_along(folder: Path, target_folder: Path) -> None:
    """Without it everybody whom the ledger has forgotten would be a stranger. Raises: UsageError."""
    key, target = folder / KEY_NAME, target_folder / KEY_NAME
    if not key.exists():
        return
    if target.exists() and read_key(target) != read_key(key):
        raise UsageError(
            "another ledger's key lies there, by which it tells whom it has forgotten",
            found=str(target),
            fix=Advice("move it to where its ledger is"),
        )
    if not target.exists():
        copy_key(key, target)


def take_log_along(path: Path, name: str) -> None:
    """A log that is left belongs to the file, which has that name now; without one it belongs to none."""
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        log.rename(log.with_name(f"{name}-wal"))
    log.unlink(missing_ok=True)
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)


def _existing(folder: Path) -> Path:
    path = folder / FILE_NAME
    if not path.exists():
        raise UsageError("there is no ledger", found=f"no {FILE_NAME} in {folder}", fix=Setting("state.dir"))
    check_not_cut(path)
    return path


def check_unused(db: sqlite3.Connection, folder: Path) -> None:
    """Raises: AccountLocked: the lease of an account is held."""
    for number, (account_sid, base_url) in enumerate(db.execute(queries()["account_list"]).fetchall()):
        if is_held(folder, Account(account_id=number, account_sid=account_sid, base_url=base_url)):
            raise AccountLocked("a process is sending with this ledger", fix=Advice("wait until it has finished"))


@contextlib.contextmanager
def _copied(path: Path, folder: Path) -> Iterator[Path]:
    """A copy beside where it is wanted, checked and on disk; gone after the block, unless it was taken away."""
    number, name = tempfile.mkstemp(dir=folder, prefix=f".{FILE_NAME}.", suffix=".tmp")
    os.close(number)
    copy = Path(name)
    try:
        with contextlib.closing(connect_readonly(path)) as source, contextlib.closing(sqlite3.connect(copy)) as target:
            if file_version(source) == 0:
                raise LedgerCorrupt("the ledger is empty", found=str(path), fix=Advice("run a campaign first"))
            target.execute("PRAGMA synchronous = EXTRA")
            # In one step: as of one moment, and not begun anew at each commit of somebody else's.
            source.backup(target)
            if [text for (text,) in target.execute("PRAGMA quick_check")] != ["ok"]:
                raise LedgerCorrupt("the ledger is damaged, and so is every copy", found=str(path))
        yield copy
    finally:
        for left in copy.parent.glob(f"{copy.name}*"):
            left.unlink(missing_ok=True)


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise mapped(error) from error
    except OSError as error:
        raise mapped_os(error) from error
