"""config.toml as people write it: read, or said line by line what keeps it from being read.

tomllib stops at the first error and names a line and a column. Somebody who has edited the file in Notepad needs to
know what is wrong with each line, and how it must look. So a file that cannot be read is taken apart into its
statements; those that are right still count, and those that are not count as they were probably meant, so that all
problems are told in one go. Nothing is ever run with them.
"""

from __future__ import annotations

import codecs
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

from dispatcher.errors import SettingsError
from dispatcher.remedies import Advice, Command, InTurn, Option, Remedy
from dispatcher.settings.credentials import without_secrets
from dispatcher.settings.repairs import QUOTED, UNREADABLE, reads, repaired, value_of
from dispatcher.settings.schema import tables, takes_list

DEFAULT_CONFIG = "config.toml"
_HEADER = re.compile(r"\s*\[\s*([A-Za-z_][\w.-]*)\s*\]\s*(?:#.*)?")
_ONE_LINE = re.compile(r"\s*\[\s*([A-Za-z_][\w.-]*)\s*\]\s*([A-Za-z_][\w-]*\s*=.*)", re.DOTALL)
_NAME = re.compile(r"\s*\"?([A-Za-z_][\w-]*)\"?\s*[=:]")
#: A profile's settings are named as the others are, behind its own name: profiles.eu.rate.per_second.
_PROFILE = re.compile(r"profiles\.[\w-]+\.?")
_YAML_TABLE = re.compile(r"\s*([A-Za-z_]\w*)\s*:\s*(?:#.*)?")
_SHOWN_MAX = 60
#: So many problems are told; whoever has corrected these is told the next ones.
_PROBLEMS_MAX = 100
#: The example has 18,000 bytes; a file of contacts that was named by mistake may have any number.
_BYTES_MAX = 200_000


class _Statement(NamedTuple):
    line: int
    text: str


@dataclass(frozen=True)
class ConfigFile:
    """What a file holds: its tables, and what keeps it from being read (then the tables are how it was meant)."""

    path: Path
    text: str
    tables: Mapping[str, Any]
    problems: tuple[str, ...]

    def where(self, dotted: str) -> str:
        """The file and the line of `table.name`, of a profile `profiles.eu.table.name`; else of what it stands in."""
        line = self._lines.get(dotted)
        while line is None and dotted.startswith("profiles."):
            dotted = dotted.rpartition(".")[0]
            line = self._lines.get(dotted)
        return f"{self.path}, line {line.line}" if line is not None else str(self.path)

    def raw(self, dotted: str) -> str | None:
        """The value of `table.name` as it is written."""
        statement = self._lines.get(dotted)
        return value_of(statement.text) if statement is not None else None

    @property
    def names(self) -> frozenset[str]:
        """`table.name` of all that is set, on lines that cannot be read, too; profiles apart."""
        return frozenset(name for name in self._lines if not _PROFILE.match(name))

    @cached_property
    def _lines(self) -> dict[str, _Statement]:
        found: dict[str, _Statement] = {}
        for table, statement in _in_tables(self.text):
            one_line = _ONE_LINE.fullmatch(statement.text)
            if one_line is not None:
                table, statement = one_line[1], _Statement(statement.line, one_line[2])
            name = _NAME.match(statement.text)
            # [columns.parameters] sets columns.parameters.
            profile = _PROFILE.match(table)
            if profile:
                found.setdefault(table, statement)
                if name:
                    found.setdefault(f"{table}.{name[1]}", statement)
            elif "." in table:
                found.setdefault(".".join(table.split(".")[:2]), statement)
            elif name:
                found.setdefault(f"{table}.{name[1]}" if table else name[1], statement)
        return found


def read(path: Path) -> ConfigFile:
    """Raises: SettingsError: it is not there, or may not be read."""
    try:
        with path.open("rb") as file:
            data = file.read(_BYTES_MAX + 1)
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist", fix=_written_by(path)) from None
    except OSError as error:
        fix = Advice("name the file in it") if path.is_dir() else Advice(f"chmod u+r {quote(str(path))}")
        raise SettingsError(f"{path} cannot be read", found=error.strerror, fix=fix) from None
    if len(data) > _BYTES_MAX:
        raise _no_settings(path, f"more than {_BYTES_MAX:,} bytes")
    try:
        text = _text(data)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return ConfigFile(path, "", {}, (f"{path}, line {line}: not UTF-8; save the file as UTF-8",))
    try:
        return ConfigFile(path, text, tomllib.loads(text), ())
    except UNREADABLE as error:
        meant, problems = _taken_apart(text, str(error))
        if not meant and len(problems) > 1 and not any(_NAME.match(one.text) for one in _statements(text)):
            # Its lines may be contacts: they are not shown.
            raise _no_settings(path, "no line is a [table], and none is a setting") from None
        return ConfigFile(path, text, meant, tuple(f"{path}, {problem}" for problem in problems))


def _no_settings(path: Path, found: str) -> SettingsError:
    return SettingsError(f"{path} holds no settings", found=found, fix=Option("config", "config.toml"))


def _written_by(path: Path) -> Remedy:
    """How a file that is not there is made."""
    options = () if path == Path(DEFAULT_CONFIG) else (Option("path", str(path)),)
    make = Command("config init", (), options)
    return make if path.parent.is_dir() else InTurn(Advice(f"mkdir -p {quote(str(path.parent))}"), make)


