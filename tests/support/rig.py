"""A sender on a virtual clock: real ledger, account, limiter and breaker; a Studio that answers as a test says."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import orjson

from dispatcher.errors import DispatcherError
from dispatcher.events import Event, EventBus, Resumed, Waiting, WaitKind
from dispatcher.ledger.protocol import Ledger
from dispatcher.ledger.records import Account, GrantedRow, Run
from dispatcher.ledger.sqlite.ledger import SqliteLedger
from dispatcher.model import RowState
from dispatcher.rules.gate import Schedule
from dispatcher.sending.account import OpenAccount, open_account
from dispatcher.sending.busy import BusyPolicy
from dispatcher.sending.limiter import Limiter
from dispatcher.sending.plan import SendPlan
from dispatcher.sending.sender import Sender
from dispatcher.sending.timing import Timing
from dispatcher.settings import Settings
from dispatcher.studio.client import Studio
from dispatcher.studio.outcomes import Answer, Failure
from tests.support import ledgers
from tests.support.virtual_time import VirtualTimeLoop

WINDOW_S = 10.0
NOT_CONNECTED = Answer(failure=Failure.not_connected, detail="refused")
BROKEN = Answer(failure=Failure.broken, detail="the server closed the connection")


def created(key: str) -> Answer:
    return Answer(201, orjson.dumps({"sid": "FN" + key[1:].zfill(32)}), elapsed_s=0.05)


def throttled(retry_after_s: float | None = None) -> Answer:
    return Answer(429, b"{}", retry_after=None if retry_after_s is None else str(retry_after_s), elapsed_s=0.05)


def busy() -> Answer:
    return Answer(409, b'{"code": 20409}', elapsed_s=0.05)


class ScriptedStudio:
    """Connects, lets the request leave, answers; `answer(key, n)` says what to the key's n-th request."""

    def __init__(self, answer: Callable[[str, int], Answer]) -> None:
        self._loop = asyncio.get_running_loop()
        self.answer = answer
        self.connect_s: Callable[[], float] = lambda: 0.0
        self.latency_s = 0.05
        self.sent: list[tuple[float, str]] = []
        self.asked: Counter[str] = Counter()
        self.in_flight = self.most_in_flight = 0
        self.clock_skew_s: float | None = None

    async def create(self, flow_sid: str, form: bytes, leaving: Callable[[], bool]) -> Answer | None:
        key = form.decode()
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.connect_s())
            answer = self.answer(key, self.asked[key])
            if answer.failure is Failure.not_connected:
                self.asked[key] += 1
                return answer
            if not leaving():
                return None
            self.asked[key] += 1
            self.sent.append((self._loop.time(), key))
            await asyncio.sleep(self.latency_s)
            return answer
        finally:
            self.in_flight -= 1

    @property
    def sent_at_s(self) -> list[float]:
        return [at_s for at_s, _ in self.sent]


class StillLedger:
    """A ledger whose thread takes no virtual time; `fault` may raise before a method runs."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger
        self.fault: Callable[[str], None] = lambda method: None
        #: How long ago requests were sent that the ledger does not hold.
        self.sent_before_s: Sequence[float] = ()

    def lease(self, *arguments: Any, **named: Any) -> contextlib.AbstractAsyncContextManager[None]:
        return self._ledger.lease(*arguments, **named)

    async def departures(self, account: Account, *, since_ms: int, now_ms: int, unresolved: bool = True) -> list[int]:
        with real_work():
            found = await self._ledger.departures(account, since_ms=since_ms, now_ms=now_ms, unresolved=unresolved)
        return sorted([*found, *(now_ms - int(age_s * 1000) for age_s in self.sent_before_s)])

    async def has_sent(self, account: Account) -> bool:
        return False

    @property
    def is_shared(self) -> bool:
        return self._ledger.is_shared

    @property
    def places(self) -> Any:
        """What waits, in virtual time, too."""
        return _Still(self._ledger.places, self.fault)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ledger, name)

        async def call(*arguments: Any, **named: Any) -> Any:
            self.fault(name)
            with real_work():
                return await method(*arguments, **named)

        return call


class _Still:
    """One of a ledger's parts, whose work takes no virtual time."""

    def __init__(self, part: Any, fault: Callable[[str], None]) -> None:
        self._part, self._fault = part, fault

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any, **named: Any) -> Any:
            self._fault(name)
            with real_work():
                return await getattr(self._part, name)(*arguments, **named)

        return call


