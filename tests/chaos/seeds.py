"""Where chance comes from: a seed that is printed, and that repeats a run when it is set."""

from __future__ import annotations

import os
import random

VARIABLE = "CHAOS_SEED"


def seed() -> int:
    """The seed of `CHAOS_SEED`, or a new one; say it in whatever fails."""
    text = os.environ.get(VARIABLE)
    return int(text) if text else random.SystemRandom().randrange(1_000_000)
