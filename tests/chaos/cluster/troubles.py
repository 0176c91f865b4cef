"""What happens to the cluster: each trouble is begun here, and undone by itself after its time."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from tests.chaos.cluster.looking import Account, Looking
from tests.chaos.cluster.machines import END_S, Machine
from tests.chaos.cluster.planner import Planner
from tests.chaos.cluster.site import Client, Site
from tests.chaos.cluster.trials import COUNTS_FOR, HOUR_S, Trouble

#: Beyond its lease whoever is stopped has lost its accounts.
BEYOND_LEASE_S = (1.5, 12.0)
DOWN_S = (0.0, 3.0)
SERVER_FROZEN_S = (1.0, 7.0)
#: A wire to Studio never brings late what was lost: `[reconcile] settle_s` says how long that may take at most.
STUDIO_PARTED_S = (0.3, 5.0)
#: With each lot of bytes so late, most of a worker's time is inside a transaction.
SLOW_WIRE_S = 0.04
_INSIDE_TRIES = 60
#: A worker's sessions are those that come over its wire. The engine's are not the ledger's.
_INSIDE = """
SELECT count(*) FROM pg_stat_activity WHERE client_port = ANY (%s) AND application_name NOT LIKE 'dispatcher jobs%%'
  AND xact_start IS NOT NULL
