"""A workbook's archive: what it is made of, found by its own relationships, and whether it may be opened at all.

ISO/IEC 29500-2 names no folders: `xl/` is Excel's habit. Some writers part names with backslashes.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import unquote
from xml.etree import ElementTree

from dispatcher.intake.book_parts import read_formats
from dispatcher.intake.numbers import Format, Kind
from dispatcher.intake.unopenable import Unopenable

#: Bounds on an archive. Excel's largest sheet of 26 full columns has about a gigabyte of XML.
ENTRIES_MAX = 10_000
INFLATED_MAX_BYTES = 2 << 30
#: An entry larger than this must not have been squeezed more than RATIO_MAX to one: deflate itself ends at 1,032, and a
#: column of one word over and over reaches some 200.
RATIO_FREE_BYTES = 32 << 20
RATIO_MAX = 400
_PIECE = 1 << 20

#: What makes a sheet one that the quick reader might misread: all that is not plain text and plain numbers where they
#: say that they stand.
_NOT_PLAIN = (
    *(b"<f>", b"<f ", b"<f/", b't="e"', b"t='", b't="d"', b't="inlineStr"'),
    *(b"hidden=", b"<mergeCell ", b"<phoneticPr", b"<c>", b":c ", b":row", b'width="0', b' ht="0'),
    # Comments and the like, escaped characters, and any encoding of two bytes to a character.
    *(b"<!", b"&#", b"_x00", b"\0"),
)
#: A cell that makes the quick reader, who lays out whole rectangles, ask for all memory.
_FAR = re.compile(rb'r="[A-Z]{2}(?:[A-Z]\d|\d{5})')
_CONTENT = re.compile(rb"<(?:\w+:)?(?:v|is)[ >]")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A worksheet of the workbook."""

    name: str
    entry: str
    is_visible: bool


@dataclass(slots=True)
class Archive:
    """What an archive is found to hold."""

    path: Path
    #: Name with slashes -> name in the archive.
    names: Mapping[str, str]
    #: Those that are there twice: programs do not agree which of them counts.
    twice: frozenset[str] = frozenset()
    sheets: list[Sheet] = field(default_factory=list)
    #: All sheets' names, other kinds (charts, macros, dialogs) among them.
    all_names: list[str] = field(default_factory=list)
    strings: str | None = None
    styles: str | None = None
    #: Style of a cell -> its number format.
    formats: Mapping[int, Format] = field(default_factory=dict)
    #: Dates count from 1904.
    is_1904: bool = False
    #: Its formulas are to be calculated when it is opened: what stands there may be a placeholder.
    is_uncalculated: bool = False
    #: It is laid out as Excel does.
    is_usual: bool = False
    #: Sheets' entries that hold anything.
    filled: set[str] = field(default_factory=set)
    #: Those that must be read exactly.
    special: set[str] = field(default_factory=set)

    def open(self, name: str) -> IO[bytes]:
        """An entry's content, as one reads it piece by piece."""
        return zipfile.ZipFile(self.path).open(self.names[name])


def read_archive(path: Path) -> Archive:
    """Look at the whole archive once, in pieces. Sizes are those that really come out: its directory can lie.

    Raises: Unopenable.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > ENTRIES_MAX:
                raise Unopenable(
                    "holds too many files for a workbook", f"{len(entries):,} files", "save the sheet as CSV"
                )
            if any(entry.flag_bits & 1 for entry in entries):
                raise Unopenable("is encrypted", None, "save it without a password")
            found = _relate(archive, _listed(path, entries))
            _inflate(archive, found)
            return found
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise Unopenable("is damaged or cut off", type(error).__name__, "fetch or save the file again") from None


def _listed(path: Path, entries: Sequence[zipfile.ZipInfo]) -> Archive:
    names: dict[str, str] = {}
    twice: set[str] = set()
    for entry in entries:
        name = posixpath.normpath(entry.filename.replace("\\", "/").lstrip("/"))
        if name in names:
            twice.add(name)
        names[name] = entry.filename
    return Archive(path, names, frozenset(twice))


def _relate(archive: zipfile.ZipFile, found: Archive) -> Archive:
    """Follow the relationships from the archive to the workbook, and from there to its parts."""
    workbook = next((target for kind, _, target in _relations(archive, found, "") if kind == "officeDocument"), "")
    if workbook not in found.names:
        workbook = next((name for name in found.names if posixpath.basename(name) == "workbook.xml"), "")
    if not workbook:
        raise Unopenable("is no XLSX workbook", "a zip archive of something else", "save the contacts as .xlsx or CSV")
    parts = {key: (kind, target) for kind, key, target in _relations(archive, found, workbook)}
    by_kind = dict(parts.values())
    found.strings = _there(found, by_kind.get("sharedStrings"))
    found.styles = _there(found, by_kind.get("styles"))
    elements = list(_xml(archive, found, workbook))
    if not elements:
        raise Unopenable("cannot be read as a workbook", f"{workbook} is no XML", "save the sheet as CSV")
    for element in elements:
        if element.tag == "workbookPr":
            found.is_1904 = element.get("date1904", "0") in ("1", "true")
        if element.tag == "calcPr":
            found.is_uncalculated = element.get("fullCalcOnLoad", "0") in ("1", "true")
        if element.tag != "sheet":
            continue
        name = element.get("name", "")
        found.all_names.append(name)
        key = next((value for attribute, value in element.attrib.items() if attribute.endswith("}id")), "")
        kind, target = parts.get(key, ("", ""))
        if kind == "worksheet" and target in found.names:
            is_visible = element.get("state", "visible") == "visible"
            found.sheets.append(Sheet(name, target, is_visible))
    if not found.all_names:
        raise Unopenable("is no XLSX workbook", "a zip archive of something else", "save the contacts as .xlsx or CSV")
    used = {workbook, found.strings, found.styles, *(sheet.entry for sheet in found.sheets)}
    if twice := sorted(found.twice & used):
        raise Unopenable("is damaged", f"{twice[0]} is in it twice", "save it again, or as CSV")
    usual = {name: original for name, original in found.names.items() if name == original}
    found.is_usual = workbook == "xl/workbook.xml" and len(usual) == len(found.names)
    found.is_usual &= len(found.sheets) == len(found.all_names)
    return found


def _there(found: Archive, name: str | None) -> str | None:
    return name if name in found.names else None


def _relations(archive: zipfile.ZipFile, found: Archive, part: str) -> Iterator[tuple[str, str, str]]:
    """A part's relationships: the last word of its kind, the id, and the name of what it leads to."""
    folder, base = posixpath.split(part)
    for element in _xml(archive, found, posixpath.join(folder, "_rels", f"{base}.rels")):
        if element.tag == "Relationship" and element.get("TargetMode") != "External":
            target = element.get("Target", "").replace("\\", "/")
            name = posixpath.normpath(posixpath.join(folder, target) if target[:1] != "/" else target.lstrip("/"))
            yield posixpath.basename(element.get("Type", "")), element.get("Id", ""), _named(found, name)


