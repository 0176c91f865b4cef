"""Making the ledger's tables on a server, and bringing older ones up to date: all or nothing, one process at a time."""

from __future__ import annotations

from dataclasses import dataclass

from dispatcher.errors import LedgerTooNew
from dispatcher.ledger.postgres.connection import SCHEMA_VERSION, check, connected, history_of, meta
from dispatcher.ledger.postgres.db import Connection, PostgresDb
from dispatcher.ledger.postgres.queries import text
from dispatcher.remedies import Advice
from dispatcher.version import __version__


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """What was done."""

    #: The version of the tables before; 0: there were none.
    before: int
    after: int
    #: Another server's history was accepted.
    accepted: bool


def migrate(url: str, *, accept_history: bool = False) -> Migrated:
    """Make or upgrade the tables of a database, in a schema of their own. Blocking.

    `accept_history`: a person takes this server for the ledger's, though it is another one than it was.
    Raises: LedgerUnreachable, LedgerUnwritable, LedgerTooNew, LedgerGone, LedgerError.
    """
    with connected(url, name="migrate", long=True) as connection:
        history = history_of(connection)
        with connection.transaction():
            db = PostgresDb(connection)
            db.run("migrate_lock")
            db.run("migrate_schema")
            # Inside a transaction: a table that is missing must not end it.
            found = meta(connection) if db.one("ledger_meta_exists")[0] else None
            before, kept = found if found is not None else (0, history)
            if before > SCHEMA_VERSION:
                raise LedgerTooNew(
                    found=f"version {before}, this program knows {SCHEMA_VERSION}", fix=Advice("upgrade dispatcher")
                )
            accepted = kept != history and accept_history
            if before == 0:
                _script(connection, "schema.sql")
                # With the tables that there are now.
                kept = history_of(connection)
            for version in range(max(before, 1) + 1, SCHEMA_VERSION + 1):
                _script(connection, f"migrations/{version:04}.sql")
            _script(connection, "functions.sql")
            if before != SCHEMA_VERSION:
                db.run("program_forget")
                db.run("program_keep", version=__version__)
            now = history if accepted else kept
            db.run(
                "ledger_meta_set",
                schema_version=SCHEMA_VERSION,
                system_identifier=now.system_identifier,
                timeline=now.timeline,
            )
        check(connection)
    return Migrated(before=before, after=SCHEMA_VERSION, accepted=accepted)


def _script(connection: Connection, resource: str) -> None:
    connection.execute(text(resource).encode())