"""
_TERMINATE = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE client_port = ANY (%s)"
_COMMIT_S = 3.0
CANCELS_ANY = 0.3


class Troubles:
    """Makes them. As a context: what is still under way at its end is undone, and everything flows again."""

    def __init__(self, site: Site, looking: Looking, planner: Planner) -> None:
        self._site = site
        self._looking = looking
        self._planner = planner
        self._chance = site.chance
        self._tasks: set[asyncio.Task[None]] = set()
        #: One at a time: it is down, frozen or away as a whole.
        self._server_alone = asyncio.Lock()
        #: Planners' campaigns, told apart by number.
        self._n = 0
        self._errors: list[BaseException] = []

    async def __aenter__(self) -> Troubles:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def over(self) -> None:
        """Wait until each has passed. Raises what one of them has."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        if self._errors:
            raise self._errors[0]

    async def make(self, trouble: Trouble) -> bool:
        """Begin one; whether there was anything that it could befall."""
        makers: dict[Trouble, Callable[[], Awaitable[bool]]] = {
            Trouble.kill_holder: lambda: self._kill(trouble, self._holder(calm=False)),
            Trouble.kill_any: lambda: self._kill(trouble, self._any(calm=False)),
            Trouble.end_holder: lambda: self._end(trouble, self._holder()),
            Trouble.stop_holder: lambda: self._stop(trouble, self._holder()),
            Trouble.stop_inside: self._stop_inside,
            Trouble.stop_all: self._stop_all,
            Trouble.crash: lambda: self._server(trouble, self._down("crash")),
            Trouble.restart: lambda: self._server(trouble, self._down("stop")),
            Trouble.freeze_server: lambda: self._server(trouble, self._freeze_server()),
            Trouble.cut_commit: lambda: self._on(self._holder(), self._cut_commit),
            Trouble.terminate: lambda: self._on(self._holder(), self._terminate),
            Trouble.part_ledger: lambda: self._on(self._holder(), self._part_ledger),
            Trouble.part_studio: lambda: self._on(self._holder(), self._part_studio),
            Trouble.hold_studio: lambda: self._on(self._holder(), self._hold_studio),
            Trouble.step_clock: lambda: self._on(self._any(), self._step_clock),
            Trouble.plan_more: self._plan_more,
            Trouble.pause: self._pause,
            Trouble.cancel: self._cancel,
        }
        if not await makers[trouble]():
            return False
        self._site.tally.troubles[trouble.value] += 1
        if trouble in COUNTS_FOR:
            self._site.tally.counts[COUNTS_FOR[trouble]] += (
                len(self._site.crew.machines) if (trouble is Trouble.stop_all) else 1
            )
        return True

    # --- whom ---

    def _holder(self, *, calm: bool = True) -> Machine | None:
        """A machine that holds an account with something to send; `calm`: and to which nothing else is done."""
        found = {machine for one in self._looking.holders() if (machine := self._site.crew.with_pid(one.pid))}
        return self._one_of([machine for machine in self._site.crew.machines if machine in found], calm=calm)

    def _any(self, *, calm: bool = True) -> Machine | None:
        return self._one_of(self._site.crew.machines, calm=calm)

    def _one_of(self, machines: Sequence[Machine], *, calm: bool) -> Machine | None:
        found = [machine for machine in machines if machine.pid and (machine.is_calm or not calm)]
        return self._chance.choice(found) if found else None

    def _held_by(self, *machines: Machine) -> list[Account]:
        pids = {machine.pid for machine in machines if machine.pid}
        return [account for account in self._looking.holders() if account.pid in pids]

    # --- workers ---

    async def _kill(self, trouble: Trouble, machine: Machine | None) -> bool:
        if machine is None:
            return False
        held = self._held_by(machine)
        self._looking.disturb()
        self._looking.note(f"{trouble.name} {machine.number}, {machine.pid}")
        if not await self._site.crew.kill(machine):
            return False
        self._looking.lost(trouble.value, held)
        return True

    async def _end(self, trouble: Trouble, machine: Machine | None) -> bool:
        """As systemd does: whoever is told to end gives back what it has."""
        if machine is None or not machine.pid:
            return False
        self._looking.disturb()
        self._looking.note(f"{trouble.name} {machine.number}, {machine.pid}")
        held = self._held_by(machine)
        machine.troubled_until_s = time.monotonic() + END_S
        self._looking.lost(trouble.value, held)
        await self._site.crew.end(machine)
        machine.troubled_until_s = 0.0
        return True

    async def _stop(self, trouble: Trouble, machine: Machine | None) -> bool:
        if machine is None or not machine.pid:
            return False
        self._stopped(trouble, machine)
        machine.signal(signal.SIGSTOP)
        return True

    def _stopped(self, trouble: Trouble, *machines: Machine) -> None:
        self._looking.disturb()
        self._looking.lost(trouble.value, self._held_by(*machines))
        for machine in machines:
            self._looking.note(f"{trouble.name} {machine.number}, {machine.pid}")
            self._later(machine, self._site.plan.lease_s + self._chance.uniform(*BEYOND_LEASE_S), self._go_on)

    async def _stop_inside(self) -> bool:
        """Stop it again and again, a moment each time, until the server says that it is in the middle of something."""
        machine = self._holder()
        if machine is None:
            return False
        machine.troubled_until_s = time.monotonic() + 30.0
        process, wire = machine.process, machine.to_ledger
        wire.delay(SLOW_WIRE_S)
        try:
            for _ in range(_INSIDE_TRIES):
                await asyncio.sleep(self._chance.uniform(0.01, 0.15))
                if machine.process is not process or not machine.pid or not self._held_by(machine):
                    return False
                machine.signal(signal.SIGSTOP)
                # What it has said meanwhile is on its way.
                await asyncio.sleep(2 * SLOW_WIRE_S)
                found = await self._looking.query(_INSIDE, wire.ports)
                if found is not None and found[0][0]:
                    self._stopped(Trouble.stop_inside, machine)
                    return True
                machine.signal(signal.SIGCONT)
            return False
        finally:
            wire.delay(0.0)
            if not any(task.get_name() == f"machine {machine.number}" for task in self._tasks):
                machine.troubled_until_s = 0.0

    async def _stop_all(self) -> bool:
        machines = self._site.crew.machines
        if not all(machine.is_calm for machine in machines) or not self._looking.holders():
            return False
        self._stopped(Trouble.stop_all, *machines)
        for machine in machines:
            machine.signal(signal.SIGSTOP)
        return True

    async def _go_on(self, machine: Machine) -> None:
        machine.signal(signal.SIGCONT)

    async def _step_clock(self, machine: Machine) -> None:
        machine.clock(self._chance.choice((-HOUR_S, -60.0, 0.0, 60.0, HOUR_S)))

    # --- the server ---

    async def _server(self, trouble: Trouble, work: Coroutine[Any, Any, None]) -> bool:
        if self._server_alone.locked() or not self._looking.holders():
            work.close()
            return False
        held = self._looking.holders()
        self._looking.disturb()
        self._looking.note(trouble.name)
        async with self._server_alone:
            await work
        self._looking.note(f"the end of {trouble.name}")
        self._looking.lost(trouble.value, held)
        return True

    async def _down(self, how: str) -> None:
        server = self._site.server
        try:
            await asyncio.to_thread(server.crash if how == "crash" else server.stop)
            await asyncio.sleep(self._chance.uniform(*DOWN_S))
        finally:
            await asyncio.to_thread(server.start)

    async def _freeze_server(self) -> None:
        server = self._site.server
        await asyncio.to_thread(server.freeze)
        try:
            await asyncio.sleep(self._chance.uniform(*SERVER_FROZEN_S))
        finally:
            await asyncio.to_thread(server.thaw)

    # --- wires ---

    async def _on(self, machine: Machine | None, work: Callable[[Machine], Awaitable[None]]) -> bool:
        if machine is None:
            return False
        self._looking.disturb()
        self._looking.note(f"{work.__name__} {machine.number}, {machine.pid}")
        await work(machine)
        return True

    async def _cut_commit(self, machine: Machine) -> None:
        wire = machine.to_ledger
        wire.lose_answers(after=b"COMMIT")
        try:
            if await asyncio.to_thread(wire.wait_lost, _COMMIT_S):
                self._site.tally.troubles["of them with the answer lost"] += 1
        finally:
            wire.keep_answers()
            await asyncio.to_thread(wire.cut)

    async def _terminate(self, machine: Machine) -> None:
        await self._looking.query(_TERMINATE, machine.to_ledger.ports)

    async def _part_ledger(self, machine: Machine) -> None:
        wire = machine.to_ledger
        await asyncio.to_thread(wire.freeze)

        async def end(_: Machine) -> None:
            # What was held arrives now, late; or never.
            if self._chance.random() < 0.5:
                await asyncio.to_thread(wire.cut)
            await asyncio.to_thread(wire.thaw)

        self._later(machine, self._chance.uniform(0.5, self._site.plan.lease_s + BEYOND_LEASE_S[1]), end)

    async def _part_studio(self, machine: Machine) -> None:
        wire = machine.to_studio
        assert wire is not None
        await asyncio.to_thread(wire.freeze)

        async def end(_: Machine) -> None:
            assert wire is not None
            await asyncio.to_thread(wire.cut)
            await asyncio.to_thread(wire.thaw)

        self._later(machine, self._chance.uniform(*STUDIO_PARTED_S), end)

    async def _hold_studio(self, machine: Machine) -> None:
        wire = machine.to_studio
        assert wire is not None
        await asyncio.to_thread(wire.freeze)

        async def end(_: Machine) -> None:
            assert wire is not None
            await asyncio.to_thread(wire.thaw)

        self._later(machine, self._chance.uniform(0.3, self._site.trial.settle_s / 2), end)

    # --- planners ---

    async def _plan_more(self) -> bool:
        client = self._client()
        self._n += 1
        self._spawn(self._planner.run(client, f"more-{self._n}", self._chance.randrange(20, 120)), "planner")
        self._site.tally.planners["files planned meanwhile"] += 1
        return True

    async def _pause(self) -> bool:
        found = await self._open()
        if not found:
            return False
        client, name = self._chance.choice(found)
        self._spawn(self._planner.pause(client, name), "planner")
        self._site.tally.planners["pauses and resumes"] += 1
        return True

    async def _cancel(self) -> bool:
        """Of any campaign that is open; mostly of one that is planned for it: the first ones go to their end."""
        found = await self._open()
        if found and self._chance.random() < CANCELS_ANY:
            client, name = self._chance.choice(found)
            self._spawn(self._planner.cancel(client, name), "planner")
        else:
            client, name = self._client(), f"gone-{self._n}"
            self._n += 1

            async def plan_and_cancel() -> None:
                await self._planner.run(client, name, self._chance.randrange(100, 300))
                await asyncio.sleep(self._chance.uniform(0.0, 3.0))
                await self._planner.cancel(client, name)

            self._spawn(plan_and_cancel(), "planner")
        self._site.tally.planners["cancels"] += 1
        return True

    def _client(self) -> Client:
        return self._chance.choice(self._site.clients)

    async def _open(self) -> list[tuple[Client, str]]:
        if any(task.get_name() == "planner" for task in self._tasks):
            return []
        found = await self._looking.campaigns()
        names = {one.name for one in found if one.is_open and one.wish == "send" and one.planned}
        return [(client, name) for client, name in self._planner.campaigns if name in names]

    # --- for a time ---

    def _later(self, machine: Machine, after_s: float, work: Callable[[Machine], Awaitable[None]]) -> None:
        """Undo what was done to a machine; until then nothing else is."""
        machine.troubled_until_s = time.monotonic() + after_s + 0.5
        # The worker may have been killed, and another begun, by then.

        async def undo() -> None:
            try:
                await asyncio.sleep(after_s)
            finally:
                self._looking.note(f"machine {machine.number} is left alone")
                await work(machine)

        self._spawn(undo(), f"machine {machine.number}")

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._errors.append(error)
