"""Makes tests/data/corpus: a small file for each kind of thing that a person's file may be, and what becomes of it.

    python -m tests.data.make_corpus

The expectations stand here beside the contents, written by hand: rows, with the number that is called or the reason
why none is, or the sentence with which the file is refused. `tests/unit/intake/test_corpus.py` reads the files that
are in the folder; what other programs read in them (`judge`) is compared there, too.
"""

from __future__ import annotations

import datetime as dt
import gzip
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

from dispatcher.model import Reason
from tests.support.sheets import HEADER, MAIN, book, cell, phone, row

FOLDER = Path(__file__).parent / "corpus"
ANN, BOB, EVE = "+12025550101", "+12025550102", "+12025550103"

#: What becomes of a row: the number that is called, or why none is; and its cells as they are sent and reported.
Expected = tuple[str | Reason, tuple[str, ...]]
Judge = Literal["duckdb", "openpyxl", ""]


@dataclass(frozen=True)
class Case:
    """A file and what is to become of it: `rows`, or a `sentence` (a regular expression) that refuses it."""

    name: str
    make: Callable[[Path], object]
    rows: tuple[Expected, ...] = ()
    sentence: str = ""
    #: As flags or settings would say.
    settings: Mapping[str, Any] = field(default_factory=dict)
    #: The program that reads the same cells in it.
    judge: Judge = ""
    #: What is told of the file, besides: a part of a note.
    note: str = ""


def text(content: str, encoding: str = "utf-8") -> Callable[[Path], object]:
    """A file of this text."""
    return lambda path: path.write_bytes(content.encode(encoding))


def data(content: bytes) -> Callable[[Path], object]:
    """A file of these bytes."""
    return lambda path: path.write_bytes(content)


def ok(to: str, *cells: str) -> Expected:
    """A row that is called, with its cells as they are written."""
    return to, cells


def bad(reason: Reason, *cells: str) -> Expected:
    """A row that is not called."""
    return reason, cells


def numbers(region: str, of: Mapping[str, str | Reason]) -> dict[str, Any]:
    """A file of numbers of a region: as written → the number that is called, or why none is."""
    return {
        "make": text("phone\n" + "".join(f'"{written}"\n' for written in of)),
        "rows": tuple((answer, (written,)) for written, answer in of.items()),
        "settings": {"region": region or None},
    }


def sheet(*rows: str, **options: Any) -> Callable[[Path], object]:
    """A workbook whose sheet has these rows below a header `phone, v`."""
    return lambda path: book(path, HEADER + "".join(rows), **options)


def written(*rows: tuple[Any, ...], **formats: str) -> Callable[[Path], object]:
    """A workbook as XlsxWriter makes it. `formats`: column letter → number format."""

    def make(path: Path) -> None:
        with xlsxwriter.Workbook(path) as workbook:
            workbook.set_properties({"created": NOON})
            page = workbook.add_worksheet("People")
            styles = {ord(letter) - 65: workbook.add_format({"num_format": code}) for letter, code in formats.items()}
            for number, cells in enumerate(rows):
                for column, value in enumerate(cells):
                    page.write(number, column, value, styles.get(column) if number else None)

    return make


def table(**columns: Any) -> Callable[[Path], object]:
    """A Parquet file of these columns."""
    return lambda path: pq.write_table(pa.table(columns), path)


MANGLED, INVALID, MISSING = Reason.to_mangled, Reason.to_invalid, Reason.to_missing
NOON = dt.datetime(2026, 1, 2, 12, 30)  # noqa: DTZ001 - a file's naive timestamp

