"""A person's number in texts that are not theirs: other people's cells, messages of Studio's, reasons somebody typed.

Numbers are told by their national digits, however they are written: `+1 202 555 0123`, `(202) 555-0123`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from dispatcher.model import contact_of

#: Fewer digits would be found in anything.
DIGITS_MIN = 6
_NO_DIGITS = bytes(set(range(256)) - set(b"0123456789"))
_BETWEEN = r"[\s().\-/\u00a0\u2010-\u2015]*"


@dataclass(frozen=True, slots=True)
class Person:
    """Who is to be forgotten."""

    #: As `model.contact_of` gives it.
    contact: str
    #: The digits of a phone number without its country code; empty: it is none.
    number: str = ""

    @property
    def sought(self) -> str:
        """The number as `struck` takes it."""
        return f"{self.contact[1 : -len(self.number)]} {self.number}" if self.number else ""

    @property
    def hint(self) -> str:
        """What every address of the person has, to leave most aside quickly."""
        return self.number[-2:] or self.contact

    @property
    def digit(self) -> str:
        """What every text has that names the person: the digits of a number may stand apart in it."""
        return self.number[-1:] or self.contact

    def may_be_in(self, data: bytes) -> bool:
        """Whether cells as they are stored may name the person; quick, and true too often."""
        if self.number:
            return self.number.encode() in data.translate(None, _NO_DIGITS)
        return self.contact.encode("utf-8", "surrogatepass") in data

    def without(self, cell: str) -> str:
        """A cell without the person; itself where they are not in it."""
        if self.number:
            return struck(cell, self.sought) or ""
        return "" if contact_of(cell.strip()) == self.contact else cell


def struck(text: str | None, sought: str) -> str | None:
    """A text without a number, and nothing else of it changed.

    `sought`: the country code, a space and the national digits. A number with a plus and another country's
    code is another person's; any other is taken for theirs.
    """
    code, _, number = sought.rpartition(" ")
    if not text or len(number) < DIGITS_MIN:
        return text
    return _pattern(number).sub(lambda match: match[0] if _is_foreign(match["before"], code) else "", text)


def _is_foreign(before: str | None, code: str) -> bool:
    if before is None or not before.startswith("+"):
        return False
    # No country code begins with a zero.
    digits = "".join(filter(str.isdecimal, before)).lstrip("0")
    return digits != "" and not digits.startswith(code)


@lru_cache(maxsize=16)
def _pattern(number: str) -> re.Pattern[str]:
    """The number, and before it what belongs to it: a plus and a country code, a trunk's zero."""
    return re.compile(rf"(?P<before>\+?(?<!\d)\d(?:{_BETWEEN}\d){{0,4}}{_BETWEEN})?\(?{_BETWEEN.join(number)}")
