"""The circuit breaker that everything to an account passes: after a 429, without a connection, after many failures.

    closed     traffic flows
    open       nothing leaves: a pause
    half open  the pause is over: one create goes first, the probe; the others follow once it gets a definite answer

Creates and reads share it, so that one 429 quiets the whole program instead of each worker finding out by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from enum import Enum

from dispatcher.errors import BreakerOpen, StoppedEarly
from dispatcher.events import WaitKind
from dispatcher.plurals import counted
from dispatcher.remedies import Advice, AnyOf, Command, InTurn, Option, Setting
from dispatcher.sending.borrowers import Borrowers
from dispatcher.sending.retry import after_throttle, pauses
from dispatcher.settings import RetrySettings

#: Refusals with one code, one after the other from a run's start, that stop it: the sender or the flow is wrong, not
#: the rows.
SAME_REFUSALS_MAX = 50

_RESUME_LATER = Command("resume", ("CAMPAIGN",), does="later")


class BreakerState(Enum):
    """Whether creates may leave."""

    closed = "closed"
    open = "open"
    half_open = "half_open"


class Turn:
    """The right to send the probe; ended once it has its answer, or will never have one."""


class Breaker:
    """One account's breaker; its state changes in the running loop only. Times are that loop's, in seconds."""

    def __init__(self, settings: RetrySettings, borrowers: Borrowers, *, window_s: float) -> None:
        """`window_s`: the window of the account's limit."""
        self._loop = asyncio.get_running_loop()
        self._borrowers = borrowers
        self.state = BreakerState.closed
        self._opened_at_s = 0.0
        self._until_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._told: WaitKind | None = None
        self._probe: Turn | None = None
        #: Creates that wait for the probe's answer, or to be the next probe.
        self._waiters = 0
        self._changed = asyncio.Event()
        self._throttle_pauses: Iterator[float] | None = None
        self._failures = 0
        self._connect_failures = 0
        self._throttled_since_s: float | None = None
        self.follow(settings, window_s=window_s)

    def follow(self, settings: RetrySettings, *, window_s: float) -> None:
        """From now on these settings count: those of whoever sends."""
        self._settings = settings
        # A window after the last request there is room again, so that a longer pause would only lose time.
        self._throttle_pause_max_s = min(settings.backoff_max_s, window_s)
        self._failure_pauses = pauses(settings.backoff_base_s, settings.backoff_max_s)

    def close(self) -> None:
        """Forget the pause: nobody uses the account any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._resume()

    def take_over(self, pause_s: float) -> None:
        """Begin with the pause of whoever sent before."""
        self._open_for(pause_s, WaitKind.throttled, "Studio answered 429, too many requests, to whoever sent before")

    @property
    def throttled_for_s(self) -> float:
        """So long from now a pause after a 429 holds; 0: there is none."""
        if self.state is not BreakerState.open or self._told is not WaitKind.throttled:
            return 0.0
        return max(0.0, self._until_s - self._loop.time())

    # --- waiting ---

    async def wait_while_open(self) -> None:
        """Block while nothing may leave. Enough for reads."""
        while self.state is BreakerState.open:
            await self.changed()

    async def wait_for_turn(self) -> Turn | None:
        """Block until a create may be sent.

        After a pause one probe goes first; the others follow once it gets a definite answer. Whoever gets a `Turn` is
        the probe, and ends it (`end_turn`) whatever becomes of it.
        """
        self._waiters += 1
        try:
            while True:
                await self.wait_while_open()
                if self.state is BreakerState.closed:
                    return None
                if self._probe is None:
                    self._probe = Turn()
                    return self._probe
                await self.changed()
        finally:
            self._waiters -= 1

    def may_send(self, turn: Turn | None) -> bool:
        """Whether a create may be sent now, by whoever has this turn or none."""
        state = self.state
        return state is BreakerState.closed or (
            state is BreakerState.half_open and turn is not None and turn is self._probe
        )

    def end_turn(self, turn: Turn) -> None:
        """The probe's fate is known, or will never be: where it proved nothing, another may go."""
        if self._probe is turn:
            self._probe = None
            self._changed.set()

    @property
    def needs_probe(self) -> bool:
        """Whether it takes a create to find out how things are, and none is on its way."""
        return self.state is BreakerState.half_open and self._probe is None and not self._waiters

    async def changed(self) -> None:
        """Return when a pause has begun or ended, or the probe has its answer or is lost."""
        self._changed.clear()
        await self._changed.wait()

    # --- learning ---

    def answered(self, sent_at_s: float) -> None:
        """A create that was sent at `sent_at_s` got a definite answer: neither 429 nor failure."""
        self._failures = self._connect_failures = 0
        if self.state is BreakerState.half_open and sent_at_s >= self._opened_at_s:
            self.state = BreakerState.closed
            self._probe = None
            self._changed.set()
            self._begin_anew()

    def throttled(self, retry_after_s: float | None, sent_at_s: float) -> bool:
        """A 429 to a create that was sent at `sent_at_s`.

        False: it was sent before the present pause began, and is its echo. It changes nothing.
        """
        now_s = self._loop.time()
        self._failures = self._connect_failures = 0
        if sent_at_s < self._opened_at_s:
            return False
        give_up_s = self._settings.throttled_give_up_s
        if self._throttle_pauses is None:
            self._throttle_pauses = pauses(self._settings.backoff_base_s, self._throttle_pause_max_s)
        pause_s = after_throttle(retry_after_s, next(self._throttle_pauses))
        if self._throttled_since_s is None:
            self._throttled_since_s = now_s
        if retry_after_s is not None and retry_after_s > give_up_s:
            # Who goes on all the same asks again some day.
            pause_s = give_up_s
            self._stop_all(
                StoppedEarly(
                    "Studio wants nothing for longer than anybody should wait",
                    found=f"429 with Retry-After {retry_after_s:.0f} s",
                    fix=_RESUME_LATER,
                )
            )
        elif now_s - self._throttled_since_s > give_up_s:
            self._stop_all(
                StoppedEarly(
                    f"Studio has answered nothing but 429 for {now_s - self._throttled_since_s:.0f} s",
                    fix=AnyOf(Setting("rate.per_second"), _RESUME_LATER),
                )
            )
        self._open_for(pause_s, WaitKind.throttled, _throttle_reason(retry_after_s))
        return True

    def read_throttled(self, retry_after_s: float | None) -> None:
        """A 429 to a read. Whoever reads backs off by itself, too; and it says nothing about the rate of creates."""
        self._failures = self._connect_failures = 0
        # A pause without end would be ended by the next create's answer.
        pause_s = min(after_throttle(retry_after_s, self._settings.backoff_base_s), self._settings.throttled_give_up_s)
        self._open_for(pause_s, WaitKind.throttled, _throttle_reason(retry_after_s))

    def failed(self, summary: str, *, connected: bool) -> None:
        """A create without a definite answer. `connected` off: it never left.

        Too many, one after the other, stop everybody; without a connection each would fail, so each is a pause.
        """
        settings, is_open = self._settings, self.state is BreakerState.open
        self._failures += 1
        if not connected:
            if not is_open:
                self._connect_failures += 1
                n = self._connect_failures
                if n >= settings.connect_attempts:
                    self._stop_all(_too_many(f"{counted(n, 'attempt')} to connect failed", summary))
                self._open_for(next(self._failure_pauses), WaitKind.failures, f"Studio cannot be reached: {summary}")
        elif self._failures >= settings.breaker_failures:
            self._stop_all(_too_many(f"{self._failures} consecutive requests failed", summary))
        elif self._failures >= settings.breaker_failures // 2 and not is_open:
            reason = f"{self._failures} consecutive requests failed, the last: {summary}"
            self._open_for(next(self._failure_pauses), WaitKind.failures, reason)
        elif self.state is BreakerState.half_open:
            # The probe proved nothing: the next may go.
            self._probe = None
            self._changed.set()

    def _stop_all(self, error: StoppedEarly) -> None:
        self._borrowers.stop(error)
        # Whoever begins anew afterwards is not stopped for what was before.
        self._failures = self._connect_failures = 0
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._throttled_since_s = None
        self._throttle_pauses = None
        self._failure_pauses = pauses(self._settings.backoff_base_s, self._settings.backoff_max_s)

    # --- pauses ---

    def _open_for(self, pause_s: float, kind: WaitKind, reason: str) -> None:
        now_s = self._loop.time()
        was_open = self.state is BreakerState.open
        self._opened_at_s = now_s
        self.state = BreakerState.open
        self._probe = None
        self._changed.set()
        if was_open and now_s + pause_s <= self._until_s:
            return  # the pause that is on lasts longer
        self._until_s = now_s + pause_s
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._until_s, self._half_open)
        if self._told is not kind:
            self._resume()
        self._told = kind
        self._borrowers.wait(kind, reason, pause_s)

    def _half_open(self) -> None:
        self._timer = None
        self.state = BreakerState.half_open
        self._changed.set()
        self._resume()

    def _resume(self) -> None:
        if self._told is not None:
            self._borrowers.resume(self._told)
            self._told = None


