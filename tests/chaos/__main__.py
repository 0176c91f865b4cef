"""`make chaos`: the long kill loop, its table, and then the long form of every other fault test.

python -m tests.chaos [--kills 500] [--seed N] [--minutes 30] [--worlds all] [--only-kills]
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.chaos import worlds
from tests.chaos.killing import kill_loop
from tests.chaos.plan import WORLDS, Tally, long
from tests.chaos.program import ROOT, zygote
from tests.chaos.seeds import VARIABLE, drawn
from tests.chaos.telling import counted, markdown, say


def table(tally: Tally, chosen: int) -> str:
    """The run as a table in Markdown."""
    killed = ", ".join(f"{n} in {phase}" for phase, n in tally.killed_in.most_common())
    faults = counted(tally.faults)
    rows = {
        "kills (SIGKILL)": f"{tally.kills}: {killed}",
        "processes, campaigns": f"{tally.processes:,}, {tally.campaigns}",
        "worlds": counted(tally.worlds),
        "the same people again": counted(tally.ways),
        "faults of the server and the network": f"{sum(tally.faults.values()):,}: {faults}",
        "valid rows": f"{tally.rows:,}",
        "create requests that arrived": f"{tally.create_requests:,}",
        "executions": f"{tally.creates:,}",
        "contacts started twice": f"**{tally.contacts_twice}**",
        "rows with two executions": f"**{tally.rows_twice}**",
        "executions that the ledgers do not hold as they are": f"**{tally.books_differ}**",
        "of ours seen by the next look alone, their contacts told as reached": f"{tally.seen_late}",
        "suppressed contacts started all the same": f"**{tally.suppressed_reached}**",
        "executions after their campaign's deadline": f"**{tally.after_deadline}**, {deadlines(tally)}",
        "contacts started within their cool-off": f"**{tally.cooled_reached}**",
        "contacts started and told as left out by a rule": f"**{tally.both}**",
        "rows left out in worlds with rules": counted(tally.left_out),
        "rows with neither an execution nor a reason": f"**{tally.lost}**",
        "rows left out, with their reason": counted(tally.not_sent),
        "rows left unknown, resolved": f"{tally.resolved:,}: {tally.found:,} found, {tally.sent_again:,} not created",
        "rows unknown when their campaign was done": f"{tally.unknown:,}",
        "of them with a later witness": f"**{tally.unknown_with_a_witness}**",
        "unknown to the end": f"**{tally.unknown_left}**, and {tally.unknown_by_others} by another's execution",
        "most requests in any window, by the server's count": f"{tally.worst_window:,} of {tally.window_limit:,}",
        "seed, minutes": f"{chosen}, {tally.seconds / 60:.1f}",
    }
    return markdown(rows)


def deadlines(tally: Tally) -> str:
    """How many there were, and how near to one the last execution came."""
    if not tally.deadlines:
        return "no deadline came"
    after = f"the last {tally.latest_s:+.3f} s from its own" if math.isfinite(tally.latest_s) else "none before"
    return f"{tally.deadlines} deadlines came, {after}"


def tell(tally: Tally) -> None:
    """How far the loop is."""
    say(f"{tally.seconds / 60:5.1f} min: {tally.kills} kills, {tally.campaigns} campaigns, {tally.rows:,} rows")


def main() -> int:
    """Run it; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=None, help=f"repeats a run; also {VARIABLE}")
    parser.add_argument("--minutes", type=float, default=60.0, help="kill no more after so long")
    names = ["all", *(world.name for world in worlds.WORLDS)]
    parser.add_argument("--worlds", choices=names, default=WORLDS, metavar="NAME", help=", ".join(names))
    parser.add_argument("--only-kills", action="store_true", help="the kill loop alone")
    options = parser.parse_args()
    chosen = drawn() if options.seed is None else options.seed
    say(f"{VARIABLE}={chosen}: {options.kills} kills …")
    plan = long(chosen, kills=options.kills, minutes=options.minutes, worlds=options.worlds)
    with tempfile.TemporaryDirectory() as folder, zygote() as program:
        # What the program keeps for all of a user's folders lies there, and not in this user's own.
        os.environ["TESTS_HOME"] = folder
        tally = asyncio.run(kill_loop(plan, Path(folder), program, tell))
    say(table(tally, chosen))
    for problem in tally.problems():
        say(f"BROKEN: {problem}")
    for double in tally.doubles:
        say(double)
    if tally.problems() or options.only_kills:
        return int(bool(tally.problems()))
    command = [sys.executable, "-m", "pytest", "-m", "chaos", "tests"]
    return subprocess.run(command, cwd=ROOT, env=os.environ | {VARIABLE: str(chosen)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
