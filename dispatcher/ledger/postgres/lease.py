"""Who plans and sends for an account: a lease in its row, by the server's clock, that ends unless it is renewed.

Each is known by a token: no claim of whoever had the account before is granted any more, woken up after however long. A
claim renews the lease in its own transaction, so that nobody can take the account between the two.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from dispatcher.errors import AccountLocked, LeaseLost, LedgerError
from dispatcher.ledger.db import Db
from dispatcher.ledger.postgres.connection import who
from dispatcher.ledger.postgres.writer import Writer
from dispatcher.ledger.records import Account
from dispatcher.remedies import Advice, AnyOf, Command, Option

logger = logging.getLogger(__name__)

#: How often somebody who waits asks again.
POLL_S = 0.2
#: Whoever waits to plan has said so for so long from now: a shift looks every two seconds.
WANTED_S = 3.0


@dataclass(slots=True)
class _Held:
    token: str
    is_wanted: bool = False


class Leases:
    """The leases of one ledger object."""

    def __init__(
        self, writer: Writer, *, lease_s: float, patience_s: float, renewed: Callable[[Db], None] = lambda db: None
    ) -> None:
        """`patience_s`: how long somebody who does not want to wait is patient: a shift makes room meanwhile.

        `renewed` is called in each transaction that renews leases.
        """
        self._renewed = renewed
        self._writer = writer
        self._lease_s = lease_s
        self._patience_s = patience_s
        self._held: dict[int, _Held] = {}
        self._renewing: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def lease(
        self,
        account: Account,
        *,
        wait: bool,
        stopped: asyncio.Event | None = None,
        waiting: Callable[[], None] | None = None,
    ) -> AsyncIterator[None]:
        """See `protocol.Ledger.lease`."""
        account_id, held = account.account_id, _Held(f"{who()}:{secrets.token_hex(8)}")
        try:
            await self._take(account_id, held, wait=wait, stopped=stopped, waiting=waiting)
        except asyncio.CancelledError:
            # It may be given all the same, and nobody would be there to have it.
            await self._give_back(account_id, held)
            raise
        self._held[account_id] = held
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            if self._held.get(account_id) is held:
                del self._held[account_id]
            await self._give_back(account_id, held)

    async def _take(
        self,
        account_id: int,
        held: _Held,
        *,
        wait: bool,
        stopped: asyncio.Event | None,
        waiting: Callable[[], None] | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        patient_until_s = loop.time() + self._patience_s
        told = False
        while not await self._writer.do(lambda db: self._taken(db, account_id, held)):
            is_stopped = stopped is not None and stopped.is_set()
            if is_stopped or not (wait or loop.time() < patient_until_s):
                holder = await self.holder(account_id)
                raise AccountLocked(
                    "another process is working for this account",
                    found=f"on {holder}" if holder else None,
                    fix=AnyOf(Advice("wait until it has finished"), Option("wait"), Command("pause", ("CAMPAIGN",))),
                )
            await self._writer.do(lambda db: db.run("lease_want", account_id=account_id, seconds=WANTED_S))
            if wait and not told and waiting is not None:
                waiting()
            told = True
            await _pause(POLL_S, stopped)

    def _taken(self, db: Db, account_id: int, held: _Held) -> bool:
        found = db.first("lease_take", account_id=account_id, holder=held.token, lease_s=self._lease_s)
        return found is not None

    async def _give_back(self, account_id: int, held: _Held) -> None:
        # What cannot be given back ends by itself.
        with contextlib.suppress(LedgerError):
            await self._writer.do(lambda db: db.run("lease_release", account_id=account_id, holder=held.token))

    async def _renew(self) -> None:
        """In times without claims: what waits, looks things up, or is planned."""
        while True:
            await asyncio.sleep(self._lease_s / 3)
            held = {one.token: one for one in self._held.values()}
            if not held:
                continue

            def work(db: Db, tokens: list[str] = list(held)) -> list[tuple[int, bool]]:  # noqa: B006 - this turn's own
                found = db.rows("lease_renew_all", holders=tokens, lease_s=self._lease_s)
                self._renewed(db)
                return [(account_id, is_wanted) for account_id, is_wanted in found]

            try:
                for account_id, is_wanted in await self._writer.do(work):
                    if account_id in self._held:
                        self._held[account_id].is_wanted = is_wanted
            except LedgerError as error:
                logger.info("leases could not be renewed: %s", error.code)

    def enter(self, db: Db, account_id: int, *, few: bool = False) -> float:
        """Be alone on the account, in a transaction, as whoever holds it; returns since when. Raises: LeaseLost.

        `few`: see `Store._do_for`.
        """
        held = self._held.get(account_id)
        if held is None:
            # Nobody's: what comes after is fenced by the epoch alone.
            db.run("account_lock", account_id=account_id, few=few)
            if db.one("lease_held", account_id=account_id)[0]:
                raise _lost()
        elif not db.run("lease_renew", account_id=account_id, holder=held.token, lease_s=self._lease_s, few=few):
            raise _lost()
        return time.monotonic()

    def leave(self, db: Db, account_id: int, since_s: float) -> None:
        """At the end of such a transaction: what has taken long must not have used the lease up."""
        held = self._held.get(account_id)
        if held is not None and time.monotonic() - since_s > self._lease_s / 6:
            db.run("lease_renew", account_id=account_id, holder=held.token, lease_s=self._lease_s, few=False)

    async def is_wanted(self, account_id: int) -> bool:
        """Whether somebody waits who is to plan for the account."""
        held = self._held.get(account_id)
        if held is not None:
            return held.is_wanted
        found = await self._writer.read(lambda db: db.one("lease_is_wanted", account_id=account_id))
        return bool(found[0])

    async def is_held(self, account_id: int) -> bool:
        """Whether anybody holds it, this ledger included."""
        return bool((await self._writer.read(lambda db: db.one("lease_held", account_id=account_id)))[0])

    async def holder(self, account_id: int) -> str | None:
        """The machine and process that hold it, for people; None: nobody does."""
        (holder,) = await self._writer.read(lambda db: db.one("lease_holder", account_id=account_id))
        return str(holder).rpartition(":")[0] if holder is not None else None

    async def close(self) -> None:
        """Renew nothing more, and give back what is still held."""
        task, self._renewing = self._renewing, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        held, self._held = self._held, {}
        for account_id, one in held.items():
            await self._give_back(account_id, one)


def _lost() -> LeaseLost:
    return LeaseLost(fix="nothing: the other run goes on with the campaign")


async def _pause(seconds: float, stopped: asyncio.Event | None) -> None:
    if stopped is None:
        await asyncio.sleep(seconds)
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopped.wait()
