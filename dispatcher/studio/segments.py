"""How a text travels as SMS: GSM-7 or UCS-2, and in how many segments. Pure.

The alphabet is 3GPP TS 23.038's default one with its extension table, as `gsm0338` has it; national tables are not used
by Twilio. A text that fits one message has 160 septets or 70 UTF-16 units; else each segment gives up 7 or 3 of them to
the header that joins them (twilio.com/docs/glossary/what-sms-character-limit). Neither an escaped character nor a
surrogate pair is split between two segments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

#: The most characters that Twilio takes in one text (error 21617).
CHARACTERS_MAX = 1_600
#: So many of the characters that force UCS-2 are named.
FORCING_MAX = 8

_GSM_SINGLE, _GSM_JOINED = 160, 153
_UCS_SINGLE, _UCS_JOINED = 70, 67
_ESCAPE = 0x1B


class Encoding(StrEnum):
    """What a text is sent in."""

    gsm_7 = "GSM-7"
    ucs_2 = "UCS-2"


@dataclass(frozen=True, slots=True)
class Size:
    """How large a text is on its way."""

    characters: int
    encoding: Encoding
    #: An empty text has none.
    segments: int
    #: The characters that GSM-7 does not have, in their order, each once; the first FORCING_MAX of them.
    forcing: tuple[str, ...] = ()


def size_of(text: str) -> Size:
    """The text's size as SMS."""
    alphabet = _alphabet()
    if alphabet.gsm.fullmatch(text) is None:
        forcing = tuple(dict.fromkeys(alphabet.other.findall(text)))[:FORCING_MAX]
        return Size(len(text), Encoding.ucs_2, _ucs_segments(text), forcing)
    if len(text) <= _GSM_SINGLE // 2:
        return Size(len(text), Encoding.gsm_7, int(bool(text)))
    return Size(len(text), Encoding.gsm_7, _gsm_segments(text, alphabet))


@dataclass(frozen=True, slots=True)
class _Alphabet:
    gsm: re.Pattern[str]
    #: One character that is not in it.
    other: re.Pattern[str]
    #: One character that takes two septets.
    escaped: re.Pattern[str]


@cache
def _alphabet() -> _Alphabet:
    from gsm0338 import Codec

    codec = Codec()
    plain = "".join(codec.decode(bytes([code]))[0] for code in range(128) if code != _ESCAPE)
    pairs = (codec.decode(bytes([_ESCAPE, code]), "ignore")[0] for code in range(128) if code != _ESCAPE)
    escaped = "".join(pair for pair in pairs if pair)
    every = re.escape(plain + escaped)
    return _Alphabet(re.compile(f"[{every}]*"), re.compile(f"[^{every}]"), re.compile(f"[{re.escape(escaped)}]"))


def _gsm_segments(text: str, alphabet: _Alphabet) -> int:
    escaped = [found.start() for found in alphabet.escaped.finditer(text)]
    septets = len(text) + len(escaped)
    if septets <= _GSM_SINGLE:
        return 1
    if not escaped:
        return -(-septets // _GSM_JOINED)
    wide = frozenset(escaped)
    return _filled((2 if at in wide else 1 for at in range(len(text))), _GSM_JOINED)


def _ucs_segments(text: str) -> int:
    if text.isascii() or max(text) <= "\uffff":
        units = len(text)
        return 1 if units <= _UCS_SINGLE else -(-units // _UCS_JOINED)
    widths = [2 if letter > "\uffff" else 1 for letter in text]
    return 1 if sum(widths) <= _UCS_SINGLE else _filled(widths, _UCS_JOINED)


def _filled(widths: Iterable[int], room: int) -> int:
    """How many segments of that room hold characters of these widths, none of them split."""
    segments, used = 1, 0
    for width in widths:
        if used + width > room:
            segments, used = segments + 1, 0
        used += width
    return segments
