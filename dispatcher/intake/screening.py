"""Rows of text -> rows that can be sent, or the reason why not. Pure: no file, no clock.

Whoever adds a rule that looks at a row (a suppression list, quiet hours) adds it here: it marks the row `skipped` or
`invalid` with a reason, or gives it an earliest time.
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
#: `,"dispatch_id":"d-` and 24 hex digits: what the row's id takes inside Parameters, besides the parameter's name.
_ID_BYTES = 32

_PLANNED, _INVALID, _SKIPPED = RowState.planned.value, RowState.invalid.value, RowState.skipped.value

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
        fixed = orjson.dumps({**columns.constants, **dict.fromkeys(columns.parameters, "")})
        self._fixed_bytes = len(fixed) + (_ID_BYTES + len(orjson.dumps(id_parameter)) if id_parameter else 0)
        positions = list(columns.parameters.values())
        self._most_often = max((positions.count(position) for position in set(positions)), default=0)

    def screen(self, chunk: Chunk) -> RowBatch:
        """One batch of the ledger's. Wholly blank rows are not contacts: they are left out."""
        rows, numbers, problems = _without_blank(chunk, self._columns.to)
        size = len(rows)
        cells, sizes = _encode(rows)
        to_addresses, refusals = self._addresses.read_column([row[self._columns.to] for row in rows])
        from_addresses: list[str | None] = [None] * size
        if self._columns.from_ is not None:
            self._read_senders(rows, from_addresses, refusals)
        reasons: dict[int, tuple[Reason, str | None, str]] = {}
        to_name = self._columns.name(self._columns.to)
        for position, refusal in refusals.items():
            sender = refusal.reason in (Reason.from_missing, Reason.from_invalid)
            column = self._columns.name(self._columns.from_) if sender and self._columns.from_ is not None else to_name
            reasons[position] = (refusal.reason, column, refusal.sentence)
        self._check_sizes(rows, sizes, reasons)
        self._check_nul(rows, cells, reasons)
        for position, problem in problems.items():
            reasons[position] = (Reason.row_malformed, None, problem)
        self._check_lengths(to_addresses, from_addresses, reasons)
        row_keys: list[str | None] = to_addresses if not self._columns.key else self._keys(rows, reasons)
        states = [_PLANNED] * size
        if reasons:
            row_keys, to_addresses, from_addresses = list(row_keys), list(to_addresses), list(from_addresses)
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
            row_numbers=numbers,
            row_keys=row_keys,
            states=states,
            to_addresses=to_addresses,
            from_addresses=from_addresses,
            cells=cells,
            reasons=reasons,
        )

    def _read_senders(
        self, rows: Sequence[Sequence[str]], from_addresses: list[str | None], refusals: dict[int, Refusal]
    ) -> None:
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

    def _check_sizes(
        self, rows: Sequence[Sequence[str]], sizes: Sequence[int], reasons: dict[int, tuple[Reason, str | None, str]]
    ) -> None:
        """Only rows whose cells together could be too long are looked at closely."""
        limits = self._limits
        spare = (limits.parameters_max_bytes - self._fixed_bytes) // max(self._most_often, 1)
        bound = min(limits.cell_max_bytes, spare if self._most_often or spare < 0 else limits.cell_max_bytes)
        if not sizes or max(sizes) <= bound:
            return
        for position, size in enumerate(sizes):
            if size <= bound:
                continue
            row = rows[position]
            for index, cell in enumerate(row):
                if len(cell) * 4 > limits.cell_max_bytes and (length := len(_utf8(cell))) > limits.cell_max_bytes:
                    column = self._columns.name(index) if index < len(self._columns.header) else None
                    sentence = f"the cell has {length:,} bytes; at most {limits.cell_max_bytes:,} are allowed"
                    reasons[position] = (Reason.row_malformed, column, sentence)
                    break
            else:
                self._check_parameters(position, row, reasons)

    def _check_parameters(
        self, position: int, row: Sequence[str], reasons: dict[int, tuple[Reason, str | None, str]]
    ) -> None:
        if position in reasons:
            return
        sizes = {name: len(orjson.dumps(row[index])) - 2 for name, index in self._columns.parameters.items()}
        total = self._fixed_bytes + sum(sizes.values())
        if total > self._limits.parameters_max_bytes:
            longest = max(sizes, key=lambda name: sizes[name], default=None)
            column = self._columns.name(self._columns.parameters[longest]) if longest is not None else None
            sentence = f"the Parameters have {total:,} bytes; at most {self._limits.parameters_max_bytes:,} are allowed"
            reasons[position] = (Reason.parameters_too_large, column, sentence)

    def _check_nul(
        self, rows: Sequence[Sequence[str]], cells: Sequence[str], reasons: dict[int, tuple[Reason, str | None, str]]
    ) -> None:
        for position, text in enumerate(cells):
            if "\\u0000" not in text:
                continue
            for index, cell in enumerate(rows[position]):
                if "\0" in cell:
                    column = self._columns.name(index) if index < len(self._columns.header) else None
                    reasons[position] = (Reason.row_malformed, column, "the cell has a NUL character in it")
                    break

    def _check_lengths(
        self,
        to_addresses: Sequence[str | None],
        from_addresses: Sequence[str | None],
        reasons: dict[int, tuple[Reason, str | None, str]],
    ) -> None:
        own = self._columns.from_ is not None
        # An E.164 number has at most 16 characters; a character has at most four bytes.
        bound = (ADDRESSES_MAX_BYTES - self._from_bytes) // 4
        for position, to in enumerate(to_addresses):
            if to is None or (not own and len(to) <= bound):
                continue
            sender = from_addresses[position]
            from_bytes = self._from_bytes if sender is None else len(sender.encode())
            total = len(to.encode()) + from_bytes
            if total > ADDRESSES_MAX_BYTES and position not in reasons:
                sentence = f"To and From together have {total} bytes; Studio takes {ADDRESSES_MAX_BYTES}"
                reasons[position] = (Reason.address_too_long, self._columns.name(self._columns.to), sentence)

    def _keys(
        self, rows: Sequence[Sequence[str]], reasons: dict[int, tuple[Reason, str | None, str]]
    ) -> list[str | None]:
        keys: list[str | None] = []
        for position, row in enumerate(rows):
            parts = [row[index].strip() for index in self._columns.key]
            if not all(parts):
                column = self._columns.name(self._columns.key[parts.index("")])
                reasons.setdefault(position, (Reason.key_missing, column, "the cell is empty"))
            keys.append(KEY_SEPARATOR.join(parts))
        return keys


def _without_blank(chunk: Chunk, to: int) -> tuple[Sequence[Sequence[str]], Sequence[int], dict[int, str]]:
    rows, numbers, problems = chunk.rows, chunk.row_numbers, chunk.problems
    # A blank row has a blank To: only such rows are looked at.
    blank = {
        position
        for position, row in enumerate(rows)
        if not row[to].strip() and position not in problems and not any(cell.strip() for cell in row)
    }
    if not blank:
        return rows, numbers, problems
    kept = [position for position in range(len(rows)) if position not in blank]
    moved = {old: new for new, old in enumerate(kept)}
    return (
        [rows[position] for position in kept],
        [numbers[position] for position in kept],
        {moved[position]: problem for position, problem in problems.items()},
    )


def _encode(rows: Sequence[Sequence[str]]) -> tuple[list[str], list[int]]:
    """Each row as a JSON array, and its size in bytes."""
    dumps = orjson.dumps
    blobs = [dumps(row) for row in rows]
    return [blob.decode() for blob in blobs], [len(blob) for blob in blobs]


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
