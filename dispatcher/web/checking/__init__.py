"""Reading an uploaded file: in a child process, which may be slow, hungry or dead without any harm to the server.

    upload → look (which columns?) → a person answers → check (every row) → counts, and a copy of the ledger to look at

In: a draft that is `checking`. Out: the draft with its `look`, or its `check` and the scratch ledger that its rows were
planned into; or with the `error` that says why not. `jobs` is what the two processes say to each other, `child` the one
that reads, `process` and `checker` the server's side. The child has no credentials, and asks nobody anything.
"""

from __future__ import annotations

from dispatcher.web.checking.checker import Checker, scratch_of
from dispatcher.web.checking.progress import Progress

__all__ = ["Checker", "Progress", "scratch_of"]
