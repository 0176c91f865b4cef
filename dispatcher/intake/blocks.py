"""Blocks of delimited text that keep the rules, found fast.

`regular_prefix` finds, with numpy over the few bytes that matter, the longest beginning of a buffer whose records all
have the header's number of fields and whose quotation marks all stand where RFC 4180 puts them. There every parser
agrees, so pandas reads it. What follows is for `records.Records`, record by record.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

_QUOTE, _CR, _LF = 0x22, 0x0D, 0x0A


@dataclass(frozen=True, slots=True)
class Prefix:
    """The regular beginning of a buffer."""

    #: Bytes, up to and with the last record's line end.
    end: int
    records: int
    #: Whether what follows is merely cut off, as far as can be seen.
    rest_is_cut: bool


def regular_prefix(buffer: bytes, delimiter: int, width: int, final: bool) -> Prefix:
    """The longest run of regular records at the buffer's start. `final`: nothing comes after the buffer."""
    size = len(buffer)
    data = np.frombuffer(buffer, dtype=np.uint8)
    has_returns = b"\r" in buffer
    mask = data == delimiter
    mask |= data == _LF
    if has_returns:
        mask |= data == _CR
    irregular_at = size
    open_end = False
    if b'"' in buffer:
        mask |= data == _QUOTE
        places = np.flatnonzero(mask)
        quotes = data[places] == _QUOTE
        inside = np.cumsum(quotes) & 1 == 1
        irregular_at = _misplaced(places, quotes, inside, size)
        open_end = bool(inside[-1])
        places = places[~(inside | quotes)]
    else:
        places = np.flatnonzero(mask)
    kinds = data[places]
    is_end = kinds == _LF
    if has_returns:
        following = np.minimum(places + 1, size - 1)
        lone = (kinds == _CR) & ((data[following] != _LF) | (following == places))
        if not final:
            # A return at the buffer's end may be the first half of a line end.
            lone &= places + 1 < size
        is_end |= lone
    ends = places[is_end] + 1
    fields_before = np.cumsum(kinds == delimiter)[is_end]
    if final and not open_end and size and (len(ends) == 0 or ends[-1] < size):
        ends = np.append(ends, size)
        fields_before = np.append(fields_before, np.count_nonzero(kinds == delimiter))
    ends = ends[: np.searchsorted(ends, irregular_at, side="right")]
    wrong = np.diff(fields_before[: len(ends)], prepend=0) != width - 1
    if width == 1 and len(ends):
        # A line with nothing in it is a blank row, not a row of one empty cell: csv tells them apart.
        wrong |= np.diff(ends, prepend=0) <= 2
    records = int(np.argmax(wrong)) if wrong.any() else len(ends)
    end = int(ends[records - 1]) if records else 0
    return Prefix(end, records, rest_is_cut=records == len(ends) and irregular_at == size and not final)


def _misplaced(places: Places, quotes: Mask, inside: Mask, size: int) -> int:
    """The first quotation mark that neither opens nor closes a whole field; `size` if none.

    One that opens stands at the start, after a delimiter or line end, or right after one that closes (doubled). One
    that closes stands before a delimiter, a line end, one that opens, or the end.
    """
    which = np.flatnonzero(quotes)
    at = places[which]
    opens = inside[which]
    before = np.concatenate(([-1], places[:-1]))[which]
    after = np.concatenate((places[1:], [size]))[which]
    wrong = np.where(opens, before != at - 1, after != at + 1)
    return int(at[np.argmax(wrong)]) if wrong.any() else size