def misnamed(folder: Path) -> Path | None:
    """A file that is meant to be the folder's config.toml and is called otherwise, where there is no such file."""
    try:
        names = [entry.name for entry in folder.iterdir() if entry.name.lower().startswith("config.")]
    except OSError:
        return None
    if DEFAULT_CONFIG in names:
        return None
    meant = (DEFAULT_CONFIG, f"{DEFAULT_CONFIG}.txt", f"{DEFAULT_CONFIG}.toml", "config.tml")
    return next((folder / name for name in sorted(names) if name.lower() in meant), None)


def _text(data: bytes) -> str:
    """Notepad saves UTF-8 with a mark, and "Unicode", which is UTF-16."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16").replace("\r\n", "\n")
    if b"\0" in data[:4]:
        # Without its mark: of a Latin letter's two bytes the zero is the first, or the second.
        return data.decode("utf-16-be" if data[:1] == b"\0" else "utf-16-le").replace("\r\n", "\n")
    return data.decode("utf-8-sig").replace("\r\n", "\n")


def _taken_apart(text: str, error: str) -> tuple[dict[str, Any], list[str]]:
    """The tables as they were meant, and the problems; `error`: tomllib's, for what this does not find."""
    kept: list[str] = []
    problems: list[tuple[int, str]] = []
    seen: dict[str, int] = {}
    table = ""
    for line, statement in _statements(text):
        if len(problems) >= _PROBLEMS_MAX:
            problems.append((line, "and what follows was not looked at"))
            break
        yaml = _YAML_TABLE.fullmatch(statement)
        if yaml and yaml[1] in dict(tables()):
            statement = f"[{yaml[1]}]"
            problems.append((line, f"a table without brackets; it must read: {statement}"))
        elif not reads(statement):
            name = _NAME.match(statement)
            better = repaired(
                statement, is_list=name is not None and takes_list(_PROFILE.sub("", f"{table}.{name[1]}"))
            )
            if better is None:
                problems.append((line, _unreadable(statement)))
                continue
            statement, wrong = better
            problems.append((line, f"{', '.join(wrong)}; it must read: {_shown(statement)}"))
        header, name = _HEADER.fullmatch(statement.strip()), _NAME.match(statement)
        if header:
            table = header[1]
        elif name is None:
            kept.append(statement)
            continue
        inner = table.rpartition(".")
        if header and inner[0] and (at := seen.get(f"[{inner[0]}] {inner[2]}")):
            problems.append((line, f"[{table}]: {inner[2]} stands in line {at} already; keep one of them"))
            continue
        key = f"[{table}]" if header else f"[{table}] {name[1]}" if table and name else name[1] if name else ""
        if key in seen:
            problems.append((line, f"{key} stands in line {seen[key]} already; keep one of them"))
        else:
            kept.append(statement)
        seen.setdefault(key, line)
    try:
        meant = tomllib.loads("\n".join(kept))
    except UNREADABLE:
        meant = {}
    if not problems:
        return meant, [without_secrets(error)]
    return meant, [f"line {line}: {problem}" for line, problem in problems]


def _unreadable(statement: str) -> str:
    shown = _shown(statement)
    if one_line := _ONE_LINE.fullmatch(statement):  # as an error's fix says it, and as TOML does not
        table, assignment = one_line[1], _shown(one_line[2])
        return f"a table and a setting in one line; it must read: {assignment}, in a line of its own below [{table}]"
    if re.fullmatch(r"\s*[\w-]+\s*[=:]\s*(#.*)?", statement):
        return f"no value; write one, or put # before the line; it reads: {shown}"
    if _NAME.match(statement) is None:
        return f'neither a [table] nor name = "value" nor a # comment; it reads: {shown}'
    return f'the value cannot be read; write a text as "…", a number as 12.5, a list as ["a", "b"]; it reads: {shown}'


def _in_tables(text: str) -> Iterator[tuple[str, _Statement]]:
    table = ""
    for statement in _statements(text):
        header = _HEADER.fullmatch(statement.text.strip())
        if header:
            table = header[1]
        yield table, statement


def _statements(text: str) -> Iterator[_Statement]:
    """Headers and assignments, each with all its lines; blank lines and comments are left out."""
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        first, statement = at, lines[at]
        at += 1
        if not statement.strip() or statement.lstrip().startswith("#"):
            continue
        while at < len(lines) and (open_ := _open(statement)) and not _begins_anew(lines[at], open_):
            statement += "\n" + lines[at]
            at += 1
        yield _Statement(first + 1, statement)


def _open(statement: str) -> str:
    r"""What goes on in the next line: \"\"\", ''', [, { or nothing."""
    for quotes in ('"""', "'''"):
        if statement.count(quotes) % 2:
            return quotes
    code = "\n".join(QUOTED.sub("", line).partition("#")[0] for line in statement.split("\n"))
    for opening, closing in ("{}", "[]"):
        if code.partition("=")[2].count(opening) > code.count(closing):
            return opening
    return ""


def _begins_anew(line: str, open_: str) -> bool:
    """Whether a line is no more a part of what is open: a bracket was forgotten."""
    if open_ == "[":
        return _HEADER.fullmatch(line) is not None or re.match(r"\s*[A-Za-z_]\w*\s*=", line) is not None
    return open_ == "{" and _HEADER.fullmatch(line) is not None


def _shown(text: str) -> str:
    text = without_secrets(" ".join(text.split()))
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 1] + "…"
