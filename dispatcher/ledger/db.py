"""What the ledger's rules need of a database: its named queries, inside a transaction that somebody else began.

The modules of this room (planning, attempts, runs, …) know no SQL and no driver. A database brings a `queries.sql` with
the same names and parameters, and a `Db` that runs them; `sqlite/` is the first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Row = tuple[Any, ...]


class Db(Protocol):
    """The queries of one transaction. Raises: the driver's errors; whoever runs the transaction maps them.

    Values: int, str, bytes, None; a list of them, or of lists, stands for many (JSON or an array, as the database
    likes).
    """

    def run(self, name: str, /, **values: Any) -> int:
        """Run a statement; how many rows it changed."""

    def one(self, name: str, /, **values: Any) -> Row:
        """The row of a query that always has exactly one (also an INSERT … RETURNING)."""

    def first(self, name: str, /, **values: Any) -> Row | None:
        """A query's first row; None: it has none."""

    def rows(self, name: str, /, **values: Any) -> Sequence[Sequence[Any]]:
        """All rows of a query."""

    def insert(self, name: str, width: int, flat: Sequence[Any], /) -> None:
        """Insert many rows of `width` values, given as one flat sequence."""

    def update(self, name: str, width: int, flat: Sequence[int | str], /, **values: Any) -> int:
        """Update many rows, each by its own `width` values, with `values` for all; how many changed.

        Of one flat sequence, 0 and '' for what is missing. No row may match one that starts with 0.
        """

    def undone(self) -> AbstractContextManager[None]:
        """Whatever is done inside is undone at its end, and nothing else of the transaction is."""


class Work(Protocol):
    """Runs something in a transaction of the ledger's."""

    def __call__(self, work: Callable[[Db], T], /) -> Awaitable[T]: ...


class WorkFor(Protocol):
    """As `Work`, alone on an account; `fenced`: only while nobody else holds its lease. Raises: LeaseLost."""

    def __call__(self, account_id: int, work: Callable[[Db], T], /, *, fenced: bool = False) -> Awaitable[T]: ...


class WorkForAll(Protocol):
    """As `WorkFor` with `fenced`, on several accounts at once. Raises: LeaseLost."""

    async def __call__(self, account_ids: Collection[int], work: Callable[[Db], T], /) -> T: ...
