"""Browsers that have signed in. The cookie is 256 random bits; the store has its hash only."""

from __future__ import annotations

import secrets

from dispatcher.web.links import hash_of, new_token
from dispatcher.web.store.audit import written
from dispatcher.web.store.connection import Db
from dispatcher.web.store.records import AuditLine, Session
from dispatcher.web.store.thread import StoreThread
from dispatcher.web.store.values import user_of

#: A session that is not used so long ends,
IDLE_MS = 12 * 3_600_000
#: and any at this age.
AGE_MS = 7 * 86_400_000
#: Its last use is written at most so often: each write waits for the disk.
SEEN_EVERY_MS = 60_000
_SECRET_BYTES = 32


class Sessions:
    """The sessions of a store. Raises: LedgerError, everywhere."""

    def __init__(self, thread: StoreThread, *, idle_ms: int = IDLE_MS, age_ms: int = AGE_MS) -> None:
        self._thread = thread
        self.idle_ms = idle_ms
        self.age_ms = age_ms

    async def begin(self, user_id: int | None, *, now_ms: int) -> str:
        """Sign in; returns the cookie's value, always a new one. None: the one person of a page on this machine."""
        token = new_token()

        def work(db: Db) -> None:
            db.run("sessions_ended", idle_since_ms=now_ms - self.idle_ms, begun_before_ms=now_ms - self.age_ms)
            db.run(
                "session_begin",
                session_hash=hash_of(token),
                user_id=user_id,
                csrf_secret=secrets.token_bytes(_SECRET_BYTES),
                now_ms=now_ms,
                password_at_ms=None if user_id is None else now_ms,
            )

        await self._thread.do(work)
        return token

    async def of(self, token: str, *, now_ms: int, used: bool = True) -> Session | None:
        """The session of a cookie; None: it has ended, or there was none.

        `used`: it counts as used now. Off for what a page asks by itself: a page left open must not keep it for ever.
        """
        session = await self._thread.read(lambda db: self._read(db, token, now_ms))
        if session is None or not used or now_ms - session.seen_at_ms < SEEN_EVERY_MS:
            return session

        def seen(db: Db) -> Session | None:
            db.run("session_seen", session_hash=hash_of(token), now_ms=now_ms)
            return self._read(db, token, now_ms)

        return await self._thread.do(seen)

    async def renew(self, token: str, *, now_ms: int) -> str | None:
        """The password was typed once more: another cookie for the session, the old one is worth nothing.

        Forms in other tabs of the browser stay good. None: the session has ended.
        """
        new = new_token()

        def work(db: Db) -> bool:
            return self._read(db, token, now_ms) is not None and bool(
                db.run(
                    "session_renew",
                    session_hash=hash_of(token),
                    new_hash=hash_of(new),
                    now_ms=now_ms,
                )
            )

        return new if await self._thread.do(work) else None

    async def end(self, token: str) -> None:
        """Sign out."""
        await self._thread.do(lambda db: db.run("session_end", session_hash=hash_of(token)))

    async def end_all(self, user_id: int | None, *, audit: AuditLine | None = None) -> int:
        """Sign this person out everywhere; of how many browsers."""

        def work(db: Db) -> int:
            ended = db.run("sessions_end_all", user_id=user_id)
            if audit is not None:
                written(db, audit)
            return ended

        return await self._thread.do(work)

    def _read(self, db: Db, token: str, now_ms: int) -> Session | None:
        session_hash = hash_of(token)
        row = db.first("session", session_hash=session_hash)
        if row is None:
            return None
        csrf_secret, begun_at_ms, seen_at_ms, password_at_ms, *user = row
        ends_at_ms = min(seen_at_ms + self.idle_ms, begun_at_ms + self.age_ms)
        if now_ms >= ends_at_ms:
            return None
        return Session(
            session_id=session_hash.hex(),
            user=None if user[0] is None else user_of(user),
            csrf_secret=csrf_secret,
            begun_at_ms=begun_at_ms,
            seen_at_ms=seen_at_ms,
            password_at_ms=password_at_ms,
            ends_at_ms=ends_at_ms,
        )
