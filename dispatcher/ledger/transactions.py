"""What every part of a store is built on: one transaction, of any database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from dispatcher.ledger.db import Db

T = TypeVar("T")


class Transactions(ABC):
    """A database brings them."""

    @abstractmethod
    async def _do(self, work: Callable[[Db], T]) -> T:
        """Run `work` in a transaction; when this returns, it is on disk. It may be run again."""

    @abstractmethod
    async def _do_for(self, account_id: int, work: Callable[[Db], T], *, fenced: bool = False, few: bool = False) -> T:
        """As `_do`, alone on the account. `fenced`: and only while nobody else holds its lease. Raises: LeaseLost.

        `few`: it is about few rows, all of them found by their keys, however small a table is taken to be.
        """

    @abstractmethod
    async def _read(self, work: Callable[[Db], T]) -> T:
        """Run `work`, which only reads."""