def real_work() -> contextlib.AbstractContextManager[None]:
    """While a thread works, the virtual clock stands."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    return loop.real_work()


async def _not_ours(row: GrantedRow, execution_sid: str) -> bool:
    return False


class Rig:
    """Rows in a ledger, and everything that sends them. Made by the fixture `rig`."""

    def __init__(
        self, ledger: SqliteLedger, still: StillLedger, run: Run, account: OpenAccount, limiter: Limiter, **options: Any
    ) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        self.loop = loop
        self.ledger, self.still, self.run = ledger, still, run
        self.account, self.breaker, self.limiter = account, account.breaker, limiter
        self.bus: EventBus = options.pop("bus")
        self.events: list[Event] = []
        self.bus.subscribe(self.events.append)
        self.studio = ScriptedStudio(options.pop("answer"))
        studio = cast(Studio, self.studio)
        policy = {"policy": "skip", "wait_s": 60, "give_up_s": 600, **options.pop("busy", {})}
        policy |= {"flow_sid": "FW", "id_parameter": "", "dispatch_id": lambda row: "", "is_campaigns": _not_ours}
        schedule: Schedule | None = options.pop("schedule", None)
        plan = {"form": lambda row: row.row_key.encode(), "in_flight": 10, "stop_s": 5.0, **options}
        self.sender = Sender(
            SendPlan(flow_sid="FW", api_version="v2", **plan),
            ledger=cast(Ledger, still),
            run=run,
            studio=studio,
            account=account,
            limiter=limiter,
            busy=BusyPolicy(studio, **policy),
            timing=Timing(
                cast(Ledger, still), run, plan.get("input_id"), schedule, clock_skew_s=lambda: self.studio.clock_skew_s
            ),
            bus=self.bus,
        )

    async def send(self, **more: Any) -> None:
        await self.sender.send(**more)

    def stop(self, error: DispatcherError) -> None:
        self.sender.stop(error)

    async def states(self) -> dict[RowState, int]:
        with real_work():
            status = await self.ledger.status(self.run.campaign)
        return {state: n for state, n in status.rows.items() if n}

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with ledgers.raw(self.ledger.path) as db:
            return db.execute(sql).fetchall()

    async def until(self, true: Callable[[], bool]) -> None:
        for _ in range(100_000):
            if true():
                return
            await asyncio.sleep(0.001)
        raise AssertionError


class Rigs:
    """Makes rigs, each in a folder of its own, and looks them over when the test is done."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = contextlib.AsyncExitStack()
        self._made: list[Rig] = []

    async def __call__(
        self, rows: int, answer: Callable[[str, int], Answer] = lambda key, n: created(key), **options: Any
    ) -> Rig:
        """`rows` planned rows. Options: `per_second`, `pace`, `headroom`, `retry`, `busy`, `bus`, and `SendPlan`'s."""
        folder = self._folder / str(len(self._made))
        bus = options.setdefault("bus", EventBus())
        rate = {"per_second": options.pop("per_second", 20), "window_s": WINDOW_S, "pace": options.pop("pace", "even")}
        rate["headroom"] = options.pop("headroom", 0.01)
        settings = Settings.model_validate({"rate": rate, "retry": options.pop("retry", {})})
        ages_s: Sequence[float] = options.pop("sent_before_s", ())
        account_sid = options.pop("account_sid", f"AC{len(self._made):032}")

        def stop(error: DispatcherError) -> None:
            rig.stop(error)

        with real_work():
            ledger = SqliteLedger.open(folder)
            record = await ledgers.campaign(ledger, account_sid=account_sid)
            await ledgers.planned(ledger, record, ledgers.lines(*(f"+1415{2_000_000 + n}" for n in range(rows))))
            record = await ledger.find_campaign(record.name)
            run = await ledger.start_run(record, window_limit=200, now_ms=1)
        still = StillLedger(ledger)
        account = await self._stack.enter_async_context(open_account(record.account, settings, bus=bus, stop=stop))
        still.sent_before_s = ages_s
        with real_work():
            await self._stack.enter_async_context(account.lease(still, wait=False))
        rig = Rig(ledger, still, run, account, await account.limiter(), answer=answer, **options)
        self._made.append(rig)
        return rig

    async def close(self) -> None:
        with real_work():
            await self._stack.aclose()
            for rig in self._made:
                await rig.ledger.close()
        for rig in self._made:
            assert ledgers.flaws(rig.ledger.path) == []
            assert_paired(rig.events)


def assert_paired(events: Sequence[Event]) -> None:
    """Every `Waiting` has its one `Resumed`, and none begins before the one of its kind before it is over."""
    waiting: set[WaitKind] = set()
    for event in events:
        if isinstance(event, Waiting):
            assert event.kind not in waiting, f"{event.kind} twice"
            waiting.add(event.kind)
        elif isinstance(event, Resumed):
            assert event.kind in waiting, f"{event.kind} was not waited for"
            waiting.remove(event.kind)
    assert not waiting, f"{waiting} never ended"


def waits(events: Sequence[Event], kind: WaitKind) -> list[Waiting]:
    """The waits of a kind."""
    return [event for event in events if isinstance(event, Waiting) and event.kind is kind]
