"""What a workbook's sheets share: the table of strings and the styles' number formats (ISO/IEC 29500-1, 18.4, 18.8)."""

from __future__ import annotations

import re
from typing import IO
from xml.parsers import expat

from dispatcher.intake.archive import Unopenable
from dispatcher.intake.numbers import Format

_PIECE = 1 << 18
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")


def refuse_entity(*_: object) -> None:
    raise Unopenable("declares entities of its own, as no workbook does", None, "save the sheet as CSV")


def unescaped(text: str) -> str:
    """A text with the characters that XML cannot hold: _x000D_ is a carriage return (22.9.2.19)."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def read_strings(file: IO[bytes]) -> list[str]:
    """The table of strings, without their phonetic readings."""
    strings: list[str] = []
    parts: list[str] = []
    state = {"on": False, "phonetic": 0}

    def start(name: str, _: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if name == "t":
            state["on"] = not state["phonetic"]
        elif name == "si":
            parts.clear()
        elif name == "rPh":
            state["phonetic"] += 1

    def end(name: str) -> None:
        name = name.rpartition(":")[2]
        if name == "t":
            state["on"] = False
        elif name == "si":
            strings.append(unescaped("".join(parts)))
        elif name == "rPh":
            state["phonetic"] -= 1

    def characters(text: str) -> None:
        if state["on"]:
            parts.append(text)

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.EntityDeclHandler = characters, refuse_entity
    try:
        while piece := file.read(_PIECE):
            parser.Parse(piece, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise Unopenable("is damaged: its texts cannot be read", str(error), "save it again, or as CSV") from None
    return strings


def read_formats(file: IO[bytes]) -> list[Format]:
    """The number format of each style of a cell."""
    codes: dict[int, str] = {}
    formats: list[Format] = []
    inside: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if name == "numFmt":
            codes[int(attributes.get("numFmtId", 0))] = attributes.get("formatCode", "")
        elif name == "xf" and inside and inside[-1] == "cellXfs":
            number = int(attributes.get("numFmtId", 0))
            formats.append(Format(number, codes.get(number)))
        inside.append(name)

    def end(_: str) -> None:
        inside.pop()

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.EntityDeclHandler = refuse_entity
    try:
        parser.Parse(file.read(64 << 20), True)
    except (expat.ExpatError, ValueError):
        return []
    return formats


def has_styles(file: IO[bytes], styles: set[str]) -> bool:
    """Whether any cell has one of these styles."""
    pattern = re.compile(rb"\bs=[\"'](?:" + "|".join(sorted(styles)).encode() + rb")[\"']")
    rest = b""
    while piece := file.read(_PIECE):
        piece = rest + piece
        if pattern.search(piece):
            return True
        rest = piece[-32:]
    return False
