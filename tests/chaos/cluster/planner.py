"""Another machine, from which campaigns are planned, paused and cancelled while the workers send."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from dispatcher.errors import ExitCode
from tests.chaos.cluster.looking import Looking
from tests.chaos.cluster.site import Client, Site
from tests.chaos.program import Process

#: A command that finds no server is given again, for so long.
PATIENCE_S = 90.0
#: What it takes at most to wait for an account that is sent, and to plan a file.
PLANNED_S = 60.0
#: After `pause` and `cancel` it is looked for so long whether anything more is claimed.
WATCHED_S = 1.5
_NEWEST = "SELECT coalesce(max(attempt_id), 0) FROM attempts"
#: Attempts since then, and how many of them are their row's first: others were on their way before.
_SINCE = """
SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (
  SELECT FROM attempts AS e WHERE e.row_id = t.row_id AND e.attempt_id <= %s))
FROM attempts AS t JOIN runs USING (run_id) JOIN campaigns USING (campaign_id) JOIN accounts AS a
  ON a.account_id = campaigns.account_id WHERE name = %s AND account_sid = %s AND attempt_id > %s
"""
#: A file was put there, and there is an order for its rows, or none is left in any file: where the command was given
#: again, the newer file alone has them.
_ORDERED = """
SELECT 1 FROM campaigns AS c JOIN accounts USING (account_id)
WHERE name = %s AND account_sid = %s
AND EXISTS (SELECT FROM inputs AS i WHERE i.campaign_id = c.campaign_id AND ready_at_ms IS NOT NULL)
AND (due_ms IS NOT NULL AND settings IS NOT NULL OR NOT EXISTS (
  SELECT FROM inputs AS i JOIN tallies USING (input_id)
  WHERE i.campaign_id = c.campaign_id AND state = 'planned' AND n > 0))
"""


@dataclass(frozen=True)
class Said:
    """What a command came to."""

    code: int
    out: str
    err: str


class Planner:
    """Gives commands; each in the folder of an account."""

    def __init__(self, site: Site, looking: Looking) -> None:
        self._site = site
        self._looking = looking
        self._n = 0
        #: Account and name of every campaign, and those that were cancelled.
        self.campaigns: list[tuple[Client, str]] = []
        self.cancelled: set[tuple[str, str]] = set()

    async def run(self, client: Client, name: str, rows: int) -> None:
        """`run` of a new file: until it is ordered; then whoever looks on goes, by Ctrl-C or worse."""
        file = client.files.write(name, rows)
        self.campaigns.append((client, name))
        self._site.tally.rows += rows
        self._site.tally.campaigns += 1
        begun_s = time.monotonic()
        while True:
            process = await self._start(client, "run", file.name, "--campaign", name, "--yes")
            ordered = await self._until_ordered(client, name, process)
            await self._leave(process)
            if ordered:
                self._site.tally.planner_waited_s = max(self._site.tally.planner_waited_s, time.monotonic() - begun_s)
                return
            if time.monotonic() > begun_s + PATIENCE_S:
                raise AssertionError(f"{name} cannot be planned: {_said(process).err[-1500:]}")
            await asyncio.sleep(0.5)

    async def pause(self, client: Client, name: str) -> None:
        """`pause`: from then on nothing of it is claimed; then `resume`."""
        tally = self._site.tally
        if not await self._wanted(client, name, "pause", name):
            return
        tally.claimed_while_paused += (await self._claimed(client, name))[0]
        await self.resume(client, name)

    async def resume(self, client: Client, name: str) -> None:
        """`resume`, until it is ordered again."""
        begun_s = time.monotonic()
        while True:
            process = await self._start(client, "resume", name, "--yes")
            ordered = await self._until_ordered(client, name, process, wish="send")
            await self._leave(process)
            if ordered:
                return
            if time.monotonic() > begun_s + PATIENCE_S:
                raise AssertionError(f"{name} cannot be resumed: {_said(process).err[-1500:]}")
            await asyncio.sleep(0.5)

    async def cancel(self, client: Client, name: str) -> None:
        """`cancel`: from then on nothing of it is claimed, ever."""
        if not await self._wanted(client, name, "cancel", name, "--reason", "no more", "--yes"):
            return
        self.cancelled.add((client.sid, name))
        again, first = await self._claimed(client, name)
        self._site.tally.claimed_after_cancel += first
        self._site.tally.sent_again_after_cancel += again - first

    async def command(self, client: Client, *arguments: str, timeout_s: float = PATIENCE_S) -> Said:
        """Any command, to its end."""
        process = await self._start(client, *arguments)
        if not await process.ends_within(timeout_s):
            process.signal(signal.SIGKILL)
        await process.wait()
        return _said(process)

    async def _wanted(self, client: Client, name: str, *arguments: str) -> bool:
        """Give a command until it succeeds; False: there is nothing any more that it could be for."""
        begun_s = time.monotonic()
        while True:
            said = await self.command(client, *arguments)
            if said.code == 0:
                return True
            if said.code == ExitCode.USAGE:
                raise AssertionError(f"{' '.join(arguments)}: {said.err[-1500:]}")
            found = await self._looking.campaigns()
            if not any(one.name == name and one.is_open for one in found):
                return False
            if time.monotonic() > begun_s + PATIENCE_S:
                raise AssertionError(f"{' '.join(arguments)}: exit code {said.code}: {said.err[-1500:]}")
            await asyncio.sleep(0.5)

    async def _claimed(self, client: Client, name: str) -> tuple[int, int]:
        """How many attempts of it are begun from now on, and how many of them are their row's first."""
        newest = int((await self._looking.rows(_NEWEST))[0][0])
        await asyncio.sleep(WATCHED_S)
        found = await self._looking.rows(_SINCE, newest, name, client.sid, newest)
        return int(found[0][0]), int(found[0][1])

    async def _until_ordered(self, client: Client, name: str, process: Process, wish: str | None = None) -> bool:
        end_s = time.monotonic() + PLANNED_S
        while time.monotonic() < end_s:
            has_ended = not process.running
            if await self._looking.query(_ORDERED, name, client.sid):
                campaigns = await self._looking.query("SELECT wish FROM campaigns WHERE name = %s", name)
                if wish is None or campaigns == [(wish,)] or (campaigns and (wish,) in campaigns):
                    return True
            if has_ended:
                return False
            await asyncio.sleep(0.1)
        return False

    async def _leave(self, process: Process) -> None:
        """Whoever looks on is not needed: nobody waits for what he does when he is interrupted."""
        if not process.running:
            pass
        elif self._site.chance.random() < 0.3:
            process.signal(signal.SIGKILL)
            self._site.tally.planners["who looked on killed"] += 1
        else:
            self._site.tally.planners["who looked on interrupted"] += 1
            process.signal(signal.SIGINT)
            if not await process.ends_within(15.0):
                self._site.tally.notes.append("a planner does not end on Ctrl-C")
                process.signal(signal.SIGKILL)
        await process.wait()

    async def _start(self, client: Client, *arguments: str) -> Process:
        self._n += 1
        out, err = (client.folder / f"{self._n}-{arguments[0]}.{kind}.txt" for kind in ("out", "err"))
        return await self._site.programs.start(
            client.folder, *arguments, "--config", "config.toml", env=client.env, stdout=str(out), stderr=str(err)
        )


def _said(process: Process) -> Said:
    return Said(process.ended.result() if process.ended.done() else -1, _text(process.stdout), _text(process.stderr))


def _text(path: Path) -> str:
    return path.read_text("utf-8", "replace") if path.exists() else ""
