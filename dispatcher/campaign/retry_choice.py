"""Which rows a person wants to have sent again."""

from __future__ import annotations

from dataclasses import dataclass

from dispatcher.model import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryChoice:
    """Rows to be planned again: of these error codes, or all of a kind."""

    codes: tuple[int, ...] = ()
    all_rejected: bool = False
    busy: bool = False
    cancelled: bool = False
    #: Left out for these reasons, too.
    skipped: tuple[Reason, ...] = ()
    #: Of which nothing is proved: whoever chooses them takes the risk.
    unknown: bool = False

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why rows that are chosen were left out."""
        return (*self.skipped, *[Reason.cancelled] * self.cancelled)

    def __bool__(self) -> bool:
        """Whether anything is chosen."""
        return bool(self.codes or self.all_rejected or self.busy or self.reasons or self.unknown)
