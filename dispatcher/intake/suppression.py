"""A suppression list's file: whom it names, and which of its lines name nobody that can be understood.

Where a contact of a campaign must be certain, one of a list need not be: whoever a cell may mean is not reached. So a
number without its plus is taken with one, and one that has lost its leading zero is taken with that, too.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dispatcher.errors import ColumnError, InputError, SuppressionError
from dispatcher.intake.formats import open_table
from dispatcher.intake.header import visible
from dispatcher.intake.phones import Addresses
from dispatcher.intake.rows import Table
from dispatcher.model import Reason, Refusal, contact_of, hashed_contact
from dispatcher.remedies import Advice, AnyOf, Setting
from dispatcher.settings import InputSettings

#: A digest of SHA-256, as text.
_DIGEST = re.compile(r"[0-9a-f]{64}")
_DIGITS = re.compile(r"\+?(?:00)?([1-9][0-9]{6,14})")
_BETWEEN_DIGITS = re.compile(r"[\s().\-]")
#: As `dispatcher suppress export` names it.
_EXPORTED = "contact"
_NO_DIGEST = "it is no SHA-256 in hex (64 digits)"
#: Whatever program wrote a list: a number's digits are the same in each encoding, and no byte is wrong in this one.
_ANY_BYTES = "latin-1"


@dataclass(frozen=True, slots=True)
class ListPiece:
    """Some lines of a list."""

    #: Contacts as `model.contact_of` gives them; of a hashed list their digests.
    contacts: list[str]
    #: Line, and why it names nobody.
    unreadable: list[tuple[int, str]]


def digest_of(path: Path) -> str:
    """SHA-256 of a list's bytes, in hex. Raises: SuppressionError: there is no such file, or it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SuppressionError(
            f"the suppression list {path} cannot be read",
            found=error.strerror or type(error).__name__,
            fix=AnyOf(
                Setting("suppress.files", (str(path),)), Advice("put the file there again: nothing is sent without it")
            ),
        ) from None


class ListFile:
    """A list's file. `pieces` reads it, from its start each time."""

    def __init__(self, path: Path, *, column: str | None, to: str | None, region: str | None, hashed: bool) -> None:
        """`column`: the one with the contacts; else `to`, as in the campaign's file, or the only one there is."""
        self._path = path
        self._column_name = column if column is not None else to
        self._addresses = Addresses(region)
        self._hashed = hashed
        self._settings = InputSettings()
        #: Of the bytes that were read; empty until they are.
        self.sha256 = ""

    def pieces(self) -> Iterator[ListPiece]:
        """Read the list. Raises: SuppressionError: it cannot be read (on)."""
        try:
            with contextlib.closing(open_table(self._path, self._settings)) as table:
                yield from self._read(table)
                self.sha256 = table.sha256()
        except InputError as error:
            raise self._refused(error) from None

    def reads_any_bytes(self) -> bool:
        """Read it from now on as a text of whatever encoding; False: it is read so already."""
        if self._settings.encoding is not None:
            return False
        self._settings = InputSettings(encoding=_ANY_BYTES)
        return True

    def _refused(self, error: InputError) -> SuppressionError:
        is_encoding = error.fix is not None and "input.encoding" in repr(error.fix)
        refused = ListEncodingError if is_encoding and self._settings.encoding is None else SuppressionError
        fix = Setting("suppress.column", "phone") if isinstance(error, ColumnError) else error.fix
        return refused(f"the suppression list cannot be used: {error.message}", found=error.found, fix=fix)

    def _read(self, table: Table) -> Iterator[ListPiece]:
        index, first = self._column(table)
        table.check_used(index, [index])
        if first is not None:
            yield self._piece([1], [first])
        for chunk in table.chunks((index,)):
            cells, malformed = chunk.column(0), chunk.malformed
            for position in malformed:
                cells[position] = ""
            piece = self._piece(chunk.row_numbers, cells)
            wrong = {position: one.sentence for position, one in malformed.items()}
            wrong |= {position: of[0] for position, of in chunk.faults.items() if 0 in of}
            piece.unreadable.extend((chunk.row_numbers[position], sentence) for position, sentence in wrong.items())
            yield piece

    def _column(self, table: Table) -> tuple[int, str | None]:
        """Where the contacts stand, and the first of them where the file has no line of names."""
        names = [visible(name) for name in table.header]
        wanted = visible(self._column_name) if self._column_name is not None else ""
        named = [index for index, name in enumerate(names) if wanted and name == wanted]
        if not named:
            named = [index for index, name in enumerate(names) if name == _EXPORTED]
        if len(named) == 1:
            return named[0], None
        filled = [] if named else [index for index, name in enumerate(table.header) if self._contacts(name)]
        if len(filled) == 1:
            return filled[0], table.header[filled[0]]
        if len(names) == 1:
            return 0, None
        # Also where several may have them: of each pair the other one would be reached.
        raise ColumnError(
            f"{self._path.name} has several columns, and it is not known which has the contacts",
            found=", ".join(names[:8]),
        )

    def _piece(self, numbers: Sequence[int], cells: Sequence[str]) -> ListPiece:
        if self._hashed:
            contacts = [contact for cell in cells for contact in self._contacts(cell)]
            wrong = {at: _NO_DIGEST for at, cell in enumerate(cells) if cell.strip() and not self._contacts(cell)}
            return ListPiece(contacts, [(numbers[at], sentence) for at, sentence in wrong.items()])
        addresses, refusals = self._addresses.read_column(cells)
        contacts = [contact_of(address) for address in addresses if address is not None]
        # What the region takes for one of its own numbers may be another country's, without its plus.
        bare = [
            digits[1]
            for cell, address in zip(cells, addresses, strict=True)
            if address is not None and "+" not in cell and (digits := _DIGITS.fullmatch(_BETWEEN_DIGITS.sub("", cell)))
        ]
        others, _ = self._addresses.read_column([f"+{digits}" for digits in bare]) if bare else ([], {})
        contacts += {contact_of(address) for address in others if address is not None}.difference(contacts)
        unreadable: list[tuple[int, str]] = []
        for position, refusal in refusals.items():
            found = self._contacts(cells[position])
            contacts += found
            if not found and refusal.reason is not Reason.to_missing:
                unreadable.append((numbers[position], refusal.sentence))
        return ListPiece(contacts, unreadable)

    def _contacts(self, cell: str) -> list[str]:
        """Whoever a cell may mean."""
        if self._hashed:
            text = cell.strip().lower()
            return [hashed_contact(text)] if _DIGEST.fullmatch(text) else []
        answer = self._addresses.read(cell)
        if not isinstance(answer, Refusal):
            return [contact_of(answer)]
        digits = _DIGITS.fullmatch(_BETWEEN_DIGITS.sub("", cell))
        if digits is None:
            return []
        answers = [self._addresses.read(f"{start}{digits[1]}") for start in ("+", "0")]
        return [contact_of(answer) for answer in answers if not isinstance(answer, Refusal)]


class ListEncodingError(SuppressionError):
    """It is not UTF-8: read as any bytes it may be understood all the same."""
