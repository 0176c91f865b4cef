"""SIGKILL at random instants: nobody is started twice and no row is lost, by the sandbox's own log.

The long form is `python -m tests.chaos`, which prints a table.
"""

from __future__ import annotations

from pathlib import Path

from tests.chaos.killing import kill_loop
from tests.chaos.plan import Tally, short
from tests.chaos.program import Zygote
from tests.chaos.seeds import VARIABLE, seed


def check(tally: Tally, kills: int, worlds: str) -> None:
    assert tally.problems() == []
    assert tally.kills == kills
    if worlds == "plain":
        assert tally.creates == tally.rows
    assert tally.found > 0, "no kill left a row unknown that existed: the loop tests nothing"
    assert tally.sent_again > 0


async def test_25_kills(tmp_path: Path, programs: Zygote) -> None:
    """25 kills lose nothing and repeat nothing."""
    plan = short(seed())
    print(f"{VARIABLE}={plan.seed}")  # noqa: T201 - shown where the test fails
    check(await kill_loop(plan, tmp_path, programs), plan.kills, plan.worlds)
