"""How the suite opens a ledger of each kind, looks into it from outside, and kills its process."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from dispatcher.ledger import Ledger
from dispatcher.ledger.sqlite.connection import FILE_NAME
from tests.support.ledgers import flaws, killed, opened, raw


class Harness(Protocol):
    """One ledger's place; a new one is empty."""

    async def open(self) -> Ledger:
        """A connection to the ledger; the second is another process' as far as the database can tell."""

    async def kill(self, ledger: Ledger) -> Ledger:
        """The ledger as the next process finds it once this one's is killed, with whatever it had not committed."""

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Run any SQL on the database itself; what it changes is committed."""

    def flaws(self) -> list[str]:
        """What is wrong with the ledger's content: empty for a sound one."""


class SqliteHarness:
    """A state folder; after a kill, the folder that it left."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state = folder / "state"
        self._deaths = 0

    async def open(self) -> Ledger:
        return await opened(self._state)

    async def kill(self, ledger: Ledger) -> Ledger:
        self._deaths += 1
        self._state = killed(self._file, self._folder / f"after-{self._deaths}")
        await ledger.close()
        return await self.open()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with raw(self._file) as db:
            return db.execute(sql).fetchall()

    def flaws(self) -> list[str]:
        return flaws(self._file)

    @property
    def _file(self) -> Path:
        return self._state / FILE_NAME


#: Every kind of ledger passes the suite.
BACKENDS: dict[str, type[SqliteHarness]] = {"sqlite": SqliteHarness}