def _named(found: Archive, name: str) -> str:
    """The name of an entry as it stands there: capitals do not count, and what is escaped as in a URI (ISO 29500-2)."""
    if name in found.names:
        return name
    wanted = {name.lower(), unquote(name).lower()}
    return next((other for other in found.names if other.lower() in wanted), name)


def _xml(archive: zipfile.ZipFile, found: Archive, name: str) -> Iterator[ElementTree.Element]:
    """An entry's elements, their tags without namespaces; none where it is missing or no XML."""
    name = _named(found, name)
    if name not in found.names:
        return
    with archive.open(found.names[name]) as file:
        text = file.read(RATIO_FREE_BYTES)
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        yield element


def _inflate(archive: zipfile.ZipFile, found: Archive) -> None:
    sheets = {found.names[sheet.entry]: sheet.entry for sheet in found.sheets}
    inflating = _Inflating(archive)
    # Sheets come last, when all that says how to look at them is known to be no bomb.
    for entry in archive.infolist():
        if entry.filename not in sheets:
            for _ in inflating.pieces(entry):
                pass
    if found.styles is not None:
        with archive.open(found.names[found.styles]) as file:
            found.formats = read_formats(file)
    styled = _styled(found.formats)
    for entry in archive.infolist():
        if entry.filename in sheets:
            name, rest = sheets[entry.filename], b""
            for piece in inflating.pieces(entry):
                xml = rest + piece
                _look(found, name, xml, styled)
                rest = xml[-64:]
            if not rest.rstrip().endswith((b"worksheet>", b"/>")):
                # It is cut off: whoever reads it says so.
                found.special.add(name)
                found.filled.add(name)


class _Inflating:
    """What entries hold, and whether it is not too much."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._total = 0

    def pieces(self, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        """An entry's content. Raises: Unopenable: it, or all so far, is more than a workbook's."""
        size = 0
        with self._archive.open(entry) as file:
            while piece := file.read(_PIECE):
                size += len(piece)
                self._total += len(piece)
                if size > RATIO_FREE_BYTES and size > RATIO_MAX * max(entry.compress_size, 1):
                    what = f"{entry.filename} is squeezed more than {RATIO_MAX}:1"
                    raise Unopenable("looks like a zip bomb", what, "save the sheet as CSV")
                if self._total > INFLATED_MAX_BYTES:
                    most = f"more than {INFLATED_MAX_BYTES >> 30} GiB of XML"
                    raise Unopenable("is too large", most, "save the sheet as CSV")
                yield piece


def _styled(formats: Mapping[int, Format]) -> re.Pattern[bytes] | None:
    """What finds a cell with a format that changes what is seen; None: there is no such format."""
    special = "|".join(str(style) for style, form in formats.items() if form.kind is not Kind.plain)
    return re.compile(rf"\bs=[\"'](?:{special})[\"']".encode()) if special else None


def _look(found: Archive, name: str, xml: bytes, styled: re.Pattern[bytes] | None) -> None:
    """Whether there is anything in the sheet, and anything that is not plain."""
    if name not in found.filled and _CONTENT.search(xml):
        found.filled.add(name)
    # A format alone fills no sheet: many are formatted and empty.
    if styled is not None and name not in found.special and styled.search(xml):
        found.special.add(name)
    if name in found.special and name in found.filled:
        return
    # A cell that is cut comes again, whole, with the next piece. One look for each is faster than one for all.
    is_plain = not any(mark in xml for mark in _NOT_PLAIN) and xml.count(b"<c ") <= xml.count(b'<c r="') + 1
    if not is_plain or _FAR.search(xml):
        found.special.add(name)
        found.filled.add(name)