TEXT = (
    Case(
        "plain.csv",
        text(f"phone,name\n{ANN},Ann\n{BOB},Bob\n"),
        (ok(ANN, ANN, "Ann"), ok(BOB, BOB, "Bob")),
        judge="duckdb",
    ),
    Case("excel-utf8.csv", text(f"\ufeffphone,name\r\n{ANN},Zoë\r\n"), (ok(ANN, ANN, "Zoë"),), judge="duckdb"),
    Case("semicolons.csv", text(f"phone;name\n{ANN};Ann, B.\n"), (ok(ANN, ANN, "Ann, B."),), judge="duckdb"),
    Case("tabs.tsv", text(f"phone\tname\n{ANN}\tAnn\n"), (ok(ANN, ANN, "Ann"),), judge="duckdb"),
    Case("pipes.txt", text(f"phone|name\n{ANN}|Ann\n"), (ok(ANN, ANN, "Ann"),), judge="duckdb"),
    Case(
        "quotes.csv",
        text(f'phone,note\n{ANN},"one, ""two""\nthree"\n{BOB},"a\r\nb"\n{EVE},\n'),
        (ok(ANN, ANN, 'one, "two"\nthree'), ok(BOB, BOB, "a\r\nb"), ok(EVE, EVE, "")),
        judge="duckdb",
    ),
    Case("old-mac.csv", text(f"phone,name\r{ANN},Ann\r{BOB},Bob\r"), (ok(ANN, ANN, "Ann"), ok(BOB, BOB, "Bob"))),
    Case("excel-unicode.txt", text(f"\ufeffphone\tname\r\n{ANN}\tŻaneta\r\n", "utf-16-le"), (ok(ANN, ANN, "Żaneta"),)),
    Case(
        "compressed.csv.gz", data(gzip.compress(f"phone,name\n{ANN},Ann\n".encode(), mtime=0)), (ok(ANN, ANN, "Ann"),)
    ),
    Case("cp1252.csv", text(f"phone,name\n{ANN},Zoë\n", "cp1252"), sentence=r"not UTF-8|is no UTF-8"),
    Case(
        "cp1252-told.csv",
        text(f"phone,name\n{ANN},Zoë\n", "cp1252"),
        (ok(ANN, ANN, "Zoë"),),
        settings={"encoding": "cp1252"},
    ),
    Case(
        "blank-lines.csv",
        text(f"phone,name\n\n{ANN},Ann\n\n,\n{BOB},Bob\n\n"),
        (ok(ANN, ANN, "Ann"), ok(BOB, BOB, "Bob")),
    ),
    Case(
        "ragged.csv",
        text(f"phone,name\n{ANN}\n{BOB},Bob,more\n{EVE},Eve\n"),
        (bad(Reason.row_malformed, "", ANN), bad(Reason.row_malformed, "", f"{BOB},Bob,more"), ok(EVE, EVE, "Eve")),
    ),
    Case(
        "trailing-left-out.csv",
        text(f"phone,name\n{ANN}\n"),
        (ok(ANN, ANN, ""),),
        settings={"fill_short_rows": True},
    ),
    Case(
        "brackets.csv",
        text(f'phone,a,b\n{ANN},x,"],["\n,y,z\n'),
        (ok(ANN, ANN, "x", "],["), bad(MISSING, "", "y", "z")),
    ),
    Case(
        "formulas-as-text.csv",
        text(f'phone,name\n"=""{ANN}""","=""Ada"""\n{BOB},=1+1\n'),
        (ok(ANN, f'="{ANN}"', '="Ada"'), ok(BOB, BOB, "=1+1")),
        note="as Excel guards a text with",
    ),
    Case("control-z.csv", text(f"phone,name\n{ANN},Ann\n\x1a"), (ok(ANN, ANN, "Ann"),)),
    Case(
        "blank-before-quote.csv",
        text(f'phone, name\n{ANN}, "Anna"\n'),
        (ok(ANN, ANN, ' "Anna"'),),
        note="a blank before its quotation mark",
    ),
    Case(
        "invisible-names.csv",
        text(f"\ufeff\ufeffphone\u200b,first\u00a0 name \n{ANN},Ann\n"),
        (ok(ANN, ANN, "Ann"),),
        note="invisible characters",
    ),
    Case(
        "title.csv",
        text(f"Spring recall 2026\n\nphone,name\n{ANN},Ann\n"),
        sentence=r'"phone" stands in row 3.*header_row = 3',
    ),
    Case(
        "title-told.csv",
        text(f"Spring recall 2026\n\nphone,name\n{ANN},Ann\n"),
        (ok(ANN, ANN, "Ann"),),
        settings={"header_row": 3},
    ),
    Case("no-header.csv", text(f"{ANN},Ann\n{BOB},Bob\n"), sentence=r"header"),
    Case("all-in-one.csv", text(f'"phone,name"\n"{ANN},Ann"\n'), sentence=r"a single column"),
    Case("two-of-a-name.csv", text(f"phone,name,name\n{ANN},a,b\n"), sentence=r"name"),
    Case("empty.csv", data(b""), sentence=r"empty"),
    Case("header-only.csv", text("phone,name\n"), sentence="a header and no rows"),
    Case("colons.txt", text(f"phone:name\n{ANN}:Ann\n"), sentence=r"a single column.*--delimiter :"),
    Case("spaces.txt", text(f"phone name\n{ANN} Ann\n"), sentence=r"a single column.*--delimiter space"),
    Case(
        "spaces-told.txt",
        text(f"phone name\n{ANN} Ann\n"),
        (ok(ANN, ANN, "Ann"),),
        settings={"delimiter": "space"},
    ),
    Case("unmarked-utf16.csv", text(f"phone,name\n{ANN},Ann\n", "utf-16-be"), sentence="--encoding utf-16-be"),
    Case("document.csv", data(b"%PDF-1.7\n%\xe2\xe3\n"), sentence="is a PDF document"),
    Case("web-page.csv", text("<!DOCTYPE html>\n<table><tr><td>phone</td></tr></table>\n"), sentence="a web page"),
    Case("web-page.xlsx", text("<html><table><tr><td>phone</td></tr></table></html>\n"), sentence="a web page"),
    Case("nothing-but-blanks.csv", text("\n\n  \n"), sentence=r"empty|no header|no rows"),
    Case(
        "open-quote.csv",
        text(f'phone,name\n{ANN},"Ann\n{BOB},Bob\n'),
        (bad(Reason.row_malformed, "", f'{ANN},"Ann'), ok(BOB, BOB, "Bob")),
    ),
    Case(
        "objects.jsonl",
        text(f'{{"phone":"{ANN}","n":1.50,"l":[1,2]}}\n{{"phone":"{BOB}"}}\n'),
        (ok(ANN, ANN, "1.50", "[1,2]"), ok(BOB, BOB, "", "")),
    ),
    Case(
        "deep.jsonl",
        text('{"phone":"' + ANN + '","v":' + "[" * 500 + "]" * 500 + "}\n"),
        (bad(Reason.row_malformed, "", '{"phone":"' + ANN + '","v":' + "[" * 500 + "]" * 500 + "}"),),
    ),
    Case("document.json", text(f'[{{"phone":"{ANN}"}}]'), sentence=r"one JSON document"),
    Case("binary.csv", data(bytes(range(256)) * 8), sentence=r"text|control|binary"),
    Case("old.xls", data(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(64)), sentence=r"\.xls files are not read"),
    Case("open-document.ods", data(b"PK\x03\x04"), sentence=r"\.ods files are not read"),
)

