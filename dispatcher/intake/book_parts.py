"""What a workbook's sheets share: the table of strings and the styles' number formats (ISO/IEC 29500-1, 18.4, 18.8)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import IO, Any
from xml.parsers import expat

from dispatcher.intake.numbers import Format
from dispatcher.intake.scanning import read_piece
from dispatcher.intake.unopenable import Unopenable

#: A text as Excel writes nearly all; others are the parser's: escapes, entities, letters beyond ASCII, formatted runs.
_PLAIN_STRING = re.compile(rb'<si><t(?: xml:space="preserve")?>([ -%\'-;=?-\\^`-~]*)</t></si>')
#: A character by its number; one beyond the first 65,536 by two.
_ESCAPED = re.compile(
    "_x([Dd][89ABab][0-9A-Fa-f]{2})__x([Dd][C-Fc-f][0-9A-Fa-f]{2})_|_x(?![Dd][89A-Fa-f])([0-9A-Fa-f]{4})_"
)


def refuse_entity(*_: object) -> None:
    raise Unopenable("declares entities of its own, as no workbook does", None, "save the sheet as CSV")


def unescaped(text: str) -> str:
    """A text with the characters that XML cannot hold: _x000D_ is a carriage return (22.9.2.19)."""
    return _ESCAPED.sub(_character, text) if "_x" in text else text


def _character(found: re.Match[str]) -> str:
    if found[3]:
        return chr(int(found[3], 16))
    return bytes.fromhex(found[1] + found[2]).decode("utf-16-be")


class _Strings:
    """The table of strings, as it is read; see `scanning.Reader`."""

    def __init__(self) -> None:
        self.strings: list[str] = []
        self.is_between = False
        self._parts: list[str] = []
        self._is_on = False
        self._phonetic = 0
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler, parser.EntityDeclHandler = self._characters, refuse_entity
        self.feed: Callable[[bytes, bool], Any] = parser.Parse

    @property
    def count(self) -> int:
        return len(self.strings)

    def scan(self, data: bytes, start: int) -> int:
        """See `scanning.Reader`."""
        strings = self.strings
        while match := _PLAIN_STRING.match(data, start):
            strings.append(match[1].decode())
            start = match.end()
        return start

    def _start(self, name: str, _: dict[str, str]) -> None:
        self.is_between = name == "sst"
        name = name.rpartition(":")[2]
        if name == "t":
            self._is_on = not self._phonetic
        elif name == "si":
            self._parts.clear()
        elif name == "rPh":
            self._phonetic += 1

    def _end(self, name: str) -> None:
        self.is_between = False
        name = name.rpartition(":")[2]
        if name == "t":
            self._is_on = False
        elif name == "si":
            self.strings.append(unescaped("".join(self._parts)))
        elif name == "rPh":
            self._phonetic -= 1

    def _characters(self, text: str) -> None:
        if self._is_on:
            self._parts.append(text)


def read_strings(file: IO[bytes]) -> list[str]:
    """The table of strings, without their phonetic readings."""
    reader = _Strings()
    rest: bytes | None = b""
    try:
        while rest is not None:
            rest = read_piece(reader, file, rest, container=b"<sst", element=b"<si>", ending=b"</si>")
    except expat.ExpatError as error:
        raise Unopenable("is damaged: its texts cannot be read", str(error), "save it again, or as CSV") from None
    return reader.strings


def read_formats(file: IO[bytes]) -> dict[int, Format]:
    """The number format of each style of a cell, by its number. Raises: Unopenable: they cannot be read."""
    codes: dict[int, str] = {}
    formats: dict[int, Format] = {}
    inside: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if name == "numFmt":
            codes[int(attributes.get("numFmtId", 0))] = attributes.get("formatCode", "")
        elif name == "xf" and inside and inside[-1] == "cellXfs":
            number = int(attributes.get("numFmtId", 0))
            formats[len(formats)] = Format(number, codes.get(number))
        inside.append(name)

    def end(_: str) -> None:
        inside.pop()

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.EntityDeclHandler = refuse_entity
    try:
        parser.Parse(file.read(64 << 20), True)
    except (expat.ExpatError, ValueError) as error:
        # Without them a date would go out as the number of its day.
        raise Unopenable("is damaged: its styles cannot be read", str(error), "save it again, or as CSV") from None
    return formats
