"""The lives of a campaign: the program is started and killed, until one ends by itself with everything done."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from dispatcher.sandbox import DEFAULT_FLOW_SID, Sandbox
from tests.chaos import books
from tests.chaos.plan import CONFIG, RULES, Plan, Tally
from tests.chaos.program import Process, Zygote
from tests.chaos.worlds import World, is_suppressed

#: Rows that nothing can prove: so many lives in a row that end by themselves and leave them are enough.
FRUITLESS_LIVES = 2
#: What a life may end with. 3: some rows are invalid, or left out. 5, 6: stopped by faults, or rows left unknown.
EXIT_CODES = (0, 3, 5, 6)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder to work in, and where its ledger lies."""

    folder: Path
    state: Path

    @property
    def ledger(self) -> Path:
        return self.state / "ledger.sqlite3"


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """Some people in a file, under a name, in a place."""

    name: str
    file: Path
    place: Place
    people: list[str]
    #: How the same people come again; None: for the first time.
    way: str | None = None
    #: Whether the command line says the name; else the program finds it.
    is_named: bool = True
    key: str | None = None
    flow: str = DEFAULT_FLOW_SID
    #: When nothing of it may leave any more, by the true time, in seconds since 1970; None: tomorrow.
    deadline_s: float | None = None
    #: What becomes of those who were reached as often as is allowed. Who waits for a day waits beyond a near deadline.
    cools: Literal["wait", "skip"] = "skip"

    @property
    def report(self) -> str:
        return f"{self.file.stem}-{'report' if self.way is None else 'again'}.csv"


