"""Links that sign in once, on this machine."""

from __future__ import annotations

from dispatcher.web.links import LIFE_MS, hash_of, new_token
from dispatcher.web.store.connection import Db
from dispatcher.web.store.thread import StoreThread


class Links:
    """The one-time links of a store. Raises: LedgerError, everywhere."""

    def __init__(self, thread: StoreThread) -> None:
        self._thread = thread

    async def make(self, *, now_ms: int) -> str:
        """A new token, good for ten minutes and one use; also beside a running server."""
        token = new_token()

        def work(db: Db) -> None:
            db.run("links_ended", now_ms=now_ms)
            db.run("link_make", link_hash=hash_of(token), ends_at_ms=now_ms + LIFE_MS)

        await self._thread.do(work)
        return token

    async def spend(self, token: str, *, now_ms: int) -> bool:
        """Whether it was good; now it is not any more."""

        def work(db: Db) -> bool:
            row = db.first("link_spend", link_hash=hash_of(token))
            return row is not None and now_ms < row[0]

        return await self._thread.do(work)
