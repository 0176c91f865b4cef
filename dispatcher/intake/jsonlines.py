"""JSON Lines: one object a line, its keys as columns, streamed.

The columns are the keys of the first thousand lines, in the order in which they appear; a missing key is an empty cell.
A later line with a new key is malformed: it is not dropped in silence. Numbers stay as written (1.10, not 1.1).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from dispatcher.errors import InputError
from dispatcher.intake.rows import CHUNK_BYTES, CHUNK_ROWS, COLUMNS_MAX, Chunk, Malformed, RowChunk
from dispatcher.intake.sources import Source
from dispatcher.intake.text import Text, Undecodable, check_utf8, undecodable

_HEADER_LINES = 1_000
_LINE_MAX_BYTES = 64 << 20
_TOO_DEEP = "the line is nested too deeply"


class _Literal(str):
    """A number, true, false or null as written."""

    __slots__ = ()


class JsonLinesTable:
    """A JSON Lines file, its columns known. Rows are as `rows.Table` says; a row's number is its line's."""

    def __init__(self, source: Source, *, encoding: str | None) -> None:
        """Raises: InputError: the first lines hold no object, or no text."""
        self.notes: list[str] = []
        self._source = source
        self._text = Text(source.content, encoding)
        self._lines = self._numbered_lines()
        self._head: list[tuple[int, bytes]] = []
        keys: dict[str, int] = {}
        problem = None
        for number, line in self._lines:
            self._head.append((number, line))
            item, wrong = _parse(line)
            problem = problem or (wrong and f"line {number}: {wrong}")
            for key in item or ():
                keys.setdefault(key, len(keys))
            if len(self._head) >= _HEADER_LINES:
                break
        if not self._head:
            raise InputError(f"{source.name} is empty", fix="put one JSON object for each contact on a line of its own")
        if not keys:
            raise InputError(
                f"{source.name} has no JSON object in its first lines",
                found=problem,
                fix="put one JSON object on each line",
            )
        if len(keys) > COLUMNS_MAX:
            raise InputError(f"{source.name} has more than {COLUMNS_MAX:,} columns", found=f"{len(keys):,} keys")
        self._keys = keys
        self.header: Sequence[str] = list(keys)

    @property
    def total_bytes(self) -> int | None:
        return self._source.total_bytes

    @property
    def done_bytes(self) -> int:
        return self._source.done_bytes

    def sha256(self) -> str:
        return self._source.sha256()

    def close(self) -> None:
        self._source.close()

    def check_used(self, to: int, used: Collection[int]) -> None:
        """Any column may be used: what is wrong is in single cells."""

    def chunks(self, kept: Sequence[int] | None) -> Iterator[Chunk]:
        numbers: list[int] = []
        rows: list[Sequence[str]] = []
        malformed: dict[int, Malformed] = {}
        size = 0
        for number, line in self._all_lines():
            row, problem = self._row(line)
            if problem is not None:
                malformed[len(rows)] = Malformed(problem, line.decode("utf-8").rstrip("\r"))
            numbers.append(number)
            rows.append(row if kept is None else [row[index] for index in kept])
            size += len(line)
            if size >= CHUNK_BYTES or len(rows) >= CHUNK_ROWS:
                yield RowChunk(numbers, rows, malformed)
                numbers, rows, malformed, size = [], [], {}, 0
        if rows:
            yield RowChunk(numbers, rows, malformed)

    def _row(self, line: bytes) -> tuple[list[str], str | None]:
        """The cells, and why the line is malformed, if it is."""
        row = [""] * len(self._keys)
        item, problem = _parse(line)
        if item is None:
            return row, problem
        for key, value in item.items():
            index = self._keys.get(key)
            if index is None:
                problem = f"the key {json.dumps(key[:40])} is not among those of the first {_HEADER_LINES:,} lines"
            else:
                try:
                    row[index] = _cell(value)
                except RecursionError:
                    problem = _TOO_DEEP
        return row, problem

    def _all_lines(self) -> Iterator[tuple[int, bytes]]:
        head, self._head = self._head, []
        yield from head
        yield from self._lines

    def _numbered_lines(self) -> Iterator[tuple[int, bytes]]:
        """Every line with something on it, with its number."""
        rest, number = b"", 0
        while True:
            try:
                data = self._text.read(CHUNK_BYTES)
            except Undecodable as error:
                row = number + 1 + (rest + error.before).count(b"\n")
                raise undecodable(self._source.name, self._text.encoding, row, error.found) from None
            lines = (rest + data).split(b"\n")
            rest = lines.pop() if data else b""
            if len(rest) > _LINE_MAX_BYTES:
                raise InputError(
                    f"{self._source.name}, line {number + len(lines) + 1}: longer than {_LINE_MAX_BYTES >> 20} MiB",
                    fix="check that this is the right file",
                )
            for line in lines:
                number += 1
                broken = check_utf8(line)
                if broken is not None:
                    raise undecodable(self._source.name, self._text.encoding, number, broken[1])
                if line.strip():
                    yield number, line
            if not data:
                return


def _parse(line: bytes) -> tuple[dict[str, Any] | None, str | None]:
    try:
        item = _DECODER.decode(line.decode("utf-8"))
    except RecursionError:
        return None, _TOO_DEEP
    except ValueError as error:
        found = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        return None, f"the line is not JSON ({found})"
    if not isinstance(item, dict):
        return None, "the line is JSON, but no object"
    return item, None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    item = {_whole(key): value for key, value in pairs}
    if len(item) != len(pairs):
        raise ValueError("a key is there twice")
    return item


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


_DECODER = json.JSONDecoder(
    parse_int=_Literal, parse_float=_Literal, parse_constant=_constant, object_pairs_hook=_pairs, strict=True
)


def _cell(value: Any) -> str:
    """A value as text: strings and numbers as written, null as nothing, lists and objects as JSON."""
    if value is None:
        return ""
    return _whole(value) if isinstance(value, str) else _json(value)


def _whole(text: str) -> str:
    """Half a surrogate pair ("\\ud800") is no character, and nothing could write it down again."""
    return str(text) if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _json(value: Any) -> str:
    match value:
        case _Literal():
            return str(value)
        case dict():
            return "{" + ",".join(f"{_json(key)}:{_json(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ",".join(map(_json, value)) + "]"
        case str():
            return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode("utf-8")
        case _:
            return json.dumps(value)
