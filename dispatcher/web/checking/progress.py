"""How far a check is, in numbers and as a sentence. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Of one draft's check."""

    #: How many checks are before it; 0: it is read now.
    place: int = 0
    rows: int = 0
    done_bytes: int = 0
    #: None: it is not known.
    total_bytes: int | None = None
    #: Which of a draft's files is read, and of how many.
    file: int = 1
    files: int = 1

    @property
    def total_rows(self) -> int | None:
        """How many rows the file has, as far as can be told by what of it is read; None: it cannot."""
        if not self.total_bytes or not self.done_bytes or not self.rows:
            return None
        return max(self.rows, round(self.rows * self.total_bytes / min(self.done_bytes, self.total_bytes)))

    @property
    def sentence(self) -> str:
        """For people."""
        if self.place:
            before = "1 other file is" if self.place == 1 else f"{self.place} other files are"
            return f"Waiting: {before} checked first."
        if not self.rows:
            return "Opening the file."
        which = f"file {self.file} of {self.files}, " if self.files > 1 else ""
        total = self.total_rows
        about = f" of about {_rounded(total):,}" if total is not None and total > self.rows else ""
        return f"Checking {which}row {self.rows:,}{about}."


def _rounded(rows: int) -> int:
    """Two digits that count: more would jump about."""
    step = int(10 ** max(0, len(str(rows)) - 2))
    return -(-rows // step) * step