class SameRefusals:
    """Where the first rows of a run are all refused for one reason, the fault is not theirs."""

    def __init__(self, campaign: str) -> None:
        self._campaign = campaign
        self._code: int | None = None
        self._n = 0
        #: Off once an answer has shown that it is the rows.
        self.watching = True

    def refused(self, code: int | None, summary: str) -> BreakerOpen | None:
        """A row was refused; returns the error that stops the run, if it does."""
        if self._n and code != self._code:
            self.watching = False
            return None
        self._code = code
        self._n += 1
        if self._n < SAME_REFUSALS_MAX:
            return None
        return BreakerOpen(
            f"Studio refused the first {counted(self._n, 'row')} for the same reason",
            found=summary,
            fix=InTurn(
                Advice("correct the sender or the flow"),
                Command("retry", (self._campaign,), (Option("all-rejected"),)),
                Command("resume", (self._campaign,)),
            ),
        )

    def created(self) -> None:
        """A row was created: it is the rows."""
        self.watching = False


def _throttle_reason(retry_after_s: float | None) -> str:
    why = f"Retry-After {retry_after_s:g} s" if retry_after_s is not None else "backing off"
    return f"Studio answered 429, too many requests ({why})"


def _too_many(what: str, last: str) -> BreakerOpen:
    fix = InTurn(Advice("check the network and Studio's status page"), Command("resume", ("CAMPAIGN",)))
    return BreakerOpen(f"{what}; sending stopped", found=last, fix=fix)
