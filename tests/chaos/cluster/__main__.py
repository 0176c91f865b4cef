"""`make chaos-cluster`: workers, a PostgreSQL server and wires that fail, trial after trial, and a table of it.

python -m tests.chaos.cluster [--kills 200] [--stops 30] [--crashes 20] [--minutes 60] [--seed N] [--trial NAME …]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from pathlib import Path

from tests.chaos.cluster.loop import Loop
from tests.chaos.cluster.plan import CRASHES, KILLS, STOPS, Plan, Tally
from tests.chaos.cluster.trials import SHORT, TRIALS
from tests.chaos.program import zygote
from tests.chaos.seeds import VARIABLE, drawn
from tests.chaos.telling import counted, markdown, say


def table(tally: Tally, chosen: int) -> str:
    """The run as a table in Markdown."""
    counts = tally.counts
    crowd = max(tally.connections, default=0)
    rows = {
        "kill -9, SIGSTOP beyond the lease, server crashes": f"**{counts[KILLS]}, {counts[STOPS]}, {counts[CRASHES]}**",
        "everything that was done": counted(tally.troubles),
        "trials": counted(tally.trials),
        "accounts, campaigns, valid rows": f"{tally.accounts}, {tally.campaigns}, {tally.rows:,}",
        "workers started": f"{tally.started}; ended by themselves: {counted(tally.exits)}",
        "faults of Studio": f"{sum(tally.faults.values()):,}: {counted(tally.faults)}",
        "create requests that arrived": f"{tally.create_requests:,}",
        "executions": f"{tally.creates:,}",
        "contacts started twice": f"**{tally.contacts_twice}**",
        "rows with two executions": f"**{tally.rows_twice}**",
        "executions that the ledger does not hold as they are": f"**{tally.books_differ}**",
        "rows with neither an execution nor a reason": f"**{tally.lost}**",
        "campaigns that did not come to their end": f"**{tally.unfinished}**",
        "rows left out, with their reason": counted(tally.left_out),
        "rows unknown when all was sent; after a later execution": f"{tally.unknown}; **{tally.unknown_left}**",
        "rows claimed after `pause`, after `cancel`": f"**{tally.claimed_while_paused}, {tally.claimed_after_cancel}**;"
        f" sent again of those on their way when it was cancelled: {tally.sent_again_after_cancel}",
        "accounts with a window above their limit": f"**{tally.windows_above}** of {tally.accounts}",
        "fullest window, by the server's count": f"{tally.worst_window:,} of {tally.window_limit:,}",
        "campaigns held for a person": counted(tally.held),
        "workers that did not come back": f"**{tally.not_back}**",
        "tracebacks of workers": counted(tally.tracebacks),
        "until another sends": "; ".join(failover(kind, times) for kind, times in tally.failovers_s.items()) or "–",
        "planners": f"{counted(tally.planners)}; the longest until a file was planned: {tally.planner_waited_s:.1f} s",
        "hand-over on SIGTERM": seconds(tally.handed_over_s),
        "connections of a worker that was left alone": f"at most {crowd}: {shares(tally)}",
        "seed, minutes": f"{chosen}, {tally.seconds / 60:.1f}",
    }
    return markdown(rows)


def failover(kind: str, times_s: list[float]) -> str:
    """One kind's times."""
    return f"{kind}: {seconds(times_s)}"


def seconds(times_s: list[float]) -> str:
    """Median, and the longest."""
    if not times_s:
        return "none"
    return f"median {statistics.median(times_s):.1f} s, at most {max(times_s):.1f} s ({len(times_s)})"


def shares(tally: Tally) -> str:
    """How often a worker had how many connections."""
    return ", ".join(f"{n:,} × {connections}" for connections, n in sorted(tally.connections.items()))


def tell(text: str, tally: Tally) -> None:
    """How far the loop is."""
    counts = ", ".join(f"{tally.counts[name]} {name}" for name in (KILLS, STOPS, CRASHES))
    say(f"{tally.seconds / 60:5.1f} min: {counts}, {tally.rows:,} rows; {text}")


def main() -> int:
    """Run it; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.cluster", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--stops", type=int, default=30)
    parser.add_argument("--crashes", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None, help=f"repeats a run's choices; also {VARIABLE}")
    parser.add_argument("--minutes", type=float, default=60.0, help="begin no more trials after so long")
    parser.add_argument("--at-once", type=int, default=3, help="trials beside each other, each on its own server")
    names = [trial.name for trial in (*TRIALS, SHORT)]
    parser.add_argument("--trial", action="append", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--keep", type=Path, help="a folder for what trials leave that have broken something")
    options = parser.parse_args()
    chosen = drawn() if options.seed is None else options.seed
    plan = Plan(
        kills=options.kills,
        stops=options.stops,
        crashes=options.crashes,
        seed=chosen,
        trials=tuple(options.trial or ()),
        at_once=options.at_once,
        stop_after_s=options.minutes * 60,
    )
    say(f"{VARIABLE}={chosen}: {plan.kills} kills, {plan.stops} stops, {plan.crashes} crashes …")
    with tempfile.TemporaryDirectory() as temporary, zygote() as program:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["TESTS_HOME"] = temporary
        tally = asyncio.run(Loop(plan, folder, program, tell).run())
    say(table(tally, chosen))
    for problem in tally.problems():
        say(f"BROKEN: {problem}")
    for note in tally.notes:
        say(note)
    return int(bool(tally.problems()))


if __name__ == "__main__":
    sys.exit(main())
