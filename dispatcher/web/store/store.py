"""The store as a whole: opened, and closed."""

from __future__ import annotations

from pathlib import Path

from dispatcher.web.passwords import COST, Cost, Hasher
from dispatcher.web.store.audit import Audit
from dispatcher.web.store.drafts import Drafts
from dispatcher.web.store.files import FileThread
from dispatcher.web.store.links import Links
from dispatcher.web.store.records import ServerMark
from dispatcher.web.store.sessions import AGE_MS, IDLE_MS, Sessions
from dispatcher.web.store.thread import StoreThread
from dispatcher.web.store.uploads import Uploads
from dispatcher.web.store.users import Users


class Server:
    """What a server leaves for the next one of its folder. Raises: LedgerError."""

    def __init__(self, thread: StoreThread) -> None:
        self._thread = thread

    async def mark(self) -> ServerMark:
        """When a server was alive last here, and on which host."""
        row = await self._thread.read(lambda db: db.first("server"))
        alive_at_ms, host_id = (None, None) if row is None else row
        return ServerMark(alive_at_ms=alive_at_ms, host_id=host_id)

    async def note(self, *, alive_at_ms: int, host_id: str) -> None:
        """This one is alive."""
        await self._thread.do(lambda db: db.run("server_note", alive_at_ms=alive_at_ms, host_id=host_id))


class Store:
    """web.sqlite3 of a state folder, and the files beside it. Made by `open_store`."""

    def __init__(
        self, folder: Path, thread: StoreThread, hasher: Hasher, *, session_idle_ms: int, session_age_ms: int
    ) -> None:
        self._thread = thread
        self._hasher = hasher
        self._files = FileThread()
        #: <state>/web: uploads, checks and reports of the page.
        self.folder = folder / "web"
        self.users = Users(thread, hasher)
        self.sessions = Sessions(thread, idle_ms=session_idle_ms, age_ms=session_age_ms)
        self.links = Links(thread)
        self.uploads = Uploads(thread, self._files, self.folder)
        self.drafts = Drafts(thread)
        self.audit = Audit(thread)
        self.server = Server(thread)

    async def clean(self) -> None:
        """Take off the disk what was deleted, as far as no other process reads just now. Raises: LedgerError."""
        await self._thread.alone(lambda db: db.rows("log_emptied"))

    async def close(self) -> None:
        """Finish what is under way, then close the file. Safe to call twice."""
        self._hasher.close()
        self._files.close()
        await self._thread.closed()


async def open_store(
    folder: Path, *, session_idle_ms: int = IDLE_MS, session_age_ms: int = AGE_MS, cost: Cost = COST
) -> Store:
    """Open the store of a state folder; it is made where there is none. Several processes may have it open.

    Raises: LedgerUnwritable, LedgerFull, LedgerCorrupt, LedgerTooNew, LedgerUnreachable, LedgerError.
    """
    thread = StoreThread(folder)
    await thread.opened()
    return Store(folder, thread, Hasher(cost), session_idle_ms=session_idle_ms, session_age_ms=session_age_ms)
