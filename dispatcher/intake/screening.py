"""Rows of text -> rows that can be sent, or the reason why not. Pure: no file, no clock.

A rule of a campaign that looks at a row (a suppression list, say) comes in as a `Rule`: it makes the row `skipped`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from dispatcher.intake.columns import ColumnMap
from dispatcher.intake.phones import ADDRESSES_MAX_BYTES, Addresses, Refusal
from dispatcher.intake.rows import Chunk
from dispatcher.model import Reason, RowBatch, RowState

#: Separates the cells of a row key that has several.
KEY_SEPARATOR = "\x1f"
#: As long as every row's (see `model.dispatch_id`).
_SOME_ID = "d-" + "0" * 24

_PLANNED, _INVALID, _SKIPPED = RowState.planned.value, RowState.invalid.value, RowState.skipped.value

Rows = Sequence[Sequence[str]]
#: Position -> (reason, column or None, sentence).
Reasons = dict[int, tuple[Reason, str | None, str]]
#: A row-wise rule: (To, From or None, the row's cells) -> why it is skipped, or None.
Rule = Callable[[str, str | None, Sequence[str]], tuple[Reason, str] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on a row, in bytes of UTF-8."""

    parameters_max_bytes: int
    cell_max_bytes: int


class Screening:
    """Checks chunk after chunk of one file."""

    def __init__(
        self,
        columns: ColumnMap,
        addresses: Addresses,
        *,
        from_address: str | None,
        id_parameter: str,
        limits: Limits,
        rules: Sequence[Rule] = (),
    ) -> None:
        """`from_address`: the normalised sender of rows without their own; None: each row must have one."""
        self._columns = columns
        self._addresses = addresses
        self._from_address = from_address
        self._from_bytes = len((from_address or "").encode())
        self._limits = limits
        self._rules = rules
        #: Wholly blank rows met so far; what a reader of text leaves out itself is not among them.
        self.blank_rows = 0
        row_id = {id_parameter: _SOME_ID} if id_parameter else {}
        self._fixed_bytes = len(orjson.dumps({**columns.constants, **dict.fromkeys(columns.parameters, ""), **row_id}))
        positions = list(columns.parameters.values())
        self._most_often = max((positions.count(position) for position in set(positions)), default=0)

    def screen(self, chunk: Chunk) -> RowBatch:
        """One batch of the ledger's. Wholly blank rows are not contacts: they are left out."""
        rows, columns = self._placed(chunk), self._columns
        to_addresses, refusals = self._addresses.read_column([row[columns.to] for row in rows])
        blank = {
            position
            for position, refusal in refusals.items()
            if refusal.reason is Reason.to_missing
            and position not in chunk.malformed
            and not any(cell.strip() for cell in rows[position])
        }
        if blank:
            self.blank_rows += len(blank)
            return self.screen(_without(chunk, blank))
        from_addresses: list[str | None] = [None] * len(rows)
        if columns.from_ is not None:
            self._read_senders(rows, from_addresses, refusals)
        reasons: Reasons = {}
        for position, refusal in refusals.items():
            sender = refusal.reason in (Reason.from_missing, Reason.from_invalid)
            index = columns.from_ if sender and columns.from_ is not None else columns.to
            reasons[position] = (refusal.reason, columns.name(index), refusal.sentence)
        cells, has_nul = encode_rows(rows)
        self._check_sizes(rows, cells, reasons)
        if has_nul:
            self._check_nul(rows, reasons)
        for position, malformed in chunk.malformed.items():
            to_addresses[position] = None
            reasons[position] = (Reason.row_malformed, None, malformed.sentence)
        self._check_lengths(to_addresses, from_addresses, reasons)
        row_keys = to_addresses if not columns.key else self._keys(rows, reasons)
        states = [_PLANNED] * len(rows)
        if reasons:
            row_keys = list(row_keys)
            for position in reasons:
                states[position] = _INVALID
                row_keys[position] = None
        for rule in self._rules:
            for position, to in enumerate(to_addresses):
                if to is not None and position not in reasons:
                    verdict = rule(to, from_addresses[position], rows[position])
                    if verdict is not None:
                        states[position] = _SKIPPED
                        reasons[position] = (verdict[0], None, verdict[1])
        return RowBatch(
            row_numbers=chunk.row_numbers,
            row_keys=row_keys,
            states=states,
            to_addresses=to_addresses,
            from_addresses=from_addresses,
            cells=cells,
            reasons=reasons,
        )

    def _placed(self, chunk: Chunk) -> Rows:
        """The rows, malformed ones with their whole text in one cell, which is not To's.

        So a report shows them as they stand in the file; and fed back, they are refused again, whatever they hold.
        """
        if not chunk.malformed:
            return chunk.rows
        rows = list(chunk.rows)
        width = len(self._columns.header)
        place = next((index for index in range(width) if index != self._columns.to), self._columns.to)
        for position, malformed in chunk.malformed.items():
            rows[position] = [malformed.text if index == place else "" for index in range(width)]
        return rows

    def _read_senders(self, rows: Rows, from_addresses: list[str | None], refusals: dict[int, Refusal]) -> None:
        position_of_from = self._columns.from_
        assert position_of_from is not None
        known: dict[str, str | Refusal] = {}
        for position, row in enumerate(rows):
            text = row[position_of_from]
            answer = known.get(text)
            if answer is None:
                answer = known[text] = self._addresses.read_sender(text)
            if isinstance(answer, str):
                from_addresses[position] = answer
            elif answer.reason is not Reason.from_missing or self._from_address is None:
                refusals.setdefault(position, answer)

    def _check_sizes(self, rows: Rows, cells: Sequence[str], reasons: Reasons) -> None:
        """Only rows whose cells together could be too long are looked at closely."""
        limits = self._limits
        spare = (limits.parameters_max_bytes - self._fixed_bytes) // max(self._most_often, 1)
        # A character has at most four bytes, and a row's JSON holds all that its Parameters and its cells hold.
        bound = min(limits.cell_max_bytes, spare) // 4
        if max(map(len, cells), default=0) <= bound:
            return
        for position, text in enumerate(cells):
            if len(text) > bound:
                self._check_cells(position, rows[position], reasons)
                self._check_parameters(position, rows[position], reasons)

    def _check_cells(self, position: int, row: Sequence[str], reasons: Reasons) -> None:
        most = self._limits.cell_max_bytes
        for index, cell in enumerate(row):
            if len(cell) * 4 > most and (size := len(_utf8(cell))) > most:
                sentence = f"the cell has {size:,} bytes; at most {most:,} are allowed"
                reasons[position] = (Reason.row_malformed, self._columns.name(index), sentence)
                return

    def _check_parameters(self, position: int, row: Sequence[str], reasons: Reasons) -> None:
        if position in reasons:
            return
        sizes = {name: len(orjson.dumps(row[index])) - 2 for name, index in self._columns.parameters.items()}
        total = self._fixed_bytes + sum(sizes.values())
        if total > self._limits.parameters_max_bytes:
            longest = max(sizes, key=lambda name: sizes[name], default=None)
            column = self._columns.name(self._columns.parameters[longest]) if longest is not None else None
            sentence = f"the Parameters have {total:,} bytes; at most {self._limits.parameters_max_bytes:,} are allowed"
            reasons[position] = (Reason.parameters_too_large, column, sentence)

    def _check_nul(self, rows: Rows, reasons: Reasons) -> None:
        for position, row in enumerate(rows):
            for index, cell in enumerate(row):
                if "\0" in cell:
                    sentence = "the cell has a NUL character in it"
                    reasons[position] = (Reason.row_malformed, self._columns.name(index), sentence)
                    break

    def _check_lengths(
        self,
        to_addresses: Sequence[str | None],
        from_addresses: Sequence[str | None],
        reasons: Reasons,
    ) -> None:
        own = self._columns.from_ is not None
        # A character has at most four bytes. Numbers are never too long; names may be.
        bound = (ADDRESSES_MAX_BYTES - self._from_bytes) // 4
        if not own and max(map(len, filter(None, to_addresses)), default=0) <= bound:
            return
        for position, to in enumerate(to_addresses):
            if to is None:
                continue
            sender = from_addresses[position]
            from_bytes = self._from_bytes if sender is None else len(sender.encode())
            total = len(to.encode()) + from_bytes
            if total > ADDRESSES_MAX_BYTES and position not in reasons:
                sentence = f"To and From together have {total} bytes; Studio takes {ADDRESSES_MAX_BYTES}"
                reasons[position] = (Reason.address_too_long, self._columns.name(self._columns.to), sentence)

    def _keys(self, rows: Rows, reasons: Reasons) -> list[str | None]:
        keys: list[str | None] = []
        for position, row in enumerate(rows):
            parts = [row[index].strip() for index in self._columns.key]
            if not all(parts):
                column = self._columns.name(self._columns.key[parts.index("")])
                reasons.setdefault(position, (Reason.key_missing, column, "the cell is empty"))
            keys.append(KEY_SEPARATOR.join(parts))
        return keys


def encode_rows(rows: Rows) -> tuple[list[str], bool]:
    """Each row as a JSON array of text, and whether a NUL may be in one.

    All rows are encoded at once and cut apart: a call for each row costs more than its work. The cut is where one array
    of text ends and the next begins; cells can look like that too, and then there are more pieces than rows.
    """
    if not rows:
        return [], False
    whole = orjson.dumps(rows).decode()
    cells = whole[1:-1].replace('"],["', '"]\0["').split("\0")
    if len(cells) != len(rows):
        cells = [orjson.dumps(row).decode() for row in rows]
    return cells, "\\u0000" in whole


def _without(chunk: Chunk, left_out: set[int]) -> Chunk:
    kept = [position for position in range(len(chunk.rows)) if position not in left_out]
    moved = {old: new for new, old in enumerate(kept)}
    return Chunk(
        [chunk.row_numbers[position] for position in kept],
        [chunk.rows[position] for position in kept],
        {moved[position]: malformed for position, malformed in chunk.malformed.items()},
    )


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
