"""Rows of text -> rows that can be sent, or the reason why not. Pure: no file, no clock.

A rule of a campaign that looks at a row (a suppression list, say) comes in as a `Rule`: it makes the row `skipped`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat

import orjson

from dispatcher.intake.columns import ColumnMap
from dispatcher.intake.origin import Told
from dispatcher.intake.phones import ADDRESSES_MAX_BYTES, Addresses
from dispatcher.intake.rows import Chunk, Malformed
from dispatcher.intake.timing import Timing, TimingReader
from dispatcher.ledger.records import RowBatch
from dispatcher.model import Reason, Refusal, RowState
from dispatcher.plurals import counted

#: Separates the cells of a row key that has several.
KEY_SEPARATOR = "\x1f"
#: A key is found by an index, and PostgreSQL takes no entry (of a key and a contact) above some 2,700 bytes.
KEY_MAX_BYTES = 1_024
#: As long as every row's (see `model.dispatch_id`).
_SOME_ID = "d-" + "0" * 24

_PLANNED, _INVALID, _SKIPPED = RowState.planned.value, RowState.invalid.value, RowState.skipped.value

_ERRORS = frozenset(("#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!"))
#: Cells that are sent as they stand and may not be meant so: how they begin in a row's JSON, which, and what they are.
_ODD_CELLS: tuple[tuple[str, Callable[[str], bool], str], ...] = (
    ('"=\\"', lambda cell: cell.startswith('="'), 'a cell like ="…", as Excel guards a text with: it is sent so'),
    ('"\\\\N"', lambda cell: cell == "\\N", "a cell \\N, which is a database's word for nothing: it is sent so"),
    ('"#', lambda cell: cell in _ERRORS, "a spreadsheet's error in it, such as #N/A: it is sent so"),
    ('" \\"', lambda cell: cell.startswith(' "'), "a cell with a blank before its quotation mark: both are sent"),
)
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
        told: Told | None = None,
        timing: TimingReader | None = None,
    ) -> None:
        """`from_address`: the normalised sender of rows without their own; None: each row must have one."""
        self._columns = columns
        self._addresses = addresses
        self._from_address = from_address
        self._from_bytes = len((from_address or "").encode())
        self._limits = limits
        self._rules = rules
        self._timing = timing
        #: None: the file says nothing of what became of its rows.
        self._told = told if columns.status is not None else None
        #: Wholly blank rows met so far; what a reader of text leaves out itself is not among them.
        self.blank_rows = 0
        self._odd_cells: Counter[str] = Counter()
        row_id = {id_parameter: _SOME_ID} if id_parameter else {}
        self._fixed_bytes = len(orjson.dumps({**columns.constants, **dict.fromkeys(columns.parameters, ""), **row_id}))
        positions = list(columns.parameters.values())
        self._most_often = max((positions.count(position) for position in set(positions)), default=0)

    def screen(self, chunk: Chunk) -> RowBatch:
        """One batch of the ledger's. Wholly blank rows are not contacts: they are left out."""
        columns, malformed = self._columns, chunk.malformed
        cells, has_nul = chunk.encode(len(columns.header))
        to_texts = self._texts(chunk, columns.to)
        to_addresses, refusals = self._addresses.read_column(to_texts)
        blank = {
            position
            for position, refusal in refusals.items()
            if refusal.reason is Reason.to_missing
            and position not in malformed
            and position not in chunk.faults
            and _is_blank(cells[position])
        }
        if blank:
            self.blank_rows += len(blank)
            return self.screen(_Selected(chunk, [at for at in range(len(cells)) if at not in blank]))
        from_addresses: list[str | None] = [None] * len(cells)
        if columns.from_ is not None:
            self._read_senders(self._texts(chunk, columns.from_), from_addresses, refusals)
        reasons: Reasons = {}
        for position, refusal in refusals.items():
            sender = refusal.reason in (Reason.from_missing, Reason.from_invalid)
            index = columns.from_ if sender and columns.from_ is not None else columns.to
            reasons[position] = (refusal.reason, columns.name(index), refusal.sentence)
        self._check_sizes(cells, reasons)
        if has_nul:
            self._check_nul(cells, to_addresses, from_addresses, reasons)
        for position, found in malformed.items():
            cells[position] = self._placed(found)
            reasons[position] = (Reason.row_malformed, None, found.sentence)
        self._check_faults(chunk, reasons)
        self._check_lengths(to_addresses, from_addresses, reasons)
        self._look_for_odd(cells, to_addresses, reasons)
        timing = Timing()
        if self._timing is not None:
            timing = self._timing.read(to_addresses, lambda index: self._texts(chunk, index))
            for position, why in timing.refused.items():
                reasons.setdefault(position, why)
        row_keys = to_addresses if not columns.key else self._keys(chunk, reasons)
        states = [_PLANNED] * len(cells)
        if reasons:
            row_keys = list(row_keys)
            for position in reasons:
                states[position] = _INVALID
                row_keys[position] = None
        for position, why in timing.unknown.items():
            if position not in reasons:
                states[position], reasons[position] = _SKIPPED, why
        if self._told is not None:
            self._leave_out_reported(chunk, states, reasons)
        for rule in self._rules:
            for position, to in enumerate(to_addresses):
                if to is not None and position not in reasons:
                    verdict = rule(to, from_addresses[position], orjson.loads(cells[position]))
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
            not_before_ms=timing.not_before_ms,
            not_after_ms=timing.not_after_ms,
            places=timing.places,
        )

    def notes(self) -> tuple[str, ...]:
        """What a person should know of cells that are sent as they stand, and may not be meant so. A sentence each."""
        return tuple(f"{counted(count, 'row has', 'rows have')} {what}" for what, count in self._odd_cells.items())

    def _look_for_odd(self, cells: Sequence[str], to_addresses: Sequence[str | None], reasons: Reasons) -> None:
        whole = "\n".join(cells)
        if "@" in whole:
            bare = sum("@" in to and not to.startswith(("sip:", "sips:")) for to in to_addresses if to)
            if bare:
                self._odd_cells["an address like name@host: taken for SIP, not for e-mail"] += bare
        sent = self._columns.parameters.values()
        for mark, is_odd, what in _ODD_CELLS:
            if mark not in whole:
                continue
            for position, row in enumerate(cells):
                if mark in row and position not in reasons:
                    texts = orjson.loads(row)
                    self._odd_cells[what] += any(is_odd(texts[index]) for index in sent)

    def _leave_out_reported(self, chunk: Chunk, states: list[str], reasons: Reasons) -> None:
        """Rows that the file, a report, says were sent. What the campaign knows of them, the ledger puts above it."""
        told, columns = self._told, self._columns
        assert told is not None
        assert columns.status is not None
        campaigns = self._texts(chunk, columns.campaign) if columns.campaign is not None else repeat("")
        for position, (status, campaign) in enumerate(zip(self._texts(chunk, columns.status), campaigns, strict=False)):
            if status and states[position] == _PLANNED and told.was_sent(status, campaign):
                states[position] = _SKIPPED
                sentence = f"the file says that it is {status.strip()}, and this campaign does not know it"
                reasons[position] = (Reason.reported, None, sentence)

    def _texts(self, chunk: Chunk, index: int) -> list[str]:
        """A column's cells; those of malformed rows are empty."""
        texts = chunk.column(index)
        for position in chunk.malformed:
            texts[position] = ""
        return texts

    def _placed(self, found: Malformed) -> str:
        """A malformed row's cells: its whole text in one that is not To's.

        So a report shows the row as it stands in the file; and fed back, it is refused again, whatever it holds.
        """
        width = len(self._columns.header)
        place = next((index for index in range(width) if index != self._columns.to), self._columns.to)
        return orjson.dumps([found.text if index == place else "" for index in range(width)]).decode()

    def _read_senders(
        self, texts: Sequence[str], from_addresses: list[str | None], refusals: dict[int, Refusal]
    ) -> None:
        known: dict[str, str | Refusal] = {}
        for position, text in enumerate(texts):
            answer = known.get(text)
            if answer is None:
                answer = known[text] = self._addresses.read_sender(text)
            if isinstance(answer, str):
                from_addresses[position] = answer
            elif answer.reason is not Reason.from_missing or self._from_address is None:
                refusals.setdefault(position, answer)

    def _check_sizes(self, cells: Sequence[str], reasons: Reasons) -> None:
        """Only rows whose cells together could be too long are looked at closely."""
        limits = self._limits
        spare = (limits.parameters_max_bytes - self._fixed_bytes) // max(self._most_often, 1)
        # A character has at most four bytes, and a row's JSON holds all that its Parameters and its cells hold.
        bound = min(limits.cell_max_bytes, spare) // 4
        if max(map(len, cells), default=0) <= bound:
            return
        for position, text in enumerate(cells):
            if len(text) > bound:
                row = orjson.loads(text)
                self._check_cells(position, row, reasons)
                self._check_parameters(position, row, reasons)

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

    def _check_nul(
        self,
        cells: Sequence[str],
        to_addresses: list[str | None],
        from_addresses: list[str | None],
        reasons: Reasons,
    ) -> None:
        for position, text in enumerate(cells):
            for index, cell in enumerate(orjson.loads(text) if "\\u0000" in text else ()):
                if "\0" in cell:
                    sentence = "the cell has a NUL character in it"
                    reasons[position] = (Reason.row_malformed, self._columns.name(index), sentence)
                    # Nothing is ever sent there, and not every ledger can keep it.
                    for addresses in (to_addresses, from_addresses):
                        if "\0" in (addresses[position] or ""):
                            addresses[position] = None
                    break

    def _check_faults(self, chunk: Chunk, reasons: Reasons) -> None:
        """Cells that a person sees, and that hold nothing which could be sent."""
        if not chunk.faults:
            return
        columns = self._columns
        for position, of_columns in chunk.faults.items():
            for column, sentence in of_columns.items():
                if column in columns.used:
                    reasons[position] = (Reason.row_malformed, columns.name(column), sentence)
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

    def _keys(self, chunk: Chunk, reasons: Reasons) -> list[str | None]:
        keys: list[str | None] = []
        for position, texts in enumerate(zip(*(self._texts(chunk, index) for index in self._columns.key), strict=True)):
            parts = [text.strip() for text in texts]
            if not all(parts):
                column = self._columns.name(self._columns.key[parts.index("")])
                reasons.setdefault(position, (Reason.key_missing, column, "the cell is empty"))
            key = KEY_SEPARATOR.join(parts)
            if len(key) * 4 > KEY_MAX_BYTES and (size := len(_utf8(key))) > KEY_MAX_BYTES:
                longest = max(range(len(parts)), key=lambda place: len(parts[place]))
                sentence = f"the row's key has {size:,} bytes; at most {KEY_MAX_BYTES:,} are allowed"
                column = self._columns.name(self._columns.key[longest])
                reasons.setdefault(position, (Reason.row_malformed, column, sentence))
            keys.append(key)
        return keys


class _Selected:
    """Some rows of a chunk."""

    def __init__(self, chunk: Chunk, positions: Sequence[int]) -> None:
        self._chunk = chunk
        self._positions = positions
        self.row_numbers = [chunk.row_numbers[position] for position in positions]
        self.malformed = {new: chunk.malformed[old] for new, old in enumerate(positions) if old in chunk.malformed}
        self.faults = {new: chunk.faults[old] for new, old in enumerate(positions) if old in chunk.faults}

    def column(self, index: int) -> list[str]:
        texts = self._chunk.column(index)
        return [texts[position] for position in self._positions]

    def encode(self, width: int) -> tuple[list[str], bool]:
        cells, has_nul = self._chunk.encode(width)
        return [cells[position] for position in self._positions], has_nul


def _is_blank(cells: str) -> bool:
    return not any(cell.strip() for cell in orjson.loads(cells))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
