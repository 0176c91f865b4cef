"""The loop of the cluster: trial after trial, each to its end, and then its books."""

from __future__ import annotations

import asyncio
import random
import shutil
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from dispatcher.sandbox import DEFAULT_FLOW_SID, FaultPhase
from tests.chaos.cluster import books, engine
from tests.chaos.cluster.looking import Looking
from tests.chaos.cluster.machines import Programs
from tests.chaos.cluster.plan import CONNECTIONS_MAX, Plan, Tally
from tests.chaos.cluster.planner import Planner
from tests.chaos.cluster.site import Client, Site, built
from tests.chaos.cluster.trials import Trial, drawn, next_trouble
from tests.chaos.cluster.troubles import Troubles
from tests.chaos.program import Zygote
from tests.support.postgres import PrivateServer

#: Whoever has had trouble is back, and has its connections again, within so long.
BACK_S = 30.0
#: What workers have open; their names end with the process's number.
_SESSIONS = """
SELECT application_name, state, left(query, 60), extract(epoch FROM clock_timestamp() - backend_start)::integer
FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'dispatcher %'
"""
_NOTES_MAX = 3
#: So many accounts are planned for at once, before anything is sent.
_AT_ONCE = 3
#: So many times a campaign that was held is resumed; then it stays.
_RESUMES = 20
#: Studio shows a later execution to all that is still unknown then.
_WITNESS = "+14159999999"


class Loop:
    """Runs trials, until the plan's numbers are reached."""

    def __init__(self, plan: Plan, folder: Path, program: Zygote, tell: Callable[[str, Tally], None]) -> None:
        self.tally = Tally()
        self._plan = plan
        self._folder = folder
        self._programs = Programs(program)
        self._tell = tell
        self._chance = random.Random(plan.seed)
        self._started_s = time.monotonic()
        #: Of the trials that are going on.
        self._tallies: list[Tally] = []
        self._n = 0

    async def run(self) -> Tally:
        """What came of them."""
        trials = drawn(self._plan, self._chance, self._missing)
        async with asyncio.TaskGroup() as group:
            for _ in range(self._plan.at_once):
                group.create_task(self._one_after_the_other(trials))
        return self.tally

    async def _one_after_the_other(self, trials: Iterator[Trial]) -> None:
        with PrivateServer() as server:
            for trial in trials:
                if time.monotonic() - self._started_s > self._plan.stop_after_s:
                    break
                await self.trial(trial, server)

    def _missing(self) -> dict[str, int]:
        """What is still to come, with what is going on."""
        return self._plan.missing(sum((one.counts for one in self._tallies), self.tally.counts))

    async def trial(self, trial: Trial, server: PrivateServer) -> None:
        """One of them, on a server that nothing else uses."""
        tally = Tally(trials=Counter({trial.name: 1}))
        folder, chance = self._folder / f"{self._n:03}", random.Random(self._chance.random())
        self._n += 1
        await asyncio.to_thread(folder.mkdir)
        self._tallies.append(tally)
        try:
            async with built(trial, self._plan, server, self._programs, folder, tally, chance) as site:
                await _Running(site, folder, self._missing).run()
        except Exception as error:
            # A program did what it never should; the other trials go on.
            tally.unfinished += 1
            tally.notes.append(f"{folder.name} {trial.name}: {''.join(traceback.format_exception(error))}")
        finally:
            self._tallies.remove(tally)
            self.tally.add(tally)
            self.tally.seconds = time.monotonic() - self._started_s
        broken = tally.problems()
        self._tell(f"{folder.name} {trial.name}: {'; '.join(broken) or 'well'}", self.tally)
        if not broken:
            shutil.rmtree(folder)


