"""Room 2: rows' states, durable.

In: checked rows from intake, intents and outcomes from sending. Out: rows granted for sending, counts, report rows.
Owns promises 1 and 2: an intent is on disk before its request leaves, no row has two live attempts (the database
refuses it), and whatever kills the process, the next run finds each row in a state with a reason.
"""

from __future__ import annotations

from dispatcher.ledger.protocol import Ledger
from dispatcher.ledger.sqlite.ledger import SqliteLedger
from dispatcher.ledger.sqlite.lock import AccountLock

__all__ = ["AccountLock", "Ledger", "SqliteLedger"]
