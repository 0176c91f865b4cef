"""One account, one owner: its lease, its limiter and its breaker, shared by all that works for it in this process.

    open_account(record, …)       run, track, recall, reconcile, test send: each borrows the account
      └─ account.lease(ledger)    one at a time, in this process and beside it: whoever plans and sends
           └─ account.limiter()   made once per lease, from what the ledger says was sent in the last window

The breaker belongs to all: a 429 to one quiets the reads and creates of each, and what stops one stops each.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import zip_longest
from typing import Protocol
from weakref import WeakKeyDictionary

from dispatcher.clock import now_ms
from dispatcher.errors import AccountLocked, AuthenticationError, DispatcherError
from dispatcher.events import EventBus, RateChanged, WaitKind
from dispatcher.ledger.account_files import account_file
from dispatcher.ledger.identity import canonical_sid
from dispatcher.ledger.records import Account, AccountLimits
from dispatcher.remedies import Advice, AnyOf, Option
from dispatcher.sending.borrowers import Borrower, Borrowers
from dispatcher.sending.breaker import Breaker
from dispatcher.sending.departures import Departures, open_departures
from dispatcher.sending.gate import ReadGate
from dispatcher.sending.limiter import CLAIM_S, SHARED_CLAIM_S, Limiter, Past
from dispatcher.settings import Settings


class Leasing(Protocol):
    """What an account needs of a ledger."""

    def lease(
        self,
        account: Account,
        *,
        wait: bool,
        stopped: asyncio.Event | None = None,
        waiting: Callable[[], None] | None = None,
    ) -> AbstractAsyncContextManager[None]:
        """Hold the account against other processes; see `ledger.protocol.Ledger.lease`."""

    async def departures(self, account: Account, *, since_ms: int, now_ms: int) -> list[int]:
        """When create requests of the account were sent since then, in ms, ascending."""

    async def has_sent(self, account: Account) -> bool:
        """Whether anything was ever sent for the account by this ledger."""

    async def account_limits(self, account: Account) -> AccountLimits:
        """What 429s have left of the account's rate."""

    @property
    def is_shared(self) -> bool:
        """Whether whoever sends for the account, from whatever machine, does it by this ledger."""


class _Shared:
    """What all borrowers of one account have in common."""

    def __init__(self, settings: Settings) -> None:
        self.borrowers = Borrowers()
        self.breaker = Breaker(settings.retry, self.borrowers, window_s=settings.rate.window_s)
        self.holder: OpenAccount | None = None
        #: Set, and replaced by a new one, when the lease is given back.
        self.freed = asyncio.Event()
        self.limiter: Limiter | None = None
        self.making_limiter = asyncio.Lock()
        self.is_checked = False


#: The accounts that are open, by loop: its objects are of no use in another.
_open_accounts: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], _Shared]] = WeakKeyDictionary()


@contextlib.asynccontextmanager
async def open_account(
    record: Account, settings: Settings, *, bus: EventBus, stop: Callable[[DispatcherError], None]
) -> AsyncIterator[OpenAccount]:
    """Borrow an account: share its breaker, lease and limiter with all that has it open in this loop.

    `bus` hears what the account waits for, `stop` is called with what must stop everybody (429s without end, failures
    one after the other).
    """
    accounts = _open_accounts.setdefault(asyncio.get_running_loop(), {})
    key = (record.account_sid, record.base_url)
    shared = accounts.get(key)
    if shared is None:
        shared = accounts[key] = _Shared(settings)
    borrower = Borrower(bus, stop)
    shared.borrowers.join(borrower)
    try:
        yield OpenAccount(record, settings, shared, bus)
    finally:
        shared.borrowers.leave(borrower)
        if not shared.borrowers:
            shared.breaker.close()
            del accounts[key]


