"""Room 3: rows become executions.

In: planned rows from the ledger. Out: outcomes, back into the ledger. Owns the promise *never above the limit* and,
with the ledger, *never twice*: a request leaves only after its intent is on disk, and an outcome that proves nothing
is `unknown`.

A row's way: claimed a few at a time (intent on disk) -> waits for a permit of the limiter -> a worker sends it -> its
answer is classified -> recorded.

    account.py     who may send: the lease, the limiter and the breaker of an account, one per process
    limiter.py     how fast: the window that never holds too much; ceiling.py: what others leave of it; retry.py: pauses
    departures.py  what left, for the next run; arrivals.py: until when it may arrive; window.py counts
    breaker.py     whether anything may leave: pauses after 429s and failures, and what stops a run
    sender.py      a run's life; claims.py, feeder.py, worker.py, recorder.py: a row's way through it
    busy.py        contacts in another execution
    single.py      a test send: one request outside of a run
    reconcile.py   unknown rows, resolved by proof
"""
