"""XML of many small elements, read by a byte scan where that proves their form, and by a parser everywhere else.

A parser calls back a dozen times for a row that Excel writes always alike. A scan takes such a row as a whole; whatever
is not of that form, be it one row among others, the parser gets. It never sees what was scanned, and need not: between
two elements it is in the same state without it.
"""

from __future__ import annotations

from typing import IO, Any, Protocol

_PIECE = 1 << 18
#: An element that is longer is not waited for.
_ELEMENT_MAX = 1 << 22
#: What may hide where an element ends.
_HIDING = (b"<!", b"<?")


class Reader(Protocol):
    """What reads the elements, and keeps them."""

    #: The parser stands in the container, behind its start or behind one of its elements.
    is_between: bool

    @property
    def count(self) -> int:
        """How many elements there are so far."""

    def scan(self, data: bytes, start: int) -> int:
        """Take elements of the plain form, as many as there are from `start` on; returns where the next is not."""

    def feed(self, data: bytes, is_final: bool, /) -> Any:
        """Give the parser some bytes. Sets `is_between` at the container's start, and clears it at anything else."""


def read_piece(
    reader: Reader, file: IO[bytes], rest: bytes, *, container: bytes, element: bytes, ending: bytes
) -> bytes | None:
    """Read some more of the file. Returns what of it is to be read with the next piece; None: it is read whole.

    `container`, `element`: how their start tags begin (`<sheetData`, `<row `); `ending`: the element's end tag. Raises:
    what the reader raises.
    """
    piece = file.read(_PIECE)
    data, start = rest + piece, 0
    while start < len(data):
        if reader.is_between:
            start = reader.scan(data, start)
            end = data.find(ending, start)
            if end < 0 and piece and len(data) - start < _ELEMENT_MAX:
                return data[start:]
            one = data[start : end + len(ending)] if end >= 0 else b""
            before = reader.count
            if one.startswith(element) and not any(mark in one for mark in _HIDING):
                reader.feed(one, False)
                start += len(one)
                reader.is_between = reader.count == before + 1
                continue
            reader.is_between = False
        at = data.find(element, start)
        stop = at if at > start else len(data)
        before_it = data[start:stop]
        reader.feed(before_it, False)
        opened = before_it.rfind(container)
        if opened < 0 or at < 0 or any(mark in before_it[opened:] for mark in _HIDING):
            reader.is_between = False
        start = stop
    if piece:
        return b""
    reader.feed(b"", True)
    return None
