"""Files that cannot be used: each gets a sentence, what was found, and what to do; none a traceback, none a guess."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dispatcher.errors import ColumnError, ExitCode, InputError, SettingsError
from dispatcher.intake import open_input
from dispatcher.remedies import Advice, AnyOf, Remedy, Setting
from tests.unit.intake.reading import ANN, BOB, options, read, write

HEADER = b"phone,name\n"
ROW = f"{ANN},Ann\n".encode()


def _parquet(path: Path, keep: float) -> Path:
    pq.write_table(pa.table({"phone": [ANN] * 1_000, "name": [f"n{n}" for n in range(1_000)]}), path)
    data = path.read_bytes()
    return write(path, data[: int(len(data) * keep)])


def _damaged_page(path: Path) -> Path:
    pq.write_table(pa.table({"phone": [ANN] * 1_000}), path, compression="snappy", use_dictionary=False)
    data = bytearray(path.read_bytes())
    data[40:400] = b"\xff" * 360
    return write(path, bytes(data))


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def encodings(likely: str) -> Remedy:
    return AnyOf(Setting("input.encoding", likely), Advice("whatever it was saved in"), Advice("save it as UTF-8"))


#: name -> (how the file is made, message, found, fix)
FILES: dict[str, tuple[Callable[[Path], object], str, str | None, Remedy | str | None]] = {
    "missing.csv": (lambda path: None, "{path} does not exist", None, "check the name and the folder"),
    "folder.csv": (_folder, "{path} is a folder", None, "name the file in it"),
    "empty.csv": (
        lambda path: write(path, b""),
        "{path} is empty",
        None,
        "save the contacts into it, with a header line",
    ),
    "empty.jsonl": (
        lambda path: write(path, b""),
        "{path} is empty",
        None,
        "put one JSON object for each contact on a line of its own",
    ),
    "empty.parquet": (
        lambda path: write(path, b""),
        "{path} is damaged, cut off, or no Parquet file",
        "ArrowInvalid",
        "write the file again",
    ),
    "empty.xlsx": (
        lambda path: write(path, b""),
        "{path} is damaged or cut off",
        "BadZipFile",
        "fetch or save the file again",
    ),
    "blank.csv": (
        lambda path: write(path, b"\n\n , \n"),
        "{path} has no header line",
        None,
        "put the columns' names into the first row",
    ),
    "header-only.csv": (
        lambda path: write(path, HEADER),
        "{path} has a header and no rows",
        None,
        "put a row for each contact below the header",
    ),
    "header-and-blanks.csv": (
        lambda path: write(path, HEADER + b"\n,\n"),
        "{path} has a header and no rows",
        None,
        "put a row for each contact below the header",
    ),
    "no-rows.parquet": (
        lambda path: pq.write_table(pa.table({"phone": pa.array([], pa.string())}), path),
        "{path} has a header and no rows",
        None,
        "put a row for each contact below the header",
    ),
    "image.csv": (
        lambda path: write(path, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0"),
        "{path} is no table: it looks like binary data",
        "it starts with 89 50 4e 47",
        "give a CSV, XLSX, Parquet or JSON Lines file",
    ),
    "rubbish": (
        lambda path: write(path, bytes(range(256)) * 20),
        "{path} is no table: it looks like binary data",
        "it starts with 00 01 02 03",
        "give a CSV, XLSX, Parquet or JSON Lines file",
    ),
    "utf16-without-mark.csv": (
        lambda path: write(path, (HEADER + ROW).decode().encode("utf-16-le")),
        "{path} is not UTF-8 text",
        "every other byte is zero",
        Setting("input.encoding", "utf-16-le"),
    ),
    "cp1252.csv": (
        lambda path: write(path, HEADER + ROW + f"{BOB},Zoë\n".encode("cp1252")),
        "{path}, row 3: the text is not UTF-8",
        "byte 0xeb",
        encodings("cp1252"),
    ),
    "cp1252-quoted.csv": (
        lambda path: write(path, HEADER + b'"' + ANN.encode() + b'","two\nlines"\n' + f"{BOB},Zoë\n".encode("cp1252")),
        "{path}, row 3: the text is not UTF-8",
        "byte 0xeb",
        encodings("cp1252"),
    ),
    "mixed-encodings.csv": (
        lambda path: write(path, HEADER + f"{ANN},Zoë\n".encode() * 50_000 + f"{BOB},Zoë\n".encode("cp1252")),
        "{path}, row 50002: the text is not UTF-8",
        "byte 0xeb",
        encodings("cp1252"),
    ),
    "cp1252-header.csv": (
        lambda path: write(path, "phone,straße\n".encode("cp1252") + ROW),
        "{path}, row 1: the text is not UTF-8",
        "byte 0xdf",
        encodings("cp1252"),
    ),
    "cp1252.jsonl": (
        lambda path: write(path, f'{{"phone": "{ANN}"}}\n{{"phone": "Zoë"}}\n'.encode("cp1252")),
        "{path}, row 2: the text is not UTF-8",
        "byte 0xeb",
        encodings("cp1252"),
    ),
    "cut-utf16.csv": (
        lambda path: write(path, b"\xff\xfe" + (HEADER + ROW + ROW).decode().encode("utf-16-le")[:-1]),
        "{path}, row 3: the text is not UTF-16-LE",
        "byte 0x0a",
        encodings("utf-8"),
    ),
    "cut.csv.gz": (
        lambda path: write(
            path, gzip.compress(HEADER + b"".join(f"{ANN},{n}\n".encode() for n in range(9_000)))[:-900]
        ),
        "{path} is damaged or cut off",
        "Compressed file ended before the end-of-stream marker was reached",
        "fetch or compress the file again",
    ),
    "header-quote.csv": (
        lambda path: write(path, b'"phone,name\n' + ROW),
        "{path}: the header line cannot be read",
        "a quotation mark opens a cell and no other closes it",
        None,
    ),
    "wide.csv": (
        lambda path: write(path, ",".join(f"c{n}" for n in range(1_000_000)).encode() + b"\n" + ROW),
        "{path} has more than 16,384 columns",
        "1,000,000 columns",
        None,
    ),
    "cut.parquet": (
        lambda path: _parquet(path, 0.7),
        "{path} is damaged, cut off, or no Parquet file",
        "ArrowInvalid",
        "write the file again",
    ),
    "damaged.parquet": (
        _damaged_page,
        "{path} is damaged, cut off, or no Parquet file",
        "OSError",
        "write the file again",
    ),
    "text.parquet": (
        lambda path: write(path, HEADER + ROW),
        "{path} is named like Parquet, and is not",
        "text",
        "rename it to end in .csv",
    ),
    "parquet.csv": (
        lambda path: _parquet(path, 1.0),
        "{path} is named like delimited text, and is not",
        "the content of Parquet",
        "rename it to end in .parquet",
    ),
    "zip.csv": (
        lambda path: write(path, b"PK\3\4" + b"\0" * 40),
        "{path} is named like delimited text, and is not",
        "the content of an XLSX workbook",
        "rename it to end in .xlsx",
    ),
    "packed.parquet.gz": (
        lambda path: write(path, gzip.compress(b"PAR1" + b"\0" * 40)),
        "{path}: only text is read compressed",
        None,
        "gunzip {path}",
    ),
    "old.xls": (lambda path: write(path, b"x"), "{path}: .xls files are not read", None, "save it as .xlsx or CSV"),
    "sheet.ods": (lambda path: write(path, b"x"), "{path}: .ods files are not read", None, "save it as .xlsx or CSV"),
    "packed.zip": (lambda path: write(path, b"x"), "{path}: .zip files are not read", None, "unzip it first"),
    "document.json": (
        lambda path: write(path, f'[{{"phone": "{ANN}"}}]'.encode()),
        "{path} is one JSON document, not one object a line",
        None,
        "jq -c '.[]' {path} > document.jsonl",
    ),
    "array.jsonl": (
        lambda path: write(path, b"[1, 2]\n[3, 4]\n"),
        "{path} has no JSON object in its first lines",
        "line 1: the line is JSON, but no object",
        "put one JSON object on each line",
    ),
    "text.jsonl": (
        lambda path: write(path, HEADER + ROW),
        "{path} has no JSON object in its first lines",
        "line 1: the line is not JSON (Expecting value)",
        "put one JSON object on each line",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_the_file_gets_its_message(tmp_path: Path, name: str) -> None:
    """Each file that cannot be used is refused with its sentence, what was found, and what to do."""
    make, message, found, fix = FILES[name]
    path = tmp_path / name
    make(path)
    with pytest.raises(InputError) as caught:
        read(path)
    error = caught.value
    assert error.message == message.format(path=path)
    assert error.found == found
    assert error.fix == (Advice(fix.format(path=path)) if isinstance(fix, str) else fix)
    assert error.exit_code == ExitCode.USAGE


def test_a_line_without_an_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line without an end is refused by its length, before memory runs out."""
    monkeypatch.setattr("dispatcher.intake.delimited.RECORD_MAX_BYTES", 4 << 20)
    path = write(tmp_path / "a.csv", HEADER + b"x" * (12 << 20))
    with pytest.raises(InputError, match="row 2: the row is longer than 4 MiB"):
        read(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    """A file that may not be read is refused, and the remedy is the command that allows it."""
    path = write(tmp_path / "a.csv", HEADER + ROW)
    path.chmod(0)
    with pytest.raises(InputError) as caught:
        read(path)
    assert (caught.value.message, caught.value.fix) == (f"{path} may not be read", Advice(f"chmod u+r {path}"))


def test_a_permission_error_is_told_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root no file can be made that may not be read, so the refusal itself is made."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = write(tmp_path / "a.csv", HEADER + ROW)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError) as caught:
        read(path)
    assert (caught.value.message, caught.value.fix) == (f"{path} may not be read", Advice(f"chmod u+r {path}"))


@pytest.mark.parametrize("change", ["append", "replace", "remove"])
def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path, change: str) -> None:
    """A file that grows, is replaced or is removed while it is read is refused, and has no hash."""
    path = write(tmp_path / "a.csv", HEADER + ROW * 200_000)
    with open_input(path, options()) as opened:
        batches = opened.batches()
        next(batches)
        if change == "append":
            with path.open("ab") as file:
                file.write(ROW)
        elif change == "replace":
            write(tmp_path / "b.csv", HEADER + ROW).replace(path)
        else:
            path.unlink()
        with pytest.raises(InputError, match="was changed while it was read"):
            list(batches)
        with pytest.raises(RuntimeError):
            _ = opened.sha256


def test_a_missing_column_is_refused_at_once(tmp_path: Path) -> None:
    """A column that is missing is refused before any row is read."""
    with pytest.raises(ColumnError, match='the file has no column "mobile"'):
        open_input(write(tmp_path / "a.csv", HEADER + ROW), options(to="mobile"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"region": "XX"}, "[columns] region: there is no country 'XX'"),
        ({"from_": None}, "the sender is not set"),
        ({"from_": "Acme"}, "[campaign] from: 'Acme' has letters in it"),
        ({"encoding": "klingon"}, "[input] encoding: no encoding is called 'klingon'"),
        ({"encoding": "rot13"}, "[input] encoding: no encoding is called 'rot13'"),
        ({"delimiter": "::"}, "[input] delimiter: '::' is not one character"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    """A setting that cannot be used is refused by its name, with a remedy."""
    path = write(tmp_path / "a.csv", HEADER + ROW)
    with pytest.raises((SettingsError, InputError)) as caught:
        read(path, **changes)
    assert caught.value.message == message
    assert caught.value.fix
