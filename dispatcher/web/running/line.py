"""One account's line: campaigns take their turns one after the other, and what is short goes between two turns."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from dispatcher.campaign.turns import Came, Outcome
from dispatcher.errors import AccountLocked, DispatcherError
from dispatcher.web.running.errors import AccountBusy, MakesRoom, ServerStops
from dispatcher.web.running.standing import Entry
from dispatcher.web.running.turn import Share, Turn
from dispatcher.web.store import Draft

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: How often an account is asked for again that another program works for.
POLL_S = 2.0


class Orders(Protocol):
    """What a line asks the supervisor."""

    async def ready(self, account_id: int) -> Sequence[Entry]:
        """Whose turn it is, in order."""

    async def ended(self, entry: Entry, outcome: Outcome) -> None:
        """A turn has come to this; never raises."""


class Line:
    """The line of one account. `run` until `stop`."""

    def __init__(
        self, account_id: int, orders: Orders, share: Share, make: Callable[[Draft, Share], Turn] | None = None
    ) -> None:
        """`make`: another kind of turn."""
        self.account_id = account_id
        self.turn: Turn | None = None
        #: How many have been taken.
        self.turns = 0
        #: What the first of them waits for; None: for nothing but its turn.
        self.waits_for: str | None = None
        self._orders = orders
        self._share = share
        self._make = make
        self._free = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._stopping = False
        #: How many wait to go before the next turn.
        self._interrupting = 0
        #: Whose turn came to its end just now: the same one waits a moment before it is taken again.
        self._before: int | None = None

    def wake(self) -> None:
        """Something has changed."""
        self._wanted.set()

    def stop(self, *, hard: bool = False) -> None:
        """Take no more turns, and have the one that is taken end."""
        self._stopping = True
        if self.turn is not None:
            self.turn.stop(ServerStops(), hard=hard)
        self.wake()

    async def run(self) -> None:
        """Take turns until `stop`."""
        while not self._stopping:
            self._wanted.clear()
            try:
                if await self._one_turn():
                    continue
            except DispatcherError as error:
                # A ledger that cannot be read now: it is asked for again.
                logger.warning("the line of an account stands still: %s", error.code)
            except Exception:
                logger.exception("a bug in an account's line")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._wanted.wait()

    async def _one_turn(self) -> bool:
        """Take a turn if it is somebody's; whether the next may be taken at once."""
        # Fair: who waits for a turn to end comes before the next turn.
        async with self._free:
            entries = await self._orders.ready(self.account_id)
            if not entries or self._stopping:
                self.waits_for = self._before = None
                return False
            entry = entries[0]
            if self._interrupting:
                return True
            if self._before == entry.campaign_id:
                self._before = None
                return False
            self.turn, self.turns = (self._make or Turn)(entry.draft, self._share), self.turns + 1
            try:
                outcome = await self.turn.run()
            finally:
                self.turn = None
            self.waits_for = _sentence(outcome.error) if outcome.came is Came.locked else None
            self._before = entry.campaign_id
            await self._orders.ended(entry, outcome)
        return outcome.came is not Came.locked

    @contextlib.asynccontextmanager
    async def between(self, *, interrupts: bool, give_up_s: float) -> AsyncIterator[None]:
        """Have the account between two turns, of this server at least. `interrupts` the turn that is taken.

        That one goes on afterwards. Raises: AccountBusy, naming it, where it was not free for so long.
        """
        turn = self.turn
        if turn is not None and interrupts:
            turn.stop(MakesRoom())
        self._interrupting += interrupts
        try:
            async with asyncio.timeout(give_up_s):
                await self._free.acquire()
        except TimeoutError:
            name = turn.draft.name if turn is not None else ""
            raise AccountBusy(found=f"{name!r} is being sent" if name else None) from None
        finally:
            self._interrupting -= interrupts
        try:
            yield
        finally:
            self._free.release()
            self.wake()


def _sentence(error: DispatcherError | None) -> str:
    return error.message if error is not None else ""


async def polled(work: Callable[[], Awaitable[T]], *, give_up_s: float) -> T:
    """The work's result; while another program works for the account it is tried again, for so long.

    Raises: AccountBusy; what the work raises.
    """
    end_s = asyncio.get_running_loop().time() + give_up_s
    while True:
        try:
            return await work()
        except AccountLocked as error:
            if asyncio.get_running_loop().time() + POLL_S > end_s:
                raise AccountBusy(error.message, found=error.found) from None
        await asyncio.sleep(POLL_S)
