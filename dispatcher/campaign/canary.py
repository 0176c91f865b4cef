"""The canary of a run: some rows go first, the others follow once it is seen what became of those."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from dispatcher.campaign.context import CampaignContext
from dispatcher.campaign.stop import StopRequest
from dispatcher.campaign.tracking import track
from dispatcher.clock import now_ms
from dispatcher.errors import StudioError
from dispatcher.events import EventBus, WaitKind
from dispatcher.ledger.records import Run
from dispatcher.ledger.wishes import refusal
from dispatcher.model import Pause, PausedBy
from dispatcher.plurals import counted
from dispatcher.rules.canary import LOOKS_MAX, judge
from dispatcher.sending.feeder import DUE_POLL_S
from dispatcher.sending.timing import Timing

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """What a run does for its canary."""

    #: Sends what can be claimed, so many rows at most (None: all), waiting for no other; whether the run goes on.
    send: Callable[[int | None], Awaitable[bool]]
    #: Looks up rows left unknown; whether the run goes on.
    resolve: Callable[[], Awaitable[bool]]
    #: How many rows the run may still send; None: all.
    remaining: Callable[[], int | None]


class CanaryOfRun:
    """Sends the canary and looks what became of it; where an earlier run has begun with that, goes on from there."""

    def __init__(
        self,
        context: CampaignContext,
        stop: StopRequest,
        run: Run,
        timing: Timing,
        input_id: int | None,
        *,
        wait_max_s: float,
    ) -> None:
        """`wait_max_s`: rows that may be sent only later than this are left to another run."""
        self._context = context
        self._canaries = context.ledger.canaries
        self._settings = context.settings.canary
        self._stop = stop
        self._run = run
        self._timing = timing
        self._input_id = input_id
        self._wait_max_s = wait_max_s
        #: When the first row may be sent, where none of them may be sent soon.
        self.next_at_ms: int | None = None

    async def let_go(self, planned: Callable[[], Awaitable[int]], rounds: Rounds) -> bool:
        """Whether the other rows may go: there is no canary, or it has passed. False: the run has nothing more to do.

        `planned`: how many rows wait. Raises: LedgerError; StudioError, AuthenticationError, FlowNotFound, where the
        canary's executions cannot be read; why it was stopped.
        """
        rows = await planned()
        if self._settings.rows and rows > self._settings.rows:
            await self._canaries.begin(self._run, self._settings.rows)
        found = await self._canaries.of(self._run.campaign)
        if found is None or found.is_settled or not rows:
            return True
        if found.sent_at_ms is None:
            if not await self._send(found.wanted, planned, rounds):
                return False
            await self._canaries.sent(self._run, now_ms())
        return await self._watch(rounds)

    async def _send(self, wanted: int, planned: Callable[[], Awaitable[int]], rounds: Rounds) -> bool:
        """Whether the canary is sent."""
        before: tuple[int, int] | None = None
        while True:
            chosen = await self._canaries.choose(
                self._run,
                most=rounds.remaining(),
                input_id=self._input_id,
                gate=self._timing.gate(),
                now_ms=now_ms(),
            )
            now = (chosen.sent, await planned())
            if chosen.to_send and now != before:
                before = now
                # Whoever is left out, or busy, has others in his place.
                if not await rounds.send(rounds.remaining()):
                    return False
            elif chosen.sent:
                # The run's limit comes first; those that cannot go now do not make the others wait.
                return chosen.sent >= wanted or rounds.remaining() != 0
            elif rounds.remaining() == 0 or not await self._until_due():
                return False

    async def _until_due(self) -> bool:
        """Wait until a row may be sent; False: that is not soon, or never."""
        due = await self._timing.next_due()
        if due is None:
            return False
        due_ms, remaining_s = due
        if remaining_s > self._wait_max_s:
            self.next_at_ms = due_ms
            return False
        return await self._wait(WaitKind.due, "the next row may be sent later", min(max(1.0, remaining_s), DUE_POLL_S))

    async def _watch(self, rounds: Rounds) -> bool:
        """Whether it has passed."""
        while True:
            found = await self._canaries.of(self._run.campaign)
            if found is None or found.is_settled:
                return True
            fates = await self._canaries.fates(self._run.campaign)
            wait_ms = self._settings.wait_min * MINUTE_MS
            # A clock that was set back makes nobody wait for longer.
            rest_ms = min((found.sent_at_ms or 0) + wait_ms * (found.looks + 1) - now_ms(), wait_ms)
            reason = f"canary: {counted(len(fates), 'row')} sent, looked at then"
            if rest_ms > 0 and not await self._wait(WaitKind.canary, reason, rest_ms / 1000):
                return False
            if not await rounds.resolve():
                return False
            await self._look()
            if self._stop.error is not None:
                return False
            fates = await self._canaries.fates(self._run.campaign)
            verdict = judge(
                fates.values(),
                max_failed=self._settings.max_failed,
                max_opted_out=self._settings.max_opted_out,
                is_last=found.looks + 1 >= LOOKS_MAX,
            )
            if verdict is None:
                await self._canaries.looked(self._run)
                continue
            pause = None if verdict.passed else Pause(at_ms=now_ms(), by=PausedBy.canary, reason=verdict.numbers)
            held = await self._canaries.settle(self._run, pause)
            if held is not None:
                self._stop.request(refusal(self._run.campaign.name, held))
            return held is None

    async def _look(self) -> None:
        """Track the canary's executions. What cannot be read now is the next time, as too little is known then."""
        fates = await self._canaries.fates(self._run.campaign)
        # Whoever looks on sees the sending.
        quiet = replace(self._context, bus=EventBus())
        with contextlib.suppress(StudioError):
            await track(quiet, self._stop, details=True, follow=False, only=fates.keys())

    async def _wait(self, kind: WaitKind, reason: str, wait_s: float) -> bool:
        """Whether the run goes on afterwards."""
        bus = self._context.bus
        bus.wait(kind, reason, wait_s)
        try:
            return not await self._stop.sleep(wait_s)
        finally:
            bus.resume(kind)
