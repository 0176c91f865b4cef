"""The ledger's file: opened durable, made or upgraded as needed, refused where it is not ours."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from dispatcher.durable import sync_folder
from dispatcher.errors import CampaignNotFound, LedgerCorrupt, LedgerError, LedgerTooNew
from dispatcher.ledger.identity import canonical_sid, canonical_url
from dispatcher.ledger.sqlite.failures import is_busy, mapped, mapped_os
from dispatcher.ledger.sqlite.key import KeyReader, Pseudonyms, key_of
from dispatcher.ledger.sqlite.queries import queries, statements
from dispatcher.ledger.sqlite.upgraded import KEPT_S, forget_copies, keep_copy
from dispatcher.ledger.striking import struck
from dispatcher.model import contact_of, dispatch_id, hash_of
from dispatcher.remedies import Advice, AnyOf, Command, Setting
from dispatcher.version import __version__

SCHEMA_VERSION = 17
#: Marks the file as ours: "dspt".
APPLICATION_ID = 0x64737074
FILE_NAME = "ledger.sqlite3"
#: RETURNING; later versions are not needed (sqlite.org/changes.html).
SQLITE_MIN = (3, 35, 0)
#: How long opening waits for another process that opens, upgrades or recovers the file.
OPEN_WAIT_S = 30.0
#: Rows are planned, sent and reported in order: a larger cache would fill with pages that are not needed again.
CACHE_KIB = 8 * 1024
#: The write-ahead log is copied into the file when it is this long, and cut to it after a long read kept it from that.
WAL_PAGES = 1000
WAL_KEPT_BYTES = 16 * 1024 * 1024


def ledger_path(state_dir: Path, *, create: bool) -> Path:
    """The ledger's path; the folder and an empty file are made where there is none, for this user alone.

    Raises: LedgerUnwritable, LedgerFull; CampaignNotFound where `create` is off and there is none.
    """
    path = state_dir / FILE_NAME
    if not create and not path.exists():
        raise CampaignNotFound(
            "there is no ledger yet",
            found=f"no {FILE_NAME} in {state_dir}",
            fix=AnyOf(Command("run", ("FILE",)), Setting("state.dir")),
        )
    try:
        make_folder(state_dir)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        check_not_cut(path)
    except OSError as error:
        raise mapped_os(error) from error
    return path


def connect(path: Path) -> sqlite3.Connection:
    """Open the ledger for writing. Blocking; a few ms.

    Raises: LedgerUnwritable, LedgerFull, LedgerCorrupt, LedgerTooNew, LedgerError.
    """
    check_sqlite()
    end_s = time.monotonic() + OPEN_WAIT_S
    while True:
        try:
            return _connect(path)
        except sqlite3.Error as error:
            # Two processes that make the file at one moment: SQLite does not wait to change the journal mode.
            if not is_busy(error) or time.monotonic() > end_s:
                raise mapped(error) from error
            time.sleep(0.01)


def check_sqlite() -> None:
    """Raises: LedgerError where Python's SQLite lacks what the queries need."""
    if sqlite3.sqlite_version_info < SQLITE_MIN:
        raise LedgerError(
            "this Python's SQLite is too old",
            found=sqlite3.sqlite_version,
            fix=f"use a Python with SQLite {'.'.join(map(str, SQLITE_MIN[:2]))} or newer",
        )


