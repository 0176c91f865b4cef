"""Whether a server's ledger is whole, and whether it keeps what is written to it; looked at without changing it."""

from __future__ import annotations

from typing import Any

import psycopg

from dispatcher.ledger import pseudonyms
from dispatcher.ledger.health import LedgerHealth, Looking
from dispatcher.ledger.named_sql import named_sql
from dispatcher.ledger.soundness import unsound


def is_leased(connection: psycopg.Connection[Any], account_sid: str, base_url: str) -> bool:
    """Whether any machine holds the account now. Raises: psycopg.Error."""
    text = named_sql("dispatcher.ledger.postgres", "health.sql")["leased"]
    found = connection.execute(text, {"account_sid": account_sid, "base_url": base_url}).fetchone()
    return bool(found and found[0])


def server_health(
    connection: psycopg.Connection[Any], *, location: str, version_known: int, looking: Looking | None = None
) -> LedgerHealth:
    """Look at a ledger by a connection whose transactions are of one moment. Blocking.

    `looking`: and what it says, row by row; called with how far that is. Raises: psycopg.Error.
    """
    texts = named_sql("dispatcher.ledger.postgres", "health.sql")

    def one(name: str) -> tuple[Any, ...]:
        row: tuple[Any, ...] | None = connection.execute(texts[name]).fetchone()
        assert row is not None
        return row

    with connection.transaction():
        version, size_bytes, campaigns, since_ms = one("known")
        # Who only looks may have no right to the key.
        is_key_lost = one("key_is_ours")[0] and one("key_lost")[0]
        problems = [] if looking is None else list(unsound(lambda text: connection.execute(text).fetchall(), looking))
        server, fsync, pages, commit, checksums, standbys = one("lasting")
    kept_by = (
        f"PostgreSQL {server}, fsync = {fsync}, full_page_writes = {pages}, synchronous_commit = {commit}, data"
        f" checksums {checksums}; {f'synchronous standbys: {standbys}' if standbys else 'no synchronous standby'}"
    )
    return LedgerHealth(
        location=location,
        size_bytes=size_bytes,
        version=version,
        version_known=version_known,
        campaigns=campaigns,
        since_ms=since_ms,
        problems=tuple(problems),
        kept_by=kept_by,
        key_lost=pseudonyms.key_lost() if is_key_lost else None,
    )
