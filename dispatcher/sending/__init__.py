"""Room 3: rows become executions.

In: planned rows from the ledger. Out: outcomes, back into the ledger. Owns promise 3 (never above the limit) and, with
the ledger, promise 1: a request leaves only after its intent is on disk, and an outcome that proves nothing is
`unknown`.

A row's way: claimed in small lots (intent on disk) -> waits for a permit of the limiter -> a worker sends it -> its
answer is classified -> recorded.
"""
