"""The ledger in one SQLite file: WAL, synchronous=EXTRA, one thread with group commit."""

from __future__ import annotations

from dispatcher.ledger.sqlite.ledger import SqliteLedger

__all__ = ["SqliteLedger"]
