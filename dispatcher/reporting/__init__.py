"""Room 5: ledger → report, summary, page of numbers.

In: the ledger's rows batch by batch, its counts, and what is known of executions. Out: the report file, the summary,
the page. Owns the promise that every input row is in the report once, in input order, with every input column
untouched.
"""

from __future__ import annotations