class OpenAccount:
    """An account as one borrower has it. Made by `open_account`."""

    def __init__(self, record: Account, settings: Settings, shared: _Shared, bus: EventBus) -> None:
        self.record = record
        self.breaker = shared.breaker
        self._settings = settings
        self._shared = shared
        self._bus = bus
        self._ledger: Leasing | None = None
        #: What ends with the lease.
        self._leased: contextlib.AsyncExitStack | None = None

    # --- the lease ---

    @contextlib.asynccontextmanager
    async def lease(self, ledger: Leasing, *, wait: bool, stopped: asyncio.Event | None = None) -> AsyncIterator[None]:
        """Hold the account: one campaign at a time plans and sends for it, in this process and on this ledger.

        Raises: AccountLocked where somebody else holds it, or, with `wait`, once `stopped` is set meanwhile;
        LedgerError.
        """
        shared, bus = self._shared, self._bus
        try:
            await self._take_turn(wait=wait, stopped=stopped)
        finally:
            bus.resume(WaitKind.account)
        try:
            async with contextlib.AsyncExitStack() as stack:
                try:
                    await stack.enter_async_context(
                        ledger.lease(
                            self.record,
                            wait=wait,
                            stopped=stopped,
                            waiting=lambda: bus.wait(
                                WaitKind.account, "another process is sending for this account", None
                            ),
                        )
                    )
                finally:
                    bus.resume(WaitKind.account)
                self._ledger, self._leased = ledger, stack
                shared.breaker.follow(self._settings.retry, window_s=self._settings.rate.window_s)
                yield
        finally:
            self._ledger = self._leased = shared.limiter = shared.holder = None
            freed, shared.freed = shared.freed, asyncio.Event()
            freed.set()

    async def _take_turn(self, *, wait: bool, stopped: asyncio.Event | None) -> None:
        """Become the holder among those of this process."""
        shared = self._shared
        while shared.holder is not None:
            locked = AccountLocked(
                "this program already works for this account",
                found="another campaign of the account is open for sending in this process",
                fix=AnyOf(Advice("wait until that has finished"), Option("wait")),
            )
            if not wait:
                raise locked
            self._bus.wait(WaitKind.account, "another campaign of this program works for this account", None)
            if await _first_of(shared.freed, stopped) is stopped:
                raise locked
        shared.holder = self

    async def limiter(self) -> Limiter:
        """The lease's limiter; the first call makes it. Raises: LedgerError."""
        ledger, leased, shared = self._ledger, self._leased, self._shared
        if ledger is None or leased is None:
            raise RuntimeError("permits are for whoever holds the account's lease")
        async with shared.making_limiter:
            if shared.limiter is None:
                path = account_file(self.record.account_sid, self.record.base_url, "departures")
                # Not with the lease: who sends nothing must not take what an older program sent for known.
                departures = leased.enter_context(open_departures(path, window_s=self._settings.rate.window_s))
                shared.limiter = await self._make_limiter(ledger, departures)
            return shared.limiter

    async def _make_limiter(self, ledger: Leasing, departures: Departures) -> Limiter:
        rate = self._settings.rate
        history = departures.history
        window_s = max(rate.window_s, history.longer_window_s)
        asked_ms = now_ms()
        known_ms = await ledger.departures(self.record, since_ms=asked_ms - int(window_s * 1000), now_ms=asked_ms)
        # Where all machines send by this ledger, what this one knows by itself adds nothing but what cannot be dated.
        undated_for_s = 0.0 if ledger.is_shared else history.undated_for_s
        if not ledger.is_shared and not history.found and await ledger.has_sent(self.record):
            # An older program, another machine, a file that is gone: of what left just now only the ledger knows.
            undated_for_s = rate.window_s
        limits = await ledger.account_limits(self.record)
        if limits.hold_until_ms is not None and (hold_s := (limits.hold_until_ms - asked_ms) / 1000) > 0:
            # A clock that was set must not make it longer than the longest that there is.
            self.breaker.take_over(min(hold_s, self._settings.retry.throttled_give_up_s))
        now_s = asyncio.get_running_loop().time()
        return Limiter(
            per_second=rate.per_second,
            window_s=rate.window_s,
            headroom=rate.unused_share,
            pace=rate.pace,
            past=Past(
                sent_at_s=[now_s - age_s for age_s in _newer(history.ages_s, known_ms, asked_ms)],
                spread_s=history.spread_s,
                undated_until_s=now_s + undated_for_s if undated_for_s else 0.0,
                ceiling_per_s=limits.ceiling_per_s,
                longer_window_s=history.longer_window_s,
                longer_until_s=now_s + history.longer_for_s if history.longer_for_s else 0.0,
            ),
            arrivals=True,
            departures=departures,
            claim_s=SHARED_CLAIM_S if ledger.is_shared else CLAIM_S,
            bus=self._bus,
        )

    # --- whose it is ---

    @property
    def is_checked(self) -> bool:
        """Whether Studio has said that the credentials are this account's."""
        return self._shared.is_checked

    def check_owner(self, account_sid: str | None) -> None:
        """`account_sid`: whose the flow is, as Studio says to these credentials; None: it does not say.

        The limit, the lock and what is remembered of contacts are the account's, by its SID: a key of another account
        would send past them. Raises: AuthenticationError.
        """
        if account_sid is None:
            return
        if canonical_sid(account_sid) != canonical_sid(self.record.account_sid):
            raise AuthenticationError(
                "the credentials are another account's than the account SID says",
                found=f"Studio answers for {account_sid}, the account SID is {self.record.account_sid}",
                fix=Advice("account SID, API key and API secret must be of one account; a profile has its own"),
            )
        self._shared.is_checked = True

    # --- reads ---

    def gate(self, *, per_second: float | None = None) -> ReadGate:
        """What reads wait at (`studio.client.Gate`). `per_second`: the most of them; None: no limit of their own."""
        return ReadGate(self.breaker, per_second=per_second)

    # --- what creates have come to ---

    def answered(self, sent_at_s: float) -> None:
        """A create that was sent at `sent_at_s` (the loop's clock) got a definite answer: neither 429 nor failure."""
        self.breaker.answered(sent_at_s)
        limiter = self._shared.limiter
        if limiter is not None and limiter.passed():
            self._tell_rate(limiter, "recovering")

    def throttled(self, retry_after_s: float | None, sent_at_s: float) -> None:
        """It was answered 429: pause, and take less of the limit."""
        limiter = self._shared.limiter
        if self.breaker.throttled(retry_after_s, sent_at_s) and limiter is not None and limiter.refused(sent_at_s):
            self._tell_rate(limiter, "429")

    def failed(self, summary: str, *, connected: bool) -> None:
        """It got no definite answer. `connected` off: it never left. `summary`: what happened, for people."""
        self.breaker.failed(summary, connected=connected)

    def _tell_rate(self, limiter: Limiter, reason: str) -> None:
        self._shared.borrowers.emit(RateChanged(rate_per_s=limiter.rate_per_s, reason=reason))


def _newer(ages_s: Sequence[float], known_ms: Sequence[int], asked_ms: int) -> list[float]:
    """Ages of what was sent, oldest first, by two accounts of it: one from the newest, each where it was later.

    What only one of them knows is in it, too. Both are ascending in time.
    """
    by_ledger = [(asked_ms - at_ms) / 1000 for at_ms in known_ms]
    pairs = zip_longest(reversed(ages_s), reversed(by_ledger), fillvalue=math.inf)
    return [min(pair) for pair in pairs][::-1]


async def _first_of(event: asyncio.Event, other: asyncio.Event | None) -> asyncio.Event:
    """Wait for either; the one that was set, the second where both were."""
    waits = [asyncio.create_task(item.wait()) for item in (event, other) if item is not None]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waits:
            task.cancel()
    return other if other is not None and other.is_set() else event
