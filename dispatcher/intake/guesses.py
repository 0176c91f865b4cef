"""What a table that nobody has explained looks like: where its names stand, which column has the numbers, of where.

Pure, and only for questions: a guess is shown to a person, who answers. Nothing is ever sent by one.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dispatcher.intake.header import visible
from dispatcher.intake.phones import Addresses
from dispatcher.rules.places import Place, Places

#: Of a row above others: it has so large a share of their cells, or it is a title.
_NAMED_SHARE = 0.6
#: Of a column's cells: so many look like numbers where it is the numbers' column, and may where it is not.
_NUMBERS_SHARE = 0.8
_OTHERS_SHARE = 0.2
#: And so many where the name says nothing.
_LIKELY_SHARE = 0.5
#: Of the numbers without a country code: so many must be a country's for it to be guessed.
_VALID_SHARE = 0.8

_SCHEME = re.compile(r"(?:whatsapp|tel):", re.IGNORECASE)
_NUMBER = re.compile(r"[+(]?[\d\s()./\-\u00a0\u2010-\u2015]+", re.ASCII)
_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}(?:[T ].*)?", re.ASCII)
_DECIMAL = re.compile(r"\d+[.,]\d{1,2}", re.ASCII)
_DIGITS = range(7, 16)

#: What the name of a column of mobile numbers holds, and of any telephone's, without accents.
_MOBILE = re.compile(r"mobil|handy|\bcell|gsm|whatsapp|\bsms\b|\bmovil|celular|cellulare|\bportable\b")
_PHONE = re.compile(r"phone|telef|\bfone\b|rufnummer|\btel\b|msisdn|\A(?:number|numero|nummer|to)\Z")


@dataclass(frozen=True, slots=True)
class ColumnLook:
    """How a column's first cells look."""

    name: str
    position: int
    #: Cells that are not empty, and those of them that look like phone numbers.
    filled: int
    numbers: int

    @property
    def share(self) -> float:
        """Of the filled cells, those that look like numbers."""
        return self.numbers / self.filled if self.filled else 0.0


@dataclass(frozen=True, slots=True)
class NumbersGuess:
    """Which column has the numbers. `name` None: none looks like it. `is_certain`: its name and its cells say so, and
    no other column's cells do."""

    name: str | None
    is_certain: bool = False


@dataclass(frozen=True, slots=True)
class RegionGuess:
    """Of which country numbers without a country code may be."""

    #: Whether there are any.
    is_needed: bool
    #: None: nothing tells it.
    country: str | None = None


def is_like_number(text: str) -> bool:
    """Whether a cell looks like a phone number, right or wrong; dates and amounts do not."""
    bare = _SCHEME.sub("", text.strip().lstrip("'\u2019"), count=1)
    digits = sum(map(str.isdigit, bare))
    if digits not in _DIGITS or not _NUMBER.fullmatch(bare):
        return False
    return not _DATE.fullmatch(bare) and not _DECIMAL.fullmatch(bare)


def has_code(text: str) -> bool:
    """Whether a number says its country: +, 00, or a scheme before a plus."""
    bare = _SCHEME.sub("", text.strip().lstrip("'\u2019"), count=1).lstrip("(")
    return bare.startswith(("+", "00"))


def header_row(first: Sequence[str], below: Sequence[tuple[int, Sequence[str]]]) -> int | None:
    """The number of the row that has the columns' names; 0: the first one has. None: no row looks like it.

    `first`: the first row that is not blank; `below`: the rows after it, each with its number. Names are texts that are
    no values, in about as many cells as the rows below have.
    """
    candidates = [(0, first), *((number, cells) for number, cells in below if _filled(cells))]
    found: int | None = None
    for at, (number, cells) in enumerate(candidates):
        following = [row for _, row in candidates[at + 1 : at + 21]]
        if any(map(is_like_number, cells)):
            break  # below a contact no names stand
        if any(map(_is_value, cells)):
            continue
        if not following:
            return 0 if at == 0 and _filled(first) else found
        usual = sorted(map(_filled, following))[len(following) // 2]
        values = list(map(_is_value, following[0]))
        names_them = all(at < len(cells) and cells[at].strip() for at, is_one in enumerate(values) if is_one)
        if found is None and _filled(cells) >= _NAMED_SHARE * usual and names_them:
            found = number
            if _filled(cells) >= usual:
                return found
        elif found is not None and _filled(cells) >= usual and names_them and any(values):
            # What is above is a title of several cells.
            return number
    return 0 if found is None and _filled(first) and not any(map(_is_value, first)) else found


def column_looks(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[ColumnLook]:
    """How each column looks. `rows`: each as wide as the header."""
    looks = []
    for position, name in enumerate(header):
        cells = [row[position] for row in rows if row[position].strip()]
        looks.append(ColumnLook(visible(name), position, len(cells), sum(map(is_like_number, cells))))
    return looks


def numbers_column(looks: Iterable[ColumnLook]) -> NumbersGuess:
    """The column with the contacts' numbers: by its cells, and of several by its name, mobiles first."""
    found = [look for look in looks if look.name and look.share >= _OTHERS_SHARE]
    likely = [look for look in found if look.share >= _LIKELY_SHARE or _rank(look.name)]
    likely.sort(key=lambda look: (-_rank(look.name), -look.share))
    if not likely:
        return NumbersGuess(None)
    best = likely[0]
    if len(likely) > 1 and _rank(likely[1].name) == _rank(best.name) and likely[1].share >= best.share:
        return NumbersGuess(None)
    certain = len(found) == 1 and best.share >= _NUMBERS_SHARE and _rank(best.name) > 0
    return NumbersGuess(best.name, certain)


def region(numbers: Iterable[str]) -> RegionGuess:
    """The country of the numbers without a country code, as those that have one tell it, where it fits the others."""
    texts = [text for text in numbers if is_like_number(text)]
    without = [text for text in texts if not has_code(text)]
    if not without:
        return RegionGuess(False)
    addresses, _ = Addresses(None).read_column(
        [f"+{text.strip()[2:]}" if text.strip().startswith("00") else text for text in texts]
    )
    places = Places().of_column([address for address in addresses if address is not None])
    seen = Counter(place.country for place in places if isinstance(place, Place) and place.country)
    for country, _ in seen.most_common(3):
        if valid_with(without, country) >= _VALID_SHARE * len(without):
            return RegionGuess(True, country)
    return RegionGuess(True)


def valid_with(numbers: Sequence[str], country: str | None) -> int:
    """How many of them can be sent to where numbers without a code are of this country. Raises: ValueError: none is."""
    addresses, _ = Addresses(country).read_column(numbers)
    return sum(address is not None for address in addresses)


def _filled(cells: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in cells)


def _is_value(cell: str) -> bool:
    """Whether a cell is rather a value than a name: a number, a date, an address."""
    text = cell.strip()
    return bool(text) and ("@" in text or is_like_number(text) or _DATE.fullmatch(text) is not None or _is_amount(text))


def _is_amount(text: str) -> bool:
    return re.fullmatch(r"[+\-]?\d+(?:[.,]\d+)*", text, re.ASCII) is not None


def _rank(name: str) -> int:
    plain = "".join(
        letter for letter in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(letter)
    )
    plain = plain.replace("_", " ")
    return 2 if _MOBILE.search(plain) else int(_PHONE.search(plain) is not None)
