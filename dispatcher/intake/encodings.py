"""What a text would look like in the encodings that it may be in: for a person to choose by names that they know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dispatcher.intake.text import has_mark

#: By how often exports are in them: Western, Central European and Cyrillic Windows, Macs, DOS, Japanese, Chinese.
LIKELY = ("cp1252", "cp1250", "cp1251", "mac-roman", "cp437", "shift_jis", "gb18030")
#: So much of a file is looked at.
LOOKED_AT_BYTES = 1 << 20
_SHOWN_MAX = 60


@dataclass(frozen=True, slots=True)
class Sample:
    """A line of the file, as an encoding reads it."""

    encoding: str
    text: str


def samples(path: Path) -> list[Sample]:
    """The first line that is no UTF-8, in each encoding in which it is text; none where there is no such line.

    Encodings that read it alike are one. Blocking; a file that cannot be read has none.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LOOKED_AT_BYTES)
    except OSError:
        return []
    if has_mark(data) or b"\0" in data or data.startswith((b"PK\x03\x04", b"PAR1", b"\x1f\x8b")):
        return []
    whole, _, _ = data.rpartition(b"\n") if len(data) == LOOKED_AT_BYTES else (data, b"", b"")
    try:
        whole.decode("utf-8")
    except UnicodeDecodeError as error:
        start = whole.rfind(b"\n", 0, error.start) + 1
        end = whole.find(b"\n", error.start)
        line = whole[start : len(whole) if end < 0 else end].strip()
    else:
        return []
    found: dict[str, str] = {}
    for encoding in LIKELY:
        try:
            text = line.decode(encoding)
        except UnicodeDecodeError:
            continue
        if text.isprintable() or "\t" in text:
            found.setdefault(_around(text), encoding)
    return [Sample(encoding, text) for text, encoding in found.items()]


def _around(text: str) -> str:
    """The part of a line that has letters beyond ASCII."""
    first = next((at for at, letter in enumerate(text) if not letter.isascii()), 0)
    start = max(0, first - _SHOWN_MAX // 2)
    return text[start : start + _SHOWN_MAX]