def connect_readonly(path: Path) -> sqlite3.Connection:
    """Open the ledger for reading. Raises: sqlite3.Error."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=OPEN_WAIT_S)


def _connect(path: Path) -> sqlite3.Connection:
    # cached_statements: a batch of any size finds its statements prepared.
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0, cached_statements=256)
    try:
        version = file_version(db)
        lend_functions(db, key_of(path.parent))
        # Every intent must survive a power cut. With synchronous = NORMAL a commit to the WAL may be lost
        # (sqlite.org/pragma.html#pragma_synchronous), and a lost intent is a message sent twice. EXTRA is FULL and also
        # syncs the folder when a new file's first journal is deleted: one that came back would empty the file.
        db.execute("PRAGMA synchronous = EXTRA")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA fullfsync = ON")  # macOS: fsync alone does not reach the disk
        db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        db.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        db.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
        # Off while tables are made anew: sqlite.org/lang_altertable.html#otheralter
        db.execute("PRAGMA foreign_keys = OFF")
        if version < SCHEMA_VERSION:
            upgrade(db, lambda older: keep_copy(path, older))
        forget_copies(path.parent, older_than_s=KEPT_S)
        db.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        db.close()
        raise
    return db


def file_version(db: sqlite3.Connection) -> int:
    """The file's schema version, 0 for a new one. Looked at before anything is changed."""
    application_id: int
    version: int
    application_id, version, tables = db.execute(queries()["file_version"]).fetchone()
    is_new = (application_id, version, tables) == (0, 0, 0)
    if application_id != APPLICATION_ID and not is_new:
        raise LedgerCorrupt(
            "the file is another program's, not a ledger",
            found=f"application id {application_id}, version {version}",
            fix="set [state] dir to a folder of its own",
        )
    if version > SCHEMA_VERSION:
        raise LedgerTooNew(found=f"version {version}, this program knows {SCHEMA_VERSION}", fix=Advice(_what_reads(db)))
    return version


def _what_reads(db: sqlite3.Connection) -> str:
    """Which program reads a newer one's ledger, as far as it says so."""
    try:
        found = db.execute(queries()["program_version"]).fetchone()
    except sqlite3.Error:
        found = None
    return f"upgrade dispatcher to {found[0]} or newer" if found else "upgrade dispatcher"


def upgrade(db: sqlite3.Connection, before: Callable[[int], None] = lambda version: None) -> None:
    """Bring the schema up to date, all or nothing: whatever interrupts it, the file is as it was.

    `before` is called with the version of an older ledger, while nobody else can write.
    Raises: sqlite3.Error, LedgerCorrupt, LedgerTooNew, and what `before` raises.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it while this one waited.
        version = file_version(db)
        if 0 < version < SCHEMA_VERSION:
            before(version)
        scripts = (
            ["schema.sql"]
            if version == 0
            else [f"migrations/{number:04}.sql" for number in range(version + 1, SCHEMA_VERSION + 1)]
        )
        for script in scripts:
            for statement in statements(script):
                db.execute(statement)
        if scripts:
            db.execute(queries()["program_forget"])
            db.execute(queries()["program_keep"], {"version": __version__})
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def lend_functions(db: sqlite3.Connection, key: KeyReader) -> None:
    """What queries and migrations need that SQL cannot say. `key`: that of who is forgotten."""
    db.create_function("pseudonym", 1, Pseudonyms(key), deterministic=True)
    db.create_function("struck", 2, struck, deterministic=True)
    db.create_function(
        "contact_of", 1, lambda address: None if address is None else contact_of(address), deterministic=True
    )
    db.create_function("hash_of", 1, hash_of, deterministic=True)
    db.create_function("canonical_sid", 1, canonical_sid, deterministic=True)
    db.create_function("canonical_url", 1, canonical_url, deterministic=True)
    db.create_function("made_id", 4, dispatch_id, deterministic=True)


def make_folder(folder: Path) -> None:
    """Make it, for this user alone, and what is missing above it; a power cut must not take them away again."""
    if folder.is_dir():
        return
    if folder.parent != folder:
        make_folder(folder.parent)
    folder.mkdir(exist_ok=True, mode=0o700)
    # SQLite sees to the files in it.
    sync_folder(folder.parent)


def check_not_cut(path: Path) -> None:
    """SQLite takes an empty file for a new one and throws its log away: the log is all that is left then."""
    wal = path.with_name(path.name + "-wal")
    if path.stat().st_size == 0 and wal.exists() and wal.stat().st_size > 0:
        raise LedgerCorrupt(
            "the ledger is empty, but its write-ahead log is not",
            found=f"{path.name}: 0 bytes, {wal.name}: {wal.stat().st_size} bytes",
            fix="keep both files; restore a copy of the ledger",
        )
