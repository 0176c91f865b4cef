"""The supervisor: it alone runs what the page sends.

    ledger: what is wanted of each campaign ──► standing.py (pure) ──► one line per account (line.py) ──► turn.py
                                                                             ▲  between two turns: interludes
    a button ──► supervisor.py ──► wishes by compare-and-set, a line in the history

On a ledger of many machines (a cluster) a turn plans and orders, and workers send (ordering.py, workers.py).

In: what the ledger says is wanted, and the drafts' files and settings. Out: runs of the campaign room, one at a time
for each account. Owns the promise that whatever ends the server, each order goes on by itself or is held with a
sentence that says why (restart.py): never late, never from a copy of the folder, never more than was confirmed.
"""

from __future__ import annotations

from dispatcher.web.running.desk import Hint
from dispatcher.web.running.errors import SomebodyWasFirst
from dispatcher.web.running.state import Button, Shown, State, page_state
from dispatcher.web.running.supervisor import Queued, Supervisor
from dispatcher.web.running.workers import Serving

__all__ = [
    "Button",
    "Hint",
    "Queued",
    "Serving",
    "Shown",
    "SomebodyWasFirst",
    "State",
    "Supervisor",
    "page_state",
]
