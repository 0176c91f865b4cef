"""How numbers are written in cells, and what spreadsheets make of them."""

from __future__ import annotations

import re
import unicodedata

#: Everything that a number may be written with, besides digits and plus.
DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
PUNCTUATION = str.maketrans("", "", " \t()./" + DASHES)
_ALLOWED = re.compile(rf"[\d+\s()./{DASHES[1:]}\-]*", re.ASCII)

_EXPONENT = re.compile(r"([+-]?\d+(?:[.,]\d*)?)[eE][+-]?\d+", re.ASCII)
_FLOAT = re.compile(r"\+?\d{4,}[.,]\d{1,2}0*", re.ASCII)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3}){2,}(?:\.\d+)?", re.ASCII)
#: In its user's language (#WERT!), and LibreOffice's.
_SHEET_ERROR = re.compile(r"#(?:[¡¿]?[^\W\d]{1,14}(?:/[^\W\d]|/0)?[!?]?|#+)|Err:\d{3}")
_DATE = re.compile(
    r"(?:19|20)\d\d(?P<a>[-/.])(?:0?[1-9]|1[0-2])(?P=a)(?:0?[1-9]|[12]\d|3[01])"
    r"|(?:0?[1-9]|[12]\d|3[01])(?P<b>[-/.])(?:0?[1-9]|[12]\d|3[01])(?P=b)(?:19|20)\d\d",
    re.ASCII,
)
_EXTENSION = re.compile(
    r"(?:(?<![a-z])(?:ext\w*|x|poste|anexo|int|durchwahl|доб)|#)\.?\s*:?\s*\d{1,7}\s*#?\Z", re.IGNORECASE
)
#: Marks that a spreadsheet is told with to keep a text, or that typing and programs make of them.
_GUARDS = (
    "'\"`\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2032\u2033\u02b9\u02bb\u02bc\u00ab\u00bb\u2039\u203a "
)
#: The ASCII characters as typed between full-width digits, and how far they are from those.
_FULL_WIDTH, _WIDENED = range(0xFF01, 0xFF5F), 0xFEE0
#: Words that people and programs write where there is nothing.
_NOTHING = frozenset(
    {"", "n/a", "n.a.", "na", "nan", "none", "null", "(null)", "\\n", "nil", "nat", "unknown", "tbd", "?"}
)


def clean(text: str) -> str:
    """Without what nobody sees: outer spaces, no-break spaces, zero-width and direction marks, Excel's apostrophe.

    Decimal digits of other scripts (full-width, Arabic-Indic) become ASCII digits: they are the same numbers.
    """
    if not text.isascii():
        characters = []
        for character in text:
            if character.isdecimal():
                characters.append(str(unicodedata.digit(character)))
            elif ord(character) in _FULL_WIDTH:
                characters.append(chr(ord(character) - _WIDENED))
            elif (category := unicodedata.category(character)) == "Zs":
                characters.append(" ")
            elif category != "Cf":
                characters.append(character)
        text = "".join(characters)
    text = text.strip()
    if text[:2] == '="' and text[-1:] == '"' and len(text) > 3:
        text = text[2:-1].strip()  # Excel's other way to keep a text
    bare = text.lstrip(_GUARDS)
    return text if bare == text else bare.rstrip(_GUARDS)


def is_nothing(text: str) -> bool:
    """Whether a clean text stands for no number at all."""
    return text.strip(f"{DASHES}./_").lower() in _NOTHING or text.lower() in _NOTHING


def is_date(text: str) -> bool:
    """Whether it is a day with its year. Where numbers have as many digits, it would be somebody's."""
    return _DATE.fullmatch(text) is not None


def is_sheet_error(text: str) -> bool:
    """Whether a spreadsheet wrote it in the place of a result."""
    return _SHEET_ERROR.fullmatch(text) is not None


def mangling(text: str) -> str | None:
    """What a spreadsheet did to the number, if it did."""
    first = text[0]
    if is_sheet_error(text):
        return f"{text[:16]} is a spreadsheet's error, not a number"
    if first == "=":
        return "the cell holds a formula, not its result"
    if _EXPONENT.fullmatch(text):
        return f"{shown(text)} is a rounded number (E-notation): its last digits are lost"
    if _FLOAT.fullmatch(text):
        return f"{shown(text)} was turned into a decimal number; its + or leading zeros may be lost"
    if _THOUSANDS.fullmatch(text):
        return f"{shown(text)} was turned into an amount; its + or leading zeros may be lost"
    if is_date(text):
        return f"{shown(text)} is a date, not a number"
    if first in DASHES and text[1:2].isdigit():
        return f"{shown(text)} is a negative number"
    return None


def obstacle(text: str) -> str | None:
    """Why the text is not one plain number, if it is not."""
    if text.count("+") > 1 or "+" in text.lstrip("( \t")[1:]:
        return f"{shown(text)} has a + inside: two numbers in one cell?"
    if _ALLOWED.fullmatch(text):
        return None
    if _EXTENSION.search(text) and sum(map(str.isdigit, text)) >= 7:
        return f"{shown(text)} has an extension, which cannot be reached"
    letters = [character for character in text if character.isalpha()]
    if letters:
        return f"{shown(text)} has letters in it"
    strange = next(character for character in text if not _ALLOWED.fullmatch(character))
    return f"{shown(text)} has {strange!r} in it"


def shown(text: str) -> str:
    """The value as a message may show it: numbers by their last digits only, other texts by their beginning."""
    exponent = _EXPONENT.fullmatch(text)
    if sum(map(str.isdigit, exponent[1] if exponent else text)) >= 7:
        return f"…{text[-4:]}"
    return repr(text if len(text) <= 20 else text[:17] + "…")
