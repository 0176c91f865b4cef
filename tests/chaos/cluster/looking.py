"""The ledger as a trial looks at it while it goes on: who holds what, what has left, and how long nothing did."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.chaos.cluster.plan import Tally
from tests.support.postgres import connected

LOOK_S = 0.1
#: What happened before and in a take-over that took longer is told.
TOLD_S = 11.0
#: The newest intent of each account is that of its newest run that has any.
_ACCOUNTS = """
SELECT a.account_id, a.account_sid, CASE WHEN a.lease_until > clock_timestamp() THEN a.holder END,
  m.run_id, m.attempt_id, (SELECT max(run_id) FROM runs WHERE account_id = a.account_id),
  (SELECT coalesce(sum(t.n) FILTER (WHERE t.state = 'planned' AND c.due_ms IS NOT NULL AND c.wish = 'send'), 0)
   FROM campaigns AS c JOIN inputs AS i USING (campaign_id) JOIN tallies AS t ON t.input_id = i.input_id
   WHERE c.account_id = a.account_id)::bigint
FROM accounts AS a LEFT JOIN LATERAL (
  SELECT r.run_id, t.attempt_id FROM runs AS r
    CROSS JOIN LATERAL (SELECT attempt_id FROM attempts WHERE run_id = r.run_id ORDER BY attempt_id DESC LIMIT 1) AS t
  WHERE r.account_id = a.account_id ORDER BY r.run_id DESC LIMIT 1) AS m ON true
"""
#: A holder is `host:process:token`.
_OPEN = """
SELECT c.name, c.wish, c.wished_by, c.wish_reason, c.due_ms IS NOT NULL,
  coalesce(sum(t.n) FILTER (WHERE t.state = 'planned'), 0)::bigint,
  coalesce(sum(t.n) FILTER (WHERE t.state = 'sending'), 0)::bigint,
  coalesce(sum(t.n) FILTER (WHERE t.state = 'unknown'), 0)::bigint
FROM campaigns AS c LEFT JOIN inputs AS i ON i.campaign_id = c.campaign_id AND i.ready_at_ms IS NOT NULL
  LEFT JOIN tallies AS t ON t.input_id = i.input_id
GROUP BY c.campaign_id ORDER BY c.campaign_id
"""


@dataclass(frozen=True)
class Account:
    """How one stands."""

    account_id: int
    account_sid: str
    holder: str | None
    run_id: int | None
    attempt_id: int | None
    #: The newest run, which may have sent nothing yet.
    newest_run: int | None
    #: Rows that somebody is to send now.
    planned: int

    @property
    def pid(self) -> int:
        """Whose the lease is; 0: nobody's."""
        return int(self.holder.rsplit(":", 2)[1]) if self.holder else 0


@dataclass(frozen=True)
class CampaignNow:
    """How one stands."""

    name: str
    wish: str
    wished_by: str
    reason: str | None
    is_ordered: bool
    planned: int
    sending: int
    unknown: int

    @property
    def is_open(self) -> bool:
        """Whether something is left to send, or somebody is to."""
        return bool(self.planned or self.sending or self.is_ordered)


@dataclass
class _Pending:
    """An account that had lost its sender."""

    kind: str
    since_s: float
    run_id: int | None
    attempt_id: int | None
    is_disturbed: bool = False


class Looking:
    """Looks at a ledger, on a connection of its own, again and again; what it saw last stays readable."""

    def __init__(self, url: str, tally: Tally) -> None:
        self._url = url
        self._tally = tally
        self._connection: psycopg.Connection[Any] | None = None
        self._alone = asyncio.Lock()
        self._pending: dict[int, _Pending] = {}
        self._task: asyncio.Task[None] | None = None
        self.accounts: list[Account] = []
        self.seen_s = 0.0
        #: What has happened lately, and when: told of a take-over that took long.
        self._events: deque[tuple[float, str]] = deque(maxlen=60)

    async def __aenter__(self) -> Looking:
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        async with self._alone:
            if self._connection is not None:
                await asyncio.to_thread(self._connection.close)

    async def query(self, text: str, *values: Any) -> list[tuple[Any, ...]] | None:
        """The rows; None: the server is not there."""
        async with self._alone:
            return await asyncio.to_thread(self._query, text, values)

    async def rows(self, text: str, *values: Any, within_s: float = 30.0) -> list[tuple[Any, ...]]:
        """The rows, once the server is there. Raises: TimeoutError."""
        end_s = time.monotonic() + within_s
        while (found := await self.query(text, *values)) is None:
            if time.monotonic() > end_s:
                raise TimeoutError("the server is away")
            await asyncio.sleep(LOOK_S)
        return found

    async def campaigns(self) -> list[CampaignNow]:
        """Every one. Raises: TimeoutError."""
        return [CampaignNow(*row) for row in await self.rows(_OPEN)]

    def holders(self) -> list[Account]:
        """The accounts that are held, and have something to send."""
        return [account for account in self.accounts if account.holder and account.planned]

    def lost(self, kind: str, accounts: Iterable[Account]) -> None:
        """Their sender is gone, from now on; whoever had lost it before is not counted."""
        now_s = time.monotonic()
        for account in accounts:
            if account.planned:
                before = self._pending.get(account.account_id)
                self._pending[account.account_id] = _Pending(
                    kind, now_s, account.newest_run, account.attempt_id, before is not None
                )

    def note(self, text: str) -> None:
        """Something has happened."""
        self._events.append((time.monotonic(), text))

    def disturb(self) -> None:
        """Something else has happened: what nobody sends now says nothing of how soon another takes over."""
        for one in self._pending.values():
            one.is_disturbed = True

    def _query(self, text: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]] | None:
        try:
            if self._connection is None or self._connection.closed:
                self._connection = connected(self._url)
                self._connection.execute("SET statement_timeout = '10s'")
            return self._connection.execute(text.encode(), values or None).fetchall()
        except (psycopg.OperationalError, psycopg.InterfaceError):
            if self._connection is not None:
                with contextlib.suppress(psycopg.Error):
                    self._connection.close()
                self._connection = None
            return None

    async def _look(self) -> None:
        while True:
            found = await self.query(_ACCOUNTS)
            if found is not None:
                before = {account.account_id: account.holder for account in self.accounts}
                self.accounts, self.seen_s = [Account(*row) for row in found], time.monotonic()
                for account in self.accounts:
                    if account.holder != before.get(account.account_id):
                        self.note(f"account {account.account_id} is held by {account.holder}")
                    self._judge(account)
            await asyncio.sleep(LOOK_S)

    def _judge(self, account: Account) -> None:
        pending = self._pending.get(account.account_id)
        if pending is None:
            return
        if account.attempt_id == pending.attempt_id:
            if not account.planned and not account.holder:
                # Paused, cancelled, done.
                del self._pending[account.account_id]
            return
        # What had been under way when its sender died is no failover; a server comes back to those who are there.
        is_another = account.run_id is not None and account.run_id > (pending.run_id or 0)
        if not is_another and not pending.kind.startswith("PostgreSQL"):
            return
        del self._pending[account.account_id]
        if pending.is_disturbed:
            return
        took_s = time.monotonic() - pending.since_s
        self._tally.failovers_s[pending.kind].append(took_s)
        if took_s > TOLD_S and "kill" in pending.kind:
            since = [f"{at_s - pending.since_s:+.1f} {text}" for at_s, text in self._events]
            self._tally.notes.append(f"{took_s:.1f} s after {pending.kind}, {account}: {'; '.join(since)}")