PHONES = (
    Case(
        "numbers-us.csv",
        **numbers(
            "US",
            {
                "2025550101": ANN,
                "(202) 555-0102": BOB,
                "+1 202 555 0103": EVE,
                "1-202-555-0104": "+12025550104",
                "12025550105": "+12025550105",
                "2.025550106E+09": MANGLED,
                "0044 7400 123456": INVALID,
                "011 44 7400 123457": "+447400123457",
                "mailto:a@example.org": INVALID,
                "tel:+12025550107": "+12025550107",
                "whatsapp:+12025550108": "whatsapp:+12025550108",
                "n/a": MISSING,
                "555-0101": INVALID,
            },
        ),
    ),
    Case(
        "numbers-de.csv",
        **numbers(
            "DE",
            {
                "0151 12345678": "+4915112345678",
                "+49 151 12345679": "+4915112345679",
                "4915112345670": MANGLED,
                "49 151 12345671": MANGLED,
                "49(0)345279580": MANGLED,
                "0049151/12345672": "+4915112345672",
                "+49 (0)151 12345673": "+4915112345673",
                "0151 1234567/8": INVALID,
                "0151 12345674 / 0151 12345675": INVALID,
                "\u2019+4915112345676": "+4915112345676",
                "15112345677": "+4915112345677",
            },
        ),
    ),
    Case(
        "numbers-none.csv",
        **numbers(
            "",
            {
                "+12025550101": ANN,
                "2025550102": Reason.to_no_country,
                "MG00000000000000000000000000000000": INVALID,
                "+1202555010": INVALID,
                "+999 123 456": INVALID,
            },
        ),
    ),
    Case("numbers-mx.csv", **numbers("MX", {"55 1234 5678": "+525512345678", "whatsapp:+5215512345679": INVALID})),
)

