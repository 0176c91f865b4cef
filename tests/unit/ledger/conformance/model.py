"""The ledger as a few dictionaries: what files, outcomes and the user's word must come to. Naive, on purpose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dispatcher.model import Outcome, Reason, RowState
from tests.support.ledgers import Line, cells

FREE = (Outcome.throttled, Outcome.not_sent)
ON_PURPOSE = (Reason.duplicate, Reason.suppressed, Reason.cancelled)


@dataclass
class ModelRow:
    """A row of the campaign, or a line that has none of its own (`key` None)."""

    line: Line
    key: str | None
    state: str
    #: Why it is invalid or skipped, or would be if nothing was created.
    reason: Reason | None = None
    attempts: int = 0
    #: The attempt that its state rests on.
    attempt_id: int | None = None
    #: Which file's line it is.
    file: int = 0
    not_before_ms: int = 0

    @property
    def to(self) -> str | None:
        return self.line.to or self.line.key


@dataclass
class Model:
    """A campaign with one row per key, wherever its line stands."""

    rows: dict[str, ModelRow] = field(default_factory=dict)
    #: The latest file, line by line.
    latest: list[ModelRow] = field(default_factory=list)
    file: int = 0

    def plan(self, lines: Sequence[Line]) -> None:
        """A file is planned into the campaign."""
        self.file += 1
        old_rows, self.latest = self.rows, []
        owners = _owners(lines)
        for place, line in enumerate(lines):
            owns = line.key is not None and owners[line.key] == place
            row = ModelRow(line, line.key if owns else None, line.state, line.reason, file=self.file)
            row.not_before_ms = line.not_before_ms
            if line.key is not None and not owns and line.state == "planned":
                row.state, row.reason = "skipped", Reason.duplicate
            self.latest.append(row)
        # A row of an earlier file stays one, unless this file has its key.
        self.rows = {key: row for key, row in old_rows.items() if key not in owners}
        for row in self.latest:
            if row.key is not None:
                self.rows[row.key] = row
                if row.key in old_rows:
                    _go_on(old_rows[row.key], row)

    def end(self, row: ModelRow, outcome: Outcome, before: str, not_before_ms: int | None) -> None:
        """The row's attempt has proved something."""
        if before == "sending" and outcome not in FREE:
            row.attempts += 1
        if not_before_ms is not None:
            row.not_before_ms = not_before_ms
        row.state = "planned" if not_before_ms is not None or outcome in FREE else outcome.value
        if row.state in ("planned", "rejected", "busy") and row.reason is not None:
            row.state = "skipped" if row.reason in ON_PURPOSE else "invalid"

    def counts(self, rows: Iterable[ModelRow]) -> Counter[RowState]:
        """How many are in which state."""
        return Counter(RowState(row.state) for row in rows)

    @property
    def earlier(self) -> list[ModelRow]:
        """Rows of earlier files that the latest does not have."""
        return [row for row in self.rows.values() if row.file != self.file]


def _owners(lines: Sequence[Line]) -> dict[str, int]:
    """Key -> its first line that can be sent, else its first."""
    owners: dict[str, int] = {}
    for place, line in enumerate(lines):
        if line.key is not None:
            first = owners.setdefault(line.key, place)
            if lines[first].state == "invalid" and line.state != "invalid":
                owners[line.key] = place
    return owners


def _go_on(old: ModelRow, new: ModelRow) -> None:
    """The new file's line is the old row again."""
    line_is_in_order = new.state == "planned"
    new.attempts, new.attempt_id = old.attempts, old.attempt_id
    if old.state == "created":
        new.state, new.reason = "created", None
    elif old.state in ("sending", "unknown"):
        new.state = old.state
        if old.reason is Reason.cancelled:
            new.reason = Reason.cancelled
    elif line_is_in_order:
        if old.state == "rejected" and (old.to, cells(old.line)) == (new.to, cells(new.line)):
            new.state = "rejected"
        elif old.state == "busy" and old.to == new.to:
            new.state = "busy"
        elif old.reason is Reason.cancelled:
            new.state, new.reason = "skipped", Reason.cancelled
