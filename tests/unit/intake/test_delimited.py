"""CSV as spreadsheets and exporters write it: every cell as written, every row under its own number."""

from __future__ import annotations

import codecs
import gzip
from pathlib import Path

import pytest

from dispatcher.errors import InputError, SettingsError
from dispatcher.intake import delimited, open_input
from dispatcher.model import Reason
from dispatcher.remedies import AnyOf, Setting
from tests.unit.intake.reading import ANN, BOB, options, read, write

PLAIN = f"phone,name\n{ANN},Ann\n{BOB},Bob\n"
CELLS = [(ANN, "Ann"), (BOB, "Bob")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header_line(tmp_path: Path, delimiter: str) -> None:
    """Commas, semicolons, tabs and bars are recognised by the header line alone."""
    assert read(write(tmp_path / "a.csv", PLAIN.replace(",", delimiter))).cells == CELLS


@pytest.mark.parametrize("suffix", ["tsv", "tab", "txt", "psv"])
def test_other_text_suffixes_are_read_the_same_way(tmp_path: Path, suffix: str) -> None:
    """Files named .tsv, .tab, .txt and .psv are read like those named .csv: the suffix says no delimiter."""
    assert read(write(tmp_path / f"a.{suffix}", PLAIN.replace(",", "\t"))).cells == CELLS


def test_the_delimiter_that_fits_the_rows(tmp_path: Path) -> None:
    """Of two possible delimiters the one that fits the rows is taken."""
    text = f"phone;last, first\n{ANN};Example\n{BOB};Example\n"
    assert read(write(tmp_path / "a.csv", text)).cells == [(ANN, "Example"), (BOB, "Example")]


def test_a_delimiter_that_is_not_clear_is_asked_for(tmp_path: Path) -> None:
    """Where two delimiters fit the rows, neither is taken: the error offers both, and the setting decides."""
    path = write(tmp_path / "a.csv", f"phone;a,b\n{ANN};x,y\n")
    with pytest.raises(InputError, match="the delimiter is not clear") as caught:
        read(path, to="phone;a")
    assert caught.value.found == "a comma or a semicolon"
    assert caught.value.fix == AnyOf(Setting("input.delimiter", ","), Setting("input.delimiter", ";"))
    assert read(path, delimiter=";").cells == [(ANN, "x,y")]


def test_a_delimiter_may_be_given(tmp_path: Path) -> None:
    """The setting takes any single character and the word "tab", and refuses what cannot be a delimiter."""
    assert read(write(tmp_path / "a.csv", PLAIN.replace(",", "^")), delimiter="^").cells == CELLS
    assert read(write(tmp_path / "b.csv", PLAIN.replace(",", "\t")), delimiter="tab").cells == CELLS
    for wrong in ("", ",,", '"', "\n", "é"):
        with pytest.raises(SettingsError, match="is not one character"):
            read(tmp_path / "a.csv", delimiter=wrong)


def test_excels_sep_line_gives_the_delimiter(tmp_path: Path) -> None:
    """Excel's line `sep=;` gives the delimiter and is no row: the header below it counts as row 1."""
    reading = read(write(tmp_path / "a.csv", "sep=;\r\n" + PLAIN.replace(",", ";")))
    assert reading.cells == CELLS
    assert reading.numbers == [2, 3]


def test_one_column_needs_no_delimiter(tmp_path: Path) -> None:
    """A file of one column is read without a delimiter, and its blank lines count in the row numbers."""
    reading = read(write(tmp_path / "a.csv", f"phone\n{ANN}\n\n{BOB}\n"))
    assert reading.cells == [(ANN,), (BOB,)]
    assert reading.numbers == [2, 4]


@pytest.mark.parametrize(
    ("mark", "codec"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
    ],
)
def test_a_byte_order_mark_says_the_encoding(tmp_path: Path, mark: bytes, codec: str) -> None:
    """A byte-order mark says the encoding and is no part of the header."""
    text = PLAIN.replace("Ann", "Zoë \U0001f600")
    reading = read(write(tmp_path / "a.csv", mark + text.encode(codec)))
    assert reading.new_input.header == ("phone", "name")
    assert reading.cells == [(ANN, "Zoë \U0001f600"), CELLS[1]]


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16-le", "utf-16", "utf-8-sig"])
def test_an_encoding_may_be_given(tmp_path: Path, encoding: str) -> None:
    """A file is read in the encoding that the setting names."""
    data = PLAIN.replace("Ann", "Zoë").encode(encoding)
    assert read(write(tmp_path / "a.csv", data), encoding=encoding).cells == [(ANN, "Zoë"), CELLS[1]]


def test_characters_are_not_torn_where_blocks_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Characters of several bytes come back whole where the file is read a few bytes at a time."""
    monkeypatch.setattr(delimited, "CHUNK_BYTES", 7)
    monkeypatch.setattr(delimited, "_SNIFF_BYTES", 7)
    text = PLAIN.replace("Ann", "日本語\U0001f600é" * 3)
    for data in (text.encode(), codecs.BOM_UTF16_LE + text.encode("utf-16-le")):
        assert read(write(tmp_path / "a.csv", data)).cells[0] == (ANN, "日本語\U0001f600é" * 3)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_ends_a_row(tmp_path: Path, line_end: str) -> None:
    """LF, CRLF and CR each end a row, and the last line's end may be missing."""
    text = PLAIN.replace("\n", line_end)
    assert read(write(tmp_path / "a.csv", text)).cells == CELLS
    assert read(write(tmp_path / "a.csv", text.removesuffix(line_end))).cells == CELLS


def test_mixed_line_ends_are_all_line_ends(tmp_path: Path) -> None:
    """In a file that mixes LF, CRLF and CR each of them ends a row."""
    text = f"phone,name\r{ANN},Ann\r\n{BOB},Bob\n{ANN},C\r{BOB},D"
    assert read(write(tmp_path / "a.csv", text)).numbers == [2, 3, 4, 5]


def test_line_ends_inside_quotation_marks_stay(tmp_path: Path) -> None:
    """Line ends inside quotation marks stay as written, and the row counts once."""
    text = f'phone,note\r\n{ANN},"one\r\ntwo\nthree\rfour"\r\n{BOB},x\r\n'
    reading = read(write(tmp_path / "a.csv", text))
    assert reading.cells == [(ANN, "one\r\ntwo\nthree\rfour"), (BOB, "x")]
    assert reading.numbers == [2, 3]


def test_cells_are_exactly_as_written(tmp_path: Path) -> None:
    """What pandas makes of them unless told otherwise: numbers, dates, nothing."""
    cells = ("NA", "null", "007", "1e5", " padded ", "TRUE", "2026-01-02", "nan", "'x", "#N/A", '"', "\u2028", "+1555")
    row = ",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in cells)
    header = ",".join(f"c{number}" for number in range(len(cells)))
    reading = read(write(tmp_path / "a.csv", f"phone,{header}\n{ANN},{row}\n"))
    assert reading.cells == [(ANN, *cells)]


def test_blank_rows_are_no_contacts(tmp_path: Path) -> None:
    """Blank rows are no contacts and shift no number; how many were left out is told."""
    text = f"phone,name\n\n{ANN},Ann\n,\n  , \n{BOB},Bob\n\n\n"
    reading = read(write(tmp_path / "a.csv", text))
    assert reading.cells == CELLS
    assert reading.numbers == [3, 6]
    assert reading.notes == ("5 blank rows left out",)


def test_blank_rows_above_the_header_are_counted(tmp_path: Path) -> None:
    """Row numbers are those of the file, also where blank rows stand above the header."""
    assert read(write(tmp_path / "a.csv", "\n,\n" + PLAIN)).numbers == [4, 5]


def test_a_row_without_a_phone_is_no_blank_row(tmp_path: Path) -> None:
    """A row in which only the phone number is missing is no blank row: it is invalid and names the column."""
    reading = read(write(tmp_path / "a.csv", f"phone,name\n,Ann\n{BOB},\n"))
    assert reading.reasons == [Reason.to_missing, None]
    assert reading.rows[0].column == "phone"


def test_gzip_is_read_whatever_the_name(tmp_path: Path) -> None:
    """Compressed text is known by its content, whether or not the name ends in .gz."""
    for name in ("a.csv.gz", "a.csv", "a.gz", "a"):
        assert read(write(tmp_path / name, gzip.compress(PLAIN.encode()))).cells == CELLS


def test_two_gzip_members_are_one_file(tmp_path: Path) -> None:
    """Two gzip members one after the other are read as one file, though they meet inside it."""
    half = PLAIN.index(BOB)
    data = gzip.compress(PLAIN[:half].encode()) + gzip.compress(PLAIN[half:].encode())
    assert read(write(tmp_path / "a.csv.gz", data)).cells == CELLS


def test_trailing_delimiters_are_no_cells(tmp_path: Path) -> None:
    """Exporters put them there; nothing is in them."""
    reading = read(write(tmp_path / "a.csv", f"phone,name\n{ANN},Ann,,\n{BOB},Bob,\n"))
    assert reading.cells == CELLS
    assert reading.reasons == [None, None]


def malformed(tmp_path: Path, text: str, **changes: object) -> list[tuple[int, str | None]]:
    """The rows of a file with the columns note, phone, city: number, and what is said of the malformed."""
    reading = read(write(tmp_path / "a.csv", "note,phone,city\n" + text), **changes)
    for row in reading.rows:
        assert row.reason in (None, Reason.row_malformed)
        assert row.reason is None or (row.to, row.key, row.cells[1:]) == (None, None, ("", ""))
    return [(row.number, row.sentence) for row in reading.rows]


def test_a_short_row_is_refused_alone(tmp_path: Path) -> None:
    """A row with too few cells is refused, and the others are not."""
    assert malformed(tmp_path, f"a,{ANN},X\nb,{BOB}\nc,{BOB},X\n") == [
        (2, None),
        (3, "the row has 2 cells, and the header has 3"),
        (4, None),
    ]


def test_short_rows_may_be_filled_up(tmp_path: Path) -> None:
    """Short rows are filled up with empty cells where the settings say so."""
    reading = read(write(tmp_path / "a.csv", f"phone,name,city\n{ANN},Ann\n{BOB}\n"), fill_short_rows=True)
    assert reading.cells == [(ANN, "Ann", ""), (BOB, "", "")]


def test_a_long_row_is_told_its_likely_cause(tmp_path: Path) -> None:
    """A row with too many cells is refused with the likely cause: a cell with a comma needs quotation marks."""
    assert malformed(tmp_path, f"hello, friend,{ANN},X\n") == [
        (2, "the row has 4 cells, and the header has 3: a cell with a comma in it needs quotation marks")
    ]


def test_a_malformed_row_keeps_its_text(tmp_path: Path) -> None:
    """A malformed row keeps its text as it stands in the file, quotation marks and line ends included."""
    text = f'note,phone,city\r\nhello, "friend",{ANN},X\r\n"a\r\nb",{ANN}\r\n'
    reading = read(write(tmp_path / "a.csv", text))
    assert [row.cells[0] for row in reading.rows] == [f'hello, "friend",{ANN},X', f'"a\r\nb",{ANN}']


@pytest.mark.parametrize("header", ["phone,note", "note,phone"])
def test_malformed_text_is_never_in_to(tmp_path: Path, header: str) -> None:
    """A malformed row's text never stands in the To column.

    A report of it that is fed back must not turn a part of the row into a contact.
    """
    reading = read(write(tmp_path / "a.csv", f"{header}\n{ANN},a,b\n{ANN}\n"))
    to = header.split(",").index("phone")
    assert [row.cells[to] for row in reading.rows] == ["", ""]
    assert [row.cells[1 - to] for row in reading.rows] == [f"{ANN},a,b", ANN]


def test_an_open_quote_swallows_no_other_row(tmp_path: Path) -> None:
    """A missing closing quotation mark costs its own row and swallows no other."""
    rows = "".join(f"n{number},{ANN},X\n" for number in range(3))
    unclosed = "a quotation mark opens a cell and no other closes it"
    assert malformed(tmp_path, f'"a,{ANN},X\n{rows}') == [(2, unclosed), (3, None), (4, None), (5, None)]


def test_an_open_quote_ends_at_the_next_one(tmp_path: Path) -> None:
    """A missing closing quotation mark is found at the next quoted cell, and only its row is refused."""
    quoted = f'"n","{ANN}","X"\n'
    result = malformed(tmp_path, f'{quoted}"n","{ANN}","X\n{quoted}{quoted}')
    assert [number for number, sentence in result if sentence] == [3]
    assert [number for number, sentence in result if not sentence] == [2, 4, 5]


def test_a_lone_quotation_mark_costs_one_row(tmp_path: Path) -> None:
    """A missing quotation mark far from any other costs one row and bounded memory."""
    rows = f"n,{ANN},X\n" * 3_000
    result = malformed(tmp_path, f'"a,{ANN},X\n{rows}', cell_max_bytes=10_000)
    assert [number for number, sentence in result if sentence] == [2]
    assert len(result) == 3_001


def test_an_open_quote_is_given_up_within_bounds(tmp_path: Path) -> None:
    """An open quotation mark is given up within its bound, not at the end of the file."""
    path = write(tmp_path / "a.csv", f'note,phone\n"a,{ANN}\n' + f"n,{ANN}\n" * 400_000)
    with open_input(path, options(cell_max_bytes=100_000)) as opened:
        first = next(opened.batches())
        assert first.reasons[0][0] is Reason.row_malformed
        assert opened.done_bytes < path.stat().st_size / 2


def test_a_nul_beside_a_long_cell_cuts_nothing(tmp_path: Path) -> None:
    """A NUL in a block with a very long cell cuts no cell.

    Blocks of more than a mebibyte take another of pandas' parsers; older ones ended a cell at a NUL.
    """
    text = f"phone,note\n{ANN},{'x' * 3_000_000}\n{BOB},b\0c\n" + f"{ANN},y\n" * 100_000
    reading = read(write(tmp_path / "a.csv", text), cell_max_bytes=1 << 30)
    assert reading.rows[1].cells == (BOB, "b\0c")
    assert len(reading.rows) == 100_002


def test_text_after_a_closing_quote_is_refused(tmp_path: Path) -> None:
    """A row with text after a closing quotation mark is refused.

    Readers differ in what they make of it, so it is not clear what the cell says.
    """
    assert malformed(tmp_path, f'"a" b,{ANN},X\n') == [
        (2, 'text follows a closing quotation mark (a quotation mark inside a quoted cell is written twice: "")')
    ]


def test_a_quote_inside_a_plain_cell_is_itself(tmp_path: Path) -> None:
    """A quotation mark inside a cell that does not begin with one is a character like any other."""
    assert read(write(tmp_path / "a.csv", f'phone,note\n{ANN},5" pipe\n')).cells == [(ANN, '5" pipe')]


def test_a_long_row_of_several_lines_says_so(tmp_path: Path) -> None:
    """A row that is too long because of a quoted cell over several lines says that a mark may be missing."""
    (only,) = malformed(tmp_path, f'"a\nb",{ANN},X,Y\n')
    assert only[1] == (
        "the row has 4 cells, and the header has 3; it runs over several lines: a quotation mark may be missing"
    )


def test_many_malformed_rows_are_all_told(tmp_path: Path) -> None:
    """Each of 5,000 malformed rows is told under its own number, and the good row behind them is read."""
    text = "note,phone,city\n" + f"n,{ANN}\n" * 5_000 + f"n,{ANN},X\n"
    reading = read(write(tmp_path / "a.csv", text))
    assert reading.reasons.count(Reason.row_malformed) == 5_000
    assert reading.numbers == list(range(2, 5_003))


def test_a_nul_makes_its_row_invalid_and_cuts_no_cell(tmp_path: Path) -> None:
    """A cell with a NUL is kept whole and makes its row invalid; the rows around it are planned."""
    text = f"phone,note\n{ANN},a\n{BOB},b\0c\n{BOB},d\n" + f"{ANN},x\n" * 50
    reading = read(write(tmp_path / "a.csv", text))
    assert reading.rows[1].cells == (BOB, "b\0c")
    assert reading.rows[1].sentence == "the cell has a NUL character in it"
    assert reading.rows[1].column == "note"
    assert [row.state for row in reading.rows[:3]] == ["planned", "invalid", "planned"]


def test_a_ten_megabyte_cell_is_kept(tmp_path: Path) -> None:
    """A cell of ten megabytes, quoted or not, makes its row invalid and is kept whole."""
    for cell in ("x" * 10_000_000, '"' + "x\n" * 5_000_000 + '"'):
        text = f"phone,note\n{ANN},a\n{BOB},{cell}\n{BOB},d\n"
        reading = read(write(tmp_path / "a.csv", text), cell_max_bytes=20_000_000 if cell[0] == '"' else 1_000_000)
        assert reading.numbers == [2, 3, 4]
        assert reading.rows[1].state == "invalid"
        assert len(reading.rows[1].cells[1]) == 10_000_000


def test_a_file_is_streamed_in_batches(tmp_path: Path) -> None:
    """A file comes in several batches, and the bytes that are done grow with them up to its size."""
    path = write(tmp_path / "a.csv", "phone,note\n" + f"{ANN},{'x' * 100}\n" * 40_000)
    with open_input(path, options()) as opened:
        sizes, done = [], []
        for batch in opened.batches():
            sizes.append(len(batch.cells))
            done.append(opened.done_bytes)
    assert sum(sizes) == 40_000
    assert len(sizes) > 3
    assert done[0] < path.stat().st_size == done[-1]