class Lives:
    """Starts and kills, in the order that chance says."""

    def __init__(self, plan: Plan, sandbox: Sandbox, program: Zygote, tally: Tally, home: Path) -> None:
        self.chance = random.Random(plan.seed)
        self.tally = tally
        #: How wrong the clock of each process was.
        self.clock_off_s: dict[int, float] = {}
        self._plan = plan
        self._sandbox = sandbox
        self._program = program
        self._home = home
        self._base_urls = [sandbox.base_url]
        self._rules = False

    async def through(self, campaign: Campaign, world: World, *, kills: Callable[[], bool]) -> None:
        """Live until everything is done that can be. `kills`: whether to go on killing."""
        self._base_urls = await self._sandbox.base_urls() if world.spellings else [self._sandbox.base_url]
        self._rules = world.rules
        fruitless, unknown_before = 0, -1
        while True:
            if world.jumps_s and self.chance.random() < 0.5:
                self._sandbox.change(clock_skew_s=self.chance.choice(world.jumps_s))
            if not await self._life(campaign, world, kills=kills()):
                continue
            unknown = books.states(campaign.place.ledger, campaign.name)["unknown"]
            fruitless = fruitless + 1 if unknown == unknown_before else 0
            unknown_before = unknown
            if not unknown or fruitless >= FRUITLESS_LIVES:
                return

    async def command(self, campaign: Campaign, *arguments: str) -> int:
        """A whole life of another command of the program, and its exit code."""
        self._configure(campaign, 0.0)
        return await self._program.run(
            campaign.place.folder, *arguments, "--config", "config.toml", env=self._environment()
        )

    def _environment(self) -> dict[str, str]:
        return {"TESTS_HOME": str(self._home), "HOME": str(self._home)}

    def _configure(self, campaign: Campaign, clock_off_s: float) -> None:
        """Write the settings, and how wrong the clock is."""
        plan, place = self._plan, campaign.place
        names = ("per_second", "window_s", "in_flight", "headroom", "answer_s", "settle_s")
        config = CONFIG.format(
            base_url=self.chance.choice(self._base_urls),
            flow=campaign.flow,
            **{name: getattr(plan, name) for name in names},
        )
        if campaign.key is not None:
            config = config.replace('to = "phone"\n', f'to = "phone"\nkey = ["{campaign.key}"]\n')
        config = config.replace('dir = ".dispatcher"\n', f'dir = "{place.state}"\n')
        if self._rules:
            deadline = datetime.now(UTC) + timedelta(days=1)
            if campaign.deadline_s is not None:
                deadline = datetime.fromtimestamp(campaign.deadline_s, UTC)
            config += RULES.format(deadline=deadline.isoformat(timespec="milliseconds"), cools=campaign.cools)
            named = [contact for contact in campaign.people if is_suppressed(contact)]
            # A list that is half written when the program looks names too few.
            part = place.folder / ".do-not-contact.part"
            part.write_text("\n".join(["phone", *named]) + "\n", encoding="utf-8")
            part.replace(place.folder / "do-not-contact.csv")
        (place.folder / "config.toml").write_text(config, encoding="utf-8")
        (place.folder / "clock").write_text(str(clock_off_s), encoding="ascii")

    async def _life(self, campaign: Campaign, world: World, *, kills: bool) -> bool:
        """Start the program and kill it after a while. True: it ended by itself, with nothing left to send."""
        self.tally.processes += 1
        folder = campaign.place.folder
        off_s = self.chance.choice(world.clocks_s) if world.clocks_s else 0.0
        self._configure(campaign, off_s)
        clock = {"clock": str(folder / "clock")} if world.clocks_s else {}
        process = await self._program.start(folder, *self._arguments(campaign), env=self._environment(), **clock)
        self.clock_off_s[process.pid] = off_s
        if kills and not await self._ended_before_its_time(campaign, process):
            process.signal(signal.SIGKILL)
            code = await process.wait()
            if code == -signal.SIGKILL:
                self.tally.kills += 1
                self.tally.killed_in[self._phase(campaign, process.pid)] += 1
                return False
        code = await process.wait(120)
        return self._is_done(campaign, process, code)

    async def _ended_before_its_time(self, campaign: Campaign, process: Process) -> bool:
        """Wait for the instant of the kill: somewhere in the start and intake, in the sending, or at the end.

        True: the process ended by itself before that.
        """
        chance = self.chance
        match chance.choice(["start", "sending", "sending", "end"]):
            case "start":
                return await process.ends_within(chance.uniform(0, 0.4))
            case "sending":
                if await self._ended_before(process, lambda: self._run_of(campaign, process.pid) is not None):
                    return True
                return await process.ends_within(chance.uniform(0, self._plan.life_s))
            case _:
                if await self._ended_before(process, lambda: self._is_at_its_end(campaign, process.pid)):
                    return True
                return await process.ends_within(chance.uniform(0, self._plan.settle_s * 1.5))

    async def _ended_before(self, process: Process, moment: Callable[[], bool]) -> bool:
        while not moment():
            if await process.ends_within(0.02):
                return True
        return False

    def _run_of(self, campaign: Campaign, pid: int) -> tuple[object, ...] | None:
        """The run that this process has begun; (stopped_at_ms,)."""
        sql = "SELECT stopped_at_ms FROM runs WHERE pid = ? ORDER BY run_id DESC LIMIT 1"
        runs = books.query(campaign.place.ledger, sql, pid)
        return runs[0] if runs else None

    def _is_at_its_end(self, campaign: Campaign, pid: int) -> bool:
        """Everything is sent: what is left is looking up unknown rows, and the report."""
        return self._run_of(campaign, pid) is not None and not self._states(campaign)["planned"]

    def _arguments(self, campaign: Campaign) -> list[str]:
        name, common = campaign.name, ["--config", "config.toml"]
        drawn = self.chance.random()
        if self._has_rows(campaign) and (campaign.way is None or campaign.is_named):
            if drawn < 0.15:
                return ["resume", name, "--yes", "--report", campaign.report, "--pace", self._pace(), *common]
            if drawn < 0.25:
                return ["reconcile", name, *common]
            if drawn < 0.3:
                return ["report", name, "--report", campaign.report, *common]
        arguments = ["run", str(campaign.file), "--yes", "--json", "--report", campaign.report]
        if campaign.is_named:
            arguments += ["--campaign", name]
        if self._plan.worlds != "plain":
            arguments += ["--on-busy", self.chance.choice(["skip", "wait", "end"])]
        return [*arguments, "--pace", self._pace(), *common]

    def _pace(self) -> str:
        return self.chance.choice(["even", "spike"])

    def _is_done(self, campaign: Campaign, process: Process, code: int) -> bool:
        if code not in EXIT_CODES:
            where = f"{campaign.name} ({campaign.way or 'the first time'})"
            raise AssertionError(
                f"exit code {code}, {where}, seed {self._plan.seed}:\n{process.stderr.read_text()[-3000:]}"
            )
        states = self._states(campaign)
        is_open = bool(states["planned"] or states["sending"])
        if self._plan.worlds == "plain":
            is_open = is_open or bool(states["unknown"])
        written = (campaign.place.folder / campaign.report).exists()
        return self._has_rows(campaign) and not is_open and written

    def _states(self, campaign: Campaign) -> dict[str, int]:
        return books.states(campaign.place.ledger, campaign.name)

    def _has_rows(self, campaign: Campaign) -> bool:
        sql = "SELECT input_id FROM campaigns WHERE name = ? AND input_id IS NOT NULL"
        return bool(books.query(campaign.place.ledger, sql, campaign.name))

    def _phase(self, campaign: Campaign, pid: int) -> str:
        """What the process was doing when it died."""
        run = self._run_of(campaign, pid)
        if run is None:
            return "start and intake"
        if run[0] is not None:
            return "report"
        states = self._states(campaign)
        if states["sending"]:
            return "sending"
        return "looking up" if states["unknown"] else "between"
