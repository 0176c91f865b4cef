"""Where chance comes from: a seed that is printed, and that repeats a run when it is set.

`make test` always has the same; `make chaos` draws one.
"""

from __future__ import annotations

import os
import random

VARIABLE = "CHAOS_SEED"
_FIXED = 20261122


def seed() -> int:
    """The seed of `CHAOS_SEED`, or the fixed one; say it in whatever fails."""
    return int(os.environ.get(VARIABLE) or _FIXED)


def drawn() -> int:
    """The seed of `CHAOS_SEED`, or a new one."""
    return int(os.environ.get(VARIABLE) or random.SystemRandom().randrange(1_000_000))
