"""What a rehearsal is filled with from this ledger: one campaign, as of one moment, read as fast as it is written."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import psycopg

from dispatcher.ledger.named_sql import named_sql

#: Rows that are fetched at a time.
_AT_A_TIME = 5_000


class PostgresCampaign:
    """See `sqlite.rehearsal.Elsewhere`. Blocking."""

    def __init__(self, connected: Callable[[], AbstractContextManager[psycopg.Connection[Any]]]) -> None:
        """`connected`: a connection whose transactions are of one moment; what goes wrong with it is mapped."""
        self._connected = connected
        self._texts = named_sql("dispatcher.ledger.postgres", "rehearsal.sql")

    def tables(
        self, campaign: str, since_ms: int | None, columns: Mapping[str, Sequence[str]]
    ) -> Generator[tuple[str, Sequence[Sequence[Any]]], None, None]:
        """See `sqlite.rehearsal.Elsewhere.tables`."""
        # One moment for all of it, and nobody is kept from writing.
        with self._connected() as connection, connection.transaction():
            values: dict[str, Any] = {"campaign": campaign, "since_ms": since_ms}
            wanted = connection.execute(self._text("wanted"), values).fetchall()
            values |= {
                "inputs": [input_id for input_id, _, _ in wanted],
                "campaigns": list({campaign_id for _, campaign_id, _ in wanted}),
                "own": [input_id for input_id, _, is_own in wanted if is_own],
            }
            values["runs"] = [run_id for (run_id,) in connection.execute(self._text("wanted_runs"), values)]
            for table, names in columns.items():
                text = self._text(table, ", ".join(f"t.{name}" for name in names))
                # By a cursor of the server's: a million rows are never in memory at once.
                with connection.cursor(name=f"rehearsal_{table}", binary=True) as cursor:
                    cursor.execute(text, values)
                    while rows := cursor.fetchmany(_AT_A_TIME):
                        yield table, rows

    def key(self) -> bytes | None:
        """See `sqlite.rehearsal.Elsewhere.key`."""
        with self._connected() as connection:
            found = connection.execute(self._text("key")).fetchone()
        return None if found is None else bytes.fromhex(found[0])

    def _text(self, name: str, columns: str = "") -> str:
        text = self._texts[name]
        return text.format(columns=columns) if columns else text
