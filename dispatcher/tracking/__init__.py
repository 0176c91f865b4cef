"""Room 4: executions become what became of them.

In: the executions that a campaign has created. Out: their status, path, errors and chosen values, in the ledger. Reads
Studio and ends executions where the user wants it; creates none.
"""

from __future__ import annotations
