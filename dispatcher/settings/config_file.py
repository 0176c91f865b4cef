"""config.toml as people write it: read, or said line by line what keeps it from being read.

tomllib stops at the first error and names a line and a column. Somebody who has edited the file in Notepad needs to
know what is wrong with the line, and how it must look.
"""

from __future__ import annotations

import codecs
import re
import tomllib
from pathlib import Path
from typing import Any

from dispatcher.errors import SettingsError
from dispatcher.remedies import Command

#: What word processors make of quotation marks.
_CURLY = re.compile("[\u201c\u201d\u201e\u201f\u00ab\u00bb\u2018\u2019\u201a]")
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'")
_COLON = re.compile(r"^\s*([A-Za-z_]\w*)\s*:\s*(.+)$")
_BARE = re.compile(r"^\s*([A-Za-z_]\w*)\s*=\s*([^\"'\[{#\s][^#]*?)\s*(?:#.*)?$")
_PATH = re.compile(r"=\s*\"([^\"]*\\[^\"]*)\"")
_LINE = re.compile(r"at line (\d+)")
_SHOWN_MAX = 60
_VALUES = re.compile(r"true|false|-?\d{1,9}(?:\.\d+)?")


def read(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The file's tables, and the problems that keep it from being read (then there are no tables).

    Raises: SettingsError: it is not there, or may not be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist", fix=Command("config init")) from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read", found=error.strerror, fix=f"chmod u+r {path}") from None
    try:
        text = _text(data)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return {}, [f"{path}, line {line}: not UTF-8; save the file as UTF-8"]
    try:
        return tomllib.loads(text), []
    except tomllib.TOMLDecodeError as error:
        return {}, [f"{path}, {problem}" for problem in _problems(text, str(error))]


def _text(data: bytes) -> str:
    """Notepad saves UTF-8 with a mark, and "Unicode", which is UTF-16."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16").replace("\r\n", "\n")
    return data.decode("utf-8-sig").replace("\r\n", "\n")


def _problems(text: str, error: str) -> list[str]:
    lines = text.split("\n")
    found = [
        f"line {number}: {why}" for number, line in enumerate(lines, 1) if (why := _wrong(line)) is not None
    ] + _repeated(lines)
    if found:
        return found
    at = _LINE.search(error)
    if at is None:
        return [f"at its end: {error}"]
    number = int(at[1])
    line = lines[number - 1] if number <= len(lines) else ""
    return [f"line {number}: {error.partition(' (at line')[0]}; it reads: {_shown(line)}"]


def _wrong(line: str) -> str | None:
    """What is wrong with a line, of what people do most."""
    code = _QUOTED.sub('""', line)
    code = code.partition("#")[0]
    if _CURLY.search(code):
        plain = _CURLY.sub('"', line).strip()
        return f"typographic quotation marks; it must read: {_shown(plain)}"
    path = _PATH.search(line)
    if path and _is_no_escape(path[1]):
        return f"a backslash in double quotation marks; write '{_shown(path[1])}' in single ones, or / instead"
    colon = _COLON.match(code)
    if colon:
        return f"a colon; it must read: {colon[1]} = {_value(line.partition(':')[2])}"
    bare = _BARE.match(code)
    if bare and not _VALUES.fullmatch(bare[2]):
        return f"a text without quotation marks; it must read: {bare[1]} = {_in_quotes(bare[2])}"
    return None


def _is_no_escape(text: str) -> bool:
    try:
        tomllib.loads(f'value = "{text}"')
    except tomllib.TOMLDecodeError:
        return True
    return False


def _value(text: str) -> str:
    text = text.strip()
    is_value = text.startswith(('"', "'", "[", "{")) or _VALUES.fullmatch(text)
    return _shown(text) if is_value else _in_quotes(text)


def _in_quotes(text: str) -> str:
    return f"'{_shown(text)}'" if "\\" in text else f'"{_shown(text)}"'


def _repeated(lines: list[str]) -> list[str]:
    """Tables that stand twice, and names that stand twice in one."""
    seen: dict[str, int] = {}
    found: list[str] = []
    table = ""
    for number, line in enumerate(lines, 1):
        code = line.partition("#")[0].strip()
        header = re.fullmatch(r"\[([\w.]+)\]", code)
        name = re.match(r"([A-Za-z_]\w*)\s*=", code)
        if header:
            table, key = header[1], f"[{header[1]}]"
        elif name:
            key = f"[{table}] {name[1]}" if table else name[1]
        else:
            continue
        if key in seen:
            found.append(f"line {number}: {key} stands in line {seen[key]} already; keep one of them")
        seen.setdefault(key, number)
    return found


def _shown(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 1] + "…"