WORKBOOKS = (
    Case(
        "plain.xlsx",
        written(("phone", "v"), (ANN, "Ann"), (BOB, 7)),
        (ok(ANN, ANN, "Ann"), ok(BOB, BOB, "7")),
        judge="openpyxl",
    ),
    Case(
        "phones-as-numbers.xlsx",
        written(("phone", "v"), (2025550101, "Ann")),
        (ok(ANN, "2025550101", "Ann"),),
        judge="openpyxl",
    ),
    Case(
        "numbers.xlsx",
        written(("phone", "v"), (ANN, 57.7), (BOB, 0.1 + 0.2), (EVE, 1e15), ("+12025550104", 0.00001)),
        (
            ok(ANN, ANN, "57.7"),
            ok(BOB, BOB, "0.3"),
            ok(EVE, EVE, "1000000000000000"),
            ok("+12025550104", "+12025550104", "0.00001"),
        ),
    ),
    Case("postcodes.xlsx", written(("phone", "v"), (ANN, 7102), B="00000"), (ok(ANN, ANN, "07102"),)),
    Case(
        "amounts.xlsx",
        written(("phone", "v"), (ANN, 1234.5), B="$#,##0.00"),
        (ok(ANN, ANN, "1234.5"),),
        note="shown as",
    ),
    Case(
        "dates.xlsx",
        written(("phone", "v"), (ANN, 46083), (BOB, 46084), B="yyyy-mm-dd"),
        (ok(ANN, ANN, "2026-03-02"), ok(BOB, BOB, "2026-03-03")),
    ),
    Case(
        "dates-as-wanted.xlsx",
        written(("phone", "v"), (ANN, 46083.59375), (BOB, 46084), B="yyyy-mm-dd hh:mm"),
        (ok(ANN, ANN, "02.03.2026 14:15"), ok(BOB, BOB, "03.03.2026 00:00")),
        settings={"dates": "%d.%m.%Y"},
    ),
    Case(
        "durations.xlsx",
        written(("phone", "v"), (ANN, 1.25), (BOB, -0.0625), B="[h]:mm"),
        (ok(ANN, ANN, "30:00:00"), ok(BOB, BOB, "-1:30:00")),
    ),
    Case("errors.xlsx", sheet(row(2, phone(2), cell("B2", "#N/A", "e"))), (bad(Reason.row_malformed, ANN, "#N/A"),)),
    Case(
        "formula-without-result.xlsx",
        sheet(row(2, phone(2), '<c r="B2"><f>A1</f></c>')),
        (bad(Reason.row_malformed, ANN, ""),),
    ),
    Case(
        "formula-with-result.xlsx",
        sheet(row(2, phone(2), cell("B2", "ok", "str", inner="<f>A1</f>"))),
        (ok(ANN, ANN, "ok"),),
    ),
    Case(
        "prefixed.xlsx",
        lambda path: book(
            path,
            '<x:row r="1"><x:c r="A1" t="inlineStr"><x:is><x:t>phone</x:t></x:is></x:c></x:row>'
            f'<x:row r="2" hidden="true"><x:c t="inlineStr"><x:is><x:t>{ANN}</x:t></x:is></x:c></x:row>',
            prefix="x",
        ),
        (ok(ANN, ANN),),
        note="hidden",
    ),
    Case("backslashes.xlsx", sheet(row(2, phone(2), cell("B2", "7")), slash="\\"), (ok(ANN, ANN, "7"),)),
    Case("other-folder.xlsx", sheet(row(2, phone(2), cell("B2", "7")), folder="book"), (ok(ANN, ANN, "7"),)),
    Case(
        "far-cell.xlsx",
        sheet(row(2, phone(2), cell("B2", "7")), row(1_048_576, cell("XFD1048576", "x", "str"))),
        (ok(ANN, ANN, "7"),),
        note="far",
    ),
    Case(
        "merged.xlsx",
        sheet(
            row(2, phone(2), cell("B2", "7")),
            row(3, phone(3, BOB)),
            after='<mergeCells count="1"><mergeCell ref="B2:B3"/></mergeCells>',
        ),
        (ok(ANN, ANN, "7"), ok(BOB, BOB, "")),
        note="merged",
    ),
    Case(
        "macro-sheet.xlsx",
        sheet(row(2, phone(2), cell("B2", "7")), others=(("M", "dialogsheet", f'<dialogsheet xmlns="{MAIN}"/>'),)),
        (ok(ANN, ANN, "7"),),
    ),
    Case(
        "two-sheets.xlsx",
        sheet(
            row(2, phone(2), cell("B2", "7")),
            others=(("More", "worksheet", f'<worksheet xmlns="{MAIN}"><sheetData>{HEADER}</sheetData></worksheet>'),),
        ),
        sentence="more than one sheet with rows",
    ),
    Case("not-a-workbook.xlsx", data(b"PK\x03\x04" + bytes(40)), sentence="cannot be read|damaged"),
    Case("encrypted.xlsx", data(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(64)), sentence="encrypted"),
    Case("text-in-disguise.xlsx", text(f"phone\n{ANN}\n"), sentence="is named like an XLSX workbook, and is not"),
)

