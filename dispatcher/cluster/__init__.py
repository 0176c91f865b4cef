"""Many machines with one ledger: each campaign that was ordered is sent by whichever worker takes its account.

    ledger: what is wanted ──► tick.py: wanted and held by nobody ──► a job ──► shift.py: the account's lease ──► launch
                                     (app.py: the engine, Procrastinate)

In: what the ledger says is wanted, and the credentials of this machine. Out: runs of the campaign room, one at a time
for each account on whatever machine. Owns the promise that no order waits for a machine that is gone. No other promise
rests on the engine: a job that is lost, doubled or late costs nothing, since the ledger's lease alone says who sends.
"""

from __future__ import annotations
