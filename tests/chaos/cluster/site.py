"""What a trial stands on: Studios, a ledger, machines with their wires, and what is to be sent."""

from __future__ import annotations

import contextlib
import csv
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from dispatcher.cluster.app import migrate_engine
from dispatcher.sandbox import DEFAULT_FLOW_SID, Sandbox, SandboxSettings
from tests.chaos.cluster.machines import CONFIG, Crew, Machine, Programs
from tests.chaos.cluster.plan import Plan, Tally
from tests.chaos.cluster.studios import Studios
from tests.chaos.cluster.trials import Trial
from tests.chaos.killing import FIRST_NUMBER
from tests.chaos.worlds import FAULTS
from tests.support.postgres import PrivateServer
from tests.support.proxy import Proxy

TOKEN = "not-a-real-token"
#: How the planner's machine is set up, which sends nothing itself.
PLANNER = """\
[account]
base_url = "{base_url}"
[campaign]
flow = "{flow}"
from = "+15550001111"
[columns]
to = "phone"
[rate]
per_second = {per_second}
headroom = {headroom}
in_flight = 40
pace = "{pace}"
[retry]
backoff_base_s = 0.05
backoff_max_s = 0.5
breaker_failures = 1000
connect_attempts = 1000
[timeouts]
connect_s = 1.0
answer_s = {answer_s}
stop_s = 1.0
[reconcile]
settle_s = {settle_s}
[state]
url = "{url}"
[cluster]
lease_s = {lease_s}
"""


@dataclass(eq=False)
class Files:
    """Files of contacts for one account: no number comes twice but on purpose."""

    folder: Path
    chance: random.Random
    #: Who is in any of them, with a number that is one.
    people: set[str] = field(default_factory=set)
    _next: int = FIRST_NUMBER

    def write(self, name: str, rows: int) -> Path:
        """A file with so many valid rows, some that are none, and some that come again."""
        lines: list[list[str]] = []
        valid: list[str] = []
        while len(valid) < rows:
            kind = self.chance.random()
            if kind < 0.01:
                lines.append(["not a number", f"x {len(lines)}"])
            elif kind < 0.02 and valid:
                lines.append([self.chance.choice(valid), f"again {len(lines)}"])
            else:
                self._next += 1
                valid.append(f"+{self._next}")
                lines.append([valid[-1], f"Name {len(lines)}"])
        self.people |= set(valid)
        file = self.folder / f"{name}.csv"
        with file.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([["phone", "first_name"], *lines])
        return file


@dataclass(eq=False)
class Client:
    """One account: its Studio, and the folder from which its campaigns are planned."""

    sid: str
    sandbox: Sandbox
    folder: Path
    files: Files

    @property
    def env(self) -> dict[str, str]:
        """Its credentials."""
        return {"TWILIO_ACCOUNT_SID": self.sid, "TWILIO_AUTH_TOKEN": TOKEN}


@dataclass(frozen=True, kw_only=True)
class Site:
    """All of it."""

    trial: Trial
    plan: Plan
    server: PrivateServer
    #: Past every wire.
    url: str
    clients: tuple[Client, ...]
    crew: Crew
    programs: Programs
    tally: Tally
    chance: random.Random


@contextlib.asynccontextmanager
async def built(
    trial: Trial,
    plan: Plan,
    server: PrivateServer,
    programs: Programs,
    folder: Path,
    tally: Tally,
    chance: random.Random,
) -> AsyncIterator[Site]:
    """A site in an empty folder; its workers are not started yet."""
    async with contextlib.AsyncExitStack() as stack:
        url = stack.enter_context(server.ledger())
        await migrate_engine(url)
        # No two of a trial's have the same SIDs.
        first = chance.randrange(1_000_000)
        accounts = [_studio(trial, n, first + n) for n in range(trial.accounts)]
        studio = await stack.enter_async_context(Studios(accounts))
        clients = [
            _client(trial, plan, url, studio.base_url, folder / f"account-{n}", sandbox, chance)
            for n, sandbox in enumerate(studio.accounts)
        ]
        credentials = folder / "credentials"
        credentials.mkdir()
        for client in clients:
            file = credentials / f"{client.sid}.env"
            file.touch(mode=0o600)
            file.write_text("".join(f"{name}={value}\n" for name, value in client.env.items()), encoding="utf-8")
        machines, studio_port = [], int(studio.base_url.rpartition(":")[2])
        for number in range(plan.workers):
            machine = Machine(number, folder / f"machine-{number}", stack.enter_context(Proxy(server.port)))
            machine.folder.mkdir()
            if trial.reroutes_studio:
                machine.to_studio, machine.studio_port = stack.enter_context(Proxy(studio_port)), studio_port
            config = CONFIG.format(
                base_url=studio.base_url,
                url=url.replace(f":{server.port}/", f":{machine.to_ledger.port}/"),
                lease_s=plan.lease_s,
                tick_s=plan.tick_s,
                credentials=credentials,
            )
            (machine.folder / "config.toml").write_text(config, encoding="utf-8")
            if trial.clocks_s:
                machine.clock(trial.clocks_s[number % len(trial.clocks_s)])
            machines.append(machine)
        yield Site(
            trial=trial,
            plan=plan,
            server=server,
            url=url,
            clients=tuple(clients),
            crew=Crew(machines, programs, tally, chance),
            programs=programs,
            tally=tally,
            chance=chance,
        )


def _studio(trial: Trial, n: int, seed: int) -> SandboxSettings:
    return SandboxSettings(
        account_sid=f"AC{n:032x}",
        # Whoever mixes up accounts is refused.
        credentials={f"AC{n:032x}": TOKEN},
        limit_per_s=trial.per_second,
        faults=FAULTS,
        seed=seed,
        latency_s=0.03,
        latency_jitter_s=0.05,
        ends_after_s=0.05,
        list_lag_s=min(0.2, trial.settle_s / 4),
        huge_bytes=2 << 20,
    ).changed(dict(trial.settings))


def _client(
    trial: Trial, plan: Plan, url: str, base_url: str, folder: Path, sandbox: Sandbox, chance: random.Random
) -> Client:
    folder.mkdir()
    config = PLANNER.format(
        base_url=base_url,
        flow=DEFAULT_FLOW_SID,
        per_second=trial.per_second,
        headroom=plan.headroom,
        # A spike has more rows claimed and not yet sent when something happens.
        pace=chance.choice(["even", "spike"]),
        answer_s=trial.answer_s,
        settle_s=trial.settle_s,
        url=url,
        lease_s=plan.lease_s,
    )
    (folder / "config.toml").write_text(config, encoding="utf-8")
    return Client(sandbox.settings.account_sid, sandbox, folder, Files(folder, chance))
