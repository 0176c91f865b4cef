"""The limiter and the breaker against a server that counts exactly, in virtual time: minutes of sending in a moment."""

from __future__ import annotations

import asyncio
import itertools
import random
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from dispatcher.errors import DispatcherError
from dispatcher.events import EventBus
from dispatcher.sending.account import OpenAccount, open_account
from dispatcher.sending.breaker import BreakerState
from dispatcher.settings import Settings
from tests.support import virtual_time
from tests.support.accounts import ACCOUNT, EmptyLedger

WINDOW_S = 10.0
_NUMBERS = itertools.count(1)


def worst_window(times_s: Sequence[float], window_s: float = WINDOW_S) -> int:
    """The most of these (ascending) in any stretch of `window_s`, found the plain way."""
    return max((n + 1 - bisect_left(times_s, at - window_s + 1e-9) for n, at in enumerate(times_s)), default=0)


class ExactServer:
    """Answers 429 to what would be the (limit + 1)-th in some window; and as the test says besides."""

    def __init__(self, limit: int, *, refuse: Callable[[float], bool] = lambda since_s: False) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._refuse = refuse
        self._window: deque[float] = deque()
        self.started_s = self._loop.time()

    def accepts(self) -> bool:
        """One create request arrives now."""
        now_s = self._loop.time()
        while self._window and self._window[0] <= now_s - WINDOW_S:
            self._window.popleft()
        if self._refuse(now_s - self.started_s) or len(self._window) >= self._limit:
            return False
        self._window.append(now_s)
        return True

    def take(self) -> None:
        """One create of somebody to whom the limit gives way."""
        self._window.append(self._loop.time())


@dataclass(slots=True)
class Sent:
    """What happened, in seconds since sending began."""

    sent_at_s: list[float] = field(default_factory=list)
    #: When requests arrived, accepted or not.
    arrived_s: list[float] = field(default_factory=list)
    passed_s: list[float] = field(default_factory=list)
    throttled_s: list[float] = field(default_factory=list)
    duration_s: float = 0.0
    stopped: DispatcherError | None = None

    def passed_between(self, first_s: float, last_s: float) -> int:
        return sum(first_s <= at < last_s for at in self.passed_s)

    def throttled_between(self, first_s: float, last_s: float) -> int:
        return sum(first_s <= at < last_s for at in self.throttled_s)

    @property
    def throttled_share(self) -> float:
        return len(self.throttled_s) / max(1, len(self.sent_at_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """Another program on the same account. It starts `ahead_s` before us."""

    per_second: float
    ahead_s: float = 0.0
    until_s: float = float("inf")
    #: Like clockwork, or at random.
    random: bool = False
    #: They get theirs, whatever is in the window.
    first: bool = False


def simulate(
    *,
    per_second: float,
    seconds: float = float("inf"),
    rows: float = float("inf"),
    latency_s: float = 0.01,
    in_flight: int = 100,
    pace: str = "even",
    headroom: float = 0.01,
    retry_after_s: float | None = None,
    refuse: Callable[[float], bool] = lambda since_s: False,
    others: Others | None = None,
    late_s: float = 0.0003,
    jitter_s: float = 0.0,
) -> Sent:
    """Send as `Sender` does, with a server that has the same limit. Timers wake `late_s` late.

    A request takes half of the latency to the server, and up to `jitter_s` more.
    """
    # The pauses' jitter: the same every time, so that a share near a bound is not met or missed by luck.
    random.seed(3)

    async def main() -> Sent:
        with virtual_time.machine_clock(asyncio.get_running_loop()):
            return await simulated()

    async def simulated() -> Sent:
        loop = asyncio.get_running_loop()
        server = ExactServer(int(per_second * WINDOW_S), refuse=refuse)
        rival = asyncio.create_task(_rival(server, others)) if others else None
        if others:
            await asyncio.sleep(others.ahead_s)
        server.started_s = loop.time()
        rate = {"per_second": per_second, "window_s": WINDOW_S, "headroom": headroom, "pace": pace}
        settings = Settings.model_validate({"rate": rate})
        sent = Sent()
        # An account of its own: what one simulation sends is nothing to the next.
        record = replace(ACCOUNT, account_sid=f"AC{next(_NUMBERS):032x}")

        def stop(error: DispatcherError) -> None:
            sent.stopped = error

        async with (
            open_account(record, settings, bus=EventBus(), stop=stop) as account,
            account.lease(EmptyLedger(), wait=False),
        ):
            await _send(sent, account, server, seconds, rows, latency_s, jitter_s, in_flight, retry_after_s)
        if rival:
            rival.cancel()
        return sent

    return virtual_time.run(main(), late_s=late_s)


async def _rival(server: ExactServer, others: Others) -> None:
    loop, chance = asyncio.get_running_loop(), random.Random(7)
    next_s = loop.time()
    while loop.time() - server.started_s < others.until_s:
        await asyncio.sleep(max(0.0, next_s - loop.time()))
        server.take() if others.first else server.accepts()
        next_s += chance.expovariate(others.per_second) if others.random else 1 / others.per_second


async def _send(
    sent: Sent,
    account: OpenAccount,
    server: ExactServer,
    seconds: float,
    rows: float,
    latency_s: float,
    jitter_s: float,
    in_flight_max: int,
    retry_after_s: float | None,
) -> None:
    loop, chance = asyncio.get_running_loop(), random.Random(11)
    limiter, breaker = await account.limiter(), account.breaker
    started_s = loop.time()
    waiting, in_flight = rows, 0
    free = asyncio.Event()
    tasks = set()

    async def one() -> None:
        nonlocal waiting, in_flight
        if breaker.state is not BreakerState.closed:
            await breaker.wait_for_turn()
        sent_at_s = loop.time()
        limiter.record_sent()
        sent.sent_at_s.append(sent_at_s - started_s)
        await asyncio.sleep(latency_s / 2 + chance.uniform(0, jitter_s))
        accepted = server.accepts()
        sent.arrived_s.append(loop.time() - started_s)
        await asyncio.sleep(latency_s / 2)
        limiter.record_answer(sent_at_s)
        if accepted:
            sent.passed_s.append(sent_at_s - started_s)
            account.answered(sent_at_s)
        else:
            sent.throttled_s.append(sent_at_s - started_s)
            waiting += 1
            account.throttled(retry_after_s, sent_at_s)
        in_flight -= 1
        free.set()

    while (waiting or in_flight) and loop.time() - started_s < seconds and sent.stopped is None:
        if not waiting or in_flight >= in_flight_max:
            free.clear()
            await free.wait()
            continue
        if breaker.state is not BreakerState.closed:
            await breaker.wait_while_open()
            if breaker.state is BreakerState.half_open and not breaker.needs_probe:
                await breaker.changed()
                continue
        is_closed = breaker.state is BreakerState.closed
        permits = await limiter.acquire(int(min(waiting, in_flight_max - in_flight)) if is_closed else 1)
        if breaker.state is BreakerState.open:
            limiter.release(permits)
            continue
        waiting -= permits
        in_flight += permits
        for _ in range(permits):
            task = asyncio.create_task(one())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
    sent.duration_s = loop.time() - started_s
    # Whoever gives the account back sends nothing more.
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
