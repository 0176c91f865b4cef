"""What a worker says to whoever looks after it: each thing once, and nothing that is over when it is said."""

from __future__ import annotations

from collections.abc import Callable

from dispatcher.errors import LedgerError

#: The engine has ended so often in a row, while the ledger answers: somebody is told.
FAILURES_TOLD = 3


class Telling:
    """What was told, and what is so."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell
        self.is_away = False
        #: How often the engine has ended since its last tick.
        self._failures = 0
        self._told: set[tuple[int, str]] = set()

    def away(self, error: LedgerError) -> None:
        """The ledger does not answer."""
        if not self.is_away:
            self.is_away = True
            self.tell(f"the ledger is away: {error}; nothing is sent until it is back")

    def back(self) -> None:
        """It answers."""
        if self.is_away:
            self.is_away = False
            self.tell("the ledger is back")

    def engine_failed(self, error: LedgerError) -> None:
        """The engine has ended: where the ledger is away that is told already."""
        self._failures += 1
        if self._failures == FAILURES_TOLD and not self.is_away:
            self.tell(f"{error}: orders are looked for more seldom until it can be used")

    def engine_works(self) -> None:
        """It has handed something out."""
        self._failures = 0

    def once(self, campaign_id: int, text: str) -> None:
        """Something of a campaign that is found again and again."""
        if (campaign_id, text) not in self._told:
            self._told.add((campaign_id, text))
            self.tell(text)
