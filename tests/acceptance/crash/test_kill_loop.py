"""SIGKILL at random instants: each valid row has exactly one execution afterwards, by the sandbox's own count.

The long form is `python -m tests.chaos`, which prints a table.
"""

from __future__ import annotations

from pathlib import Path

from tests.chaos.killing import kill_loop
from tests.chaos.plan import Plan, Tally
from tests.chaos.program import Zygote
from tests.chaos.seeds import VARIABLE, seed

SHORT_KILLS = 25


def check(tally: Tally, kills: int) -> None:
    assert tally.problems() == []
    assert tally.kills == kills
    assert tally.creates == tally.rows
    assert tally.found > 0, "no kill left a row in doubt that existed: the loop tests nothing"
    assert tally.sent_again > 0


async def test_25_kills_lose_nothing_and_repeat_nothing(tmp_path: Path, programs: Zygote) -> None:
    chosen = seed()
    print(f"{VARIABLE}={chosen}")  # noqa: T201 - shown where the test fails
    tally = await kill_loop(Plan(kills=SHORT_KILLS, seed=chosen), tmp_path, programs)
    check(tally, SHORT_KILLS)