PARQUET = (
    Case(
        "plain.parquet",
        table(phone=[ANN, BOB], n=pa.array([120, None]), when=pa.array([dt.date(2026, 1, 2), None])),
        (ok(ANN, ANN, "120", "2026-01-02"), ok(BOB, BOB, "", "")),
        judge="duckdb",
    ),
    Case(
        "phones-as-integers.parquet",
        table(phone=[12025550101], v=["x"]),
        (ok(ANN, "12025550101", "x"),),
        judge="duckdb",
    ),
    Case("phones-as-floats.parquet", table(phone=pa.array([2025550123.0], pa.float32())), sentence='"phone"'),
    Case(
        "decimals.parquet",
        table(phone=[ANN, BOB], v=pa.array([Decimal("1.10"), Decimal("0.0000001")], pa.decimal128(12, 7))),
        (ok(ANN, ANN, "1.1000000"), ok(BOB, BOB, "0.0000001")),
    ),
    Case("short-floats.parquet", table(phone=[ANN], v=pa.array([0.1], pa.float32())), (ok(ANN, ANN, "0.1"),)),
    Case("no-text.parquet", table(phone=[ANN], v=pa.array([b"a\xff"])), sentence='"v" holds bytes that are no text'),
    Case(
        "no-text-unused.parquet",
        table(phone=[ANN], name=["Ann"], v=pa.array([b"a\xff"])),
        (ok(ANN, ANN, "Ann", ""),),
        settings={"parameters": ["name"]},
        note='"v" holds bytes that are no text',
    ),
    Case(
        "nested.parquet",
        table(phone=[ANN], v=pa.array([{"a": [0.1, None], "b": {"c": dt.date(2026, 1, 2)}}])),
        (ok(ANN, ANN, '{"a":[0.1,null],"b":{"c":"2026-01-02"}}'),),
    ),
    Case(
        "old-timestamps.parquet",
        lambda path: pq.write_table(
            pa.table({"phone": [ANN], "v": pa.array([dt.datetime(2300, 1, 1)], pa.timestamp("us"))}),  # noqa: DTZ001
            path,
            use_deprecated_int96_timestamps=True,
        ),
        (ok(ANN, ANN, "2300-01-01T00:00:00"),),
    ),
    Case(
        "far-timestamps.parquet",
        table(phone=[ANN], v=pa.array([2**61], pa.timestamp("us"))),
        sentence='"v" holds times',
    ),
    Case(
        "zones.parquet",
        table(phone=[ANN], v=pa.array([NOON], pa.timestamp("ms", "Europe/Berlin"))),
        (ok(ANN, ANN, "2026-01-02T13:30:00+01:00"),),
    ),
    Case("cut-off.parquet", data(b"PAR1" + bytes(40)), sentence="damaged, cut off"),
)

CASES = (*TEXT, *PHONES, *WORKBOOKS, *PARQUET)


def main() -> int:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for case in CASES:
        case.make(FOLDER / case.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
