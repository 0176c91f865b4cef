"""Room 4: ledger → report, numbers, outcomes.

In: the ledger's report rows and counts, and what Studio tells of executions later. Out: the report file, the summary.
Owns promise 5: every input row is in the report once, in input order, with every input column untouched.
"""

from __future__ import annotations