class _Running:
    """One trial."""

    def __init__(self, site: Site, folder: Path, missing: Callable[[], Mapping[str, int]]) -> None:
        self._site = site
        self._folder = folder
        self._missing = missing
        self._tally = site.tally
        self._resumed: Counter[str] = Counter()

    async def run(self) -> None:
        site = self._site
        async with Looking(site.url, self._tally) as looking:
            planner = Planner(site, looking)
            # Of a trial where nobody tells the workers, what is planned now is told to nobody.
            with engine.spoiled(site.url, site.trial.engine):
                alone = asyncio.Semaphore(_AT_ONCE)

                async def plan(client: Client, name: str) -> None:
                    async with alone:
                        await planner.run(client, name, site.trial.rows)

                await asyncio.gather(*(plan(client, f"c{n}") for n, client in enumerate(site.clients)))
            async with site.crew:
                async with Troubles(site, looking, planner) as troubles:
                    await self._trouble(looking, troubles)
                    await troubles.over()
                if await self._to_the_end(looking, planner):
                    await self._witness(looking, planner)
                await self._back()
                await site.crew.end_all()
                for machine in site.crew.machines:
                    self._tally.tracebacks.update(machine.tracebacks())
        await asyncio.to_thread(books.count, site, self._folder)

    async def _trouble(self, looking: Looking, troubles: Troubles) -> None:
        """One trouble after the other, as long as there is something to send."""
        site, plan = self._site, self._site.plan
        script = site.trial.script
        most, made = len(script) or plan.troubles, 0
        end_s = time.monotonic() + plan.patience_s
        while made < most and time.monotonic() < end_s:
            await self._pause(looking, site.chance.uniform(*plan.pause_s))
            if looking.accounts and not any(account.planned for account in looking.accounts):
                return
            trouble = script[made] if script else next_trouble(site.trial, site.chance, self._missing())
            if await troubles.make(trouble):
                made, end_s = made + 1, time.monotonic() + plan.patience_s
            else:
                await asyncio.sleep(0.1)

    async def _pause(self, looking: Looking, seconds: float) -> None:
        """Meanwhile it is seen how many connections whoever is left alone has."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            await asyncio.sleep(min(left_s, 0.5))
            sessions = await looking.query(_SESSIONS) or []
            for machine in self._site.crew.machines:
                if not machine.is_calm:
                    continue
                # As the server sees it: wires of whoever was killed may still stand.
                its = [session for session in sessions if session[0].endswith(f":{machine.pid}")]
                self._tally.connections[len(its)] += 1
                if len(its) > CONNECTIONS_MAX and len(self._tally.notes) < _NOTES_MAX:
                    self._tally.notes.append(f"{len(its)} connections of {machine.pid}: {its}")

    async def _to_the_end(self, looking: Looking, planner: Planner) -> bool:
        """Whether every campaign comes to its end, once it is left alone; whoever is held is looked at and resumed."""
        end_s = time.monotonic() + self._site.plan.patience_s
        while time.monotonic() < end_s:
            found = await looking.campaigns()
            if not any(one.is_open for one in found):
                return True
            for one in found:
                if one.wish == "pause" and one.is_open and self._resumed[one.name] < _RESUMES:
                    self._resumed[one.name] += 1
                    self._tally.held[f"{one.wished_by}: {one.reason}"[:200]] += 1
                    client = next(client for client, name in planner.campaigns if name == one.name)
                    await planner.resume(client, one.name)
            await asyncio.sleep(0.3)
        for one in await looking.campaigns():
            if one.is_open:
                self._tally.unfinished += 1
                self._tally.notes.append(f"{self._site.trial.name}: not at its end: {one}; {looking.accounts}")
        return False

    async def _witness(self, looking: Looking, planner: Planner) -> None:
        """Everything was sent: a later execution is listed, by which each row that is unknown can be resolved."""
        names = {one.name: one.unknown for one in await looking.campaigns() if one.unknown}
        self._tally.unknown += sum(names.values())
        for client, name in planner.campaigns:
            if name not in names:
                continue
            sandbox = client.sandbox
            sandbox.change(date_created_skew_s=60.0, list_lag_s=0.0)
            sandbox.fault_plan.replace((FaultPhase(faults={}),), sandbox.now_us())
            sandbox.studio.creator.plant(
                DEFAULT_FLOW_SID, _WITNESS, "+15550001111", None, now_us=sandbox.now_us(), age_us=0, ends_after_us=1
            )
            await asyncio.sleep(2 * self._site.trial.settle_s)
            for arguments in (("reconcile", name), ("resume", name, "--yes")):
                said = await planner.command(client, *arguments)
                if said.code not in (0, 3, 6):
                    self._tally.notes.append(f"{arguments}: exit code {said.code}: {said.err[-500:]}")

    async def _back(self) -> None:
        """Every machine has a worker that is connected."""
        end_s = time.monotonic() + BACK_S
        away = list(self._site.crew.machines)
        while away and time.monotonic() < end_s:
            await asyncio.sleep(0.2)
            away = [machine for machine in away if not (machine.pid and machine.to_ledger.connections)]
        for machine in away:
            self._tally.not_back += 1
            self._tally.notes.append(f"worker {machine.number} did not come back: {machine.said()[-800:]}")
