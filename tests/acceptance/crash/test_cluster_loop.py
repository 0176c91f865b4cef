"""Two workers and a PostgreSQL server, killed, stopped and crashed while a campaign is sent: the short form.

`make chaos-cluster` is the long one.
"""

from __future__ import annotations

from pathlib import Path

from tests.chaos.cluster.loop import Loop
from tests.chaos.cluster.plan import CRASHES, KILLS, STOPS, Plan
from tests.chaos.cluster.trials import SHORT
from tests.chaos.program import Zygote
from tests.chaos.seeds import seed
from tests.support.postgres import PrivateServer


async def test_a_cluster_in_trouble_reaches_everybody_once(tmp_path: Path, programs: Zygote) -> None:
    """Whatever dies, stands still or is cut off meanwhile: each row once, none above the limit, and all come back."""
    plan = Plan(
        kills=3,
        stops=1,
        crashes=1,
        seed=seed(),
        workers=2,
        lease_s=5.1,
        tick_s=1,
        headroom=0.1,
        pause_s=(0.3, 1.2),
        patience_s=60.0,
    )
    loop = Loop(plan, tmp_path, programs, lambda *_: None)
    with PrivateServer() as server:
        await loop.trial(SHORT, server)
    tally = loop.tally
    # How soon a busy machine goes on says nothing.
    slow = f"{tally.slow} take-overs"
    broken = [problem for problem in tally.problems() if not problem.startswith(slow)]
    assert not broken, f"seed {plan.seed}: {broken}\n" + "\n".join(tally.notes)
    assert tally.creates == tally.rows - sum(tally.left_out.values())
    assert all(tally.counts[name] >= 1 for name in (KILLS, STOPS, CRASHES)), tally.troubles
