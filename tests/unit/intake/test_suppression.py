"""A suppression list's file: whoever a line may mean is on it, and a line that means nobody is told."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from dispatcher.errors import SuppressionError
from dispatcher.intake.suppression import ListEncodingError, ListFile, digest_of
from dispatcher.model import hash_of
from tests.unit.intake.reading import ANN, BOB, write


def read(
    path: Path,
    *,
    column: str | None = None,
    to: str | None = "phone",
    region: str | None = "US",
    hashed: bool = False,
    any_bytes: bool = False,
) -> tuple[list[str], list[int]]:
    """Contacts, and the lines that name nobody."""
    file = ListFile(path, column=column, to=to, region=region, hashed=hashed)
    if any_bytes:
        assert file.reads_any_bytes()
    contacts: list[str] = []
    lines: list[int] = []
    for piece in file.pieces():
        contacts += piece.contacts
        lines += [line for line, _ in piece.unreadable]
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest() == digest_of(path)
    return contacts, lines


@pytest.mark.parametrize(
    ("cell", "region", "named"),
    [
        (ANN, None, [ANN]),
        (f"whatsapp:{ANN}", None, [ANN]),
        ("(202) 555-0101", "US", [ANN]),
        ("12025550101", "US", [ANN]),
        ("12025550101", None, [ANN]),
        ("1 202 555 0101", None, [ANN]),
        ("0012025550101", None, [ANN]),
        ("447911123456", "GB", ["+447911123456"]),
        ("07911 123456", "GB", ["+447911123456"]),
        ("7911123456", "GB", ["+447911123456"]),
        ("4930901820", "DE", ["+4930901820"]),
        ("6598234567", "US", ["+16598234567", "+6598234567"]),
        ("client:bob", None, ["bob"]),
        ("sip:bob@example.com", None, ["bob@example.com"]),
        ("", "US", []),
        ("n/a", "US", []),
    ],
)
def test_whoever_a_cell_may_mean(tmp_path: Path, cell: str, region: str | None, named: list[str]) -> None:
    """Numbers as people and programs write them, also those that a campaign's file would be refused for."""
    path = write(tmp_path / "dnc.csv", f"name,phone\nx,{cell}\ny,{BOB}\n")
    contacts, unreadable = read(path, region=region)
    assert (sorted(contacts), unreadable) == (sorted([*named, BOB]), [])


@pytest.mark.parametrize("cell", ["123", "+1202555010", "bob", "1.20256E+10", "=A1", "+12025550101 or +12025550102"])
def test_a_line_that_names_nobody_is_told(tmp_path: Path, cell: str) -> None:
    """By its number; what it says is not."""
    assert read(write(tmp_path / "dnc.csv", f"phone\n{ANN}\n{cell}\n")) == ([ANN], [3])


def test_a_line_of_other_width_is_told(tmp_path: Path) -> None:
    """A line whose cells are not the header's may hide anybody."""
    path = write(tmp_path / "dnc.csv", f"name,phone\nAnn,{ANN}\nBob,{BOB},x,y\n")
    assert read(path) == ([ANN], [3])


@pytest.mark.parametrize(
    "text", [f"{ANN}\n{BOB}\n", f"2025550101\n{BOB}", f"x,{ANN}\ny,{BOB}\n", f"\n{ANN}\r\n{BOB}\r\n"]
)
def test_a_list_without_a_line_of_names(tmp_path: Path, text: str) -> None:
    """Its first line is a contact like the others."""
    assert read(write(tmp_path / "dnc.txt", text)) == ([ANN, BOB], [])


def test_which_column(tmp_path: Path) -> None:
    """The one that is named; else the one named as in the campaign; else the only one."""
    both = write(tmp_path / "both.csv", f"phone,mobile\n{ANN},{BOB}\n")
    assert read(both) == ([ANN], [])
    assert read(both, column="mobile") == ([BOB], [])
    assert read(write(tmp_path / "one.csv", f"Telefon\n{ANN}\n")) == ([ANN], [])
    with pytest.raises(SuppressionError, match="which has the contacts") as caught:
        read(both, to="number")
    assert "phone, mobile" in str(caught.value)
    # Of two that may be meant, neither is taken for all.
    twice = write(tmp_path / "twice.csv", f"phone,phone\n{ANN},{BOB}\n")
    bare = write(tmp_path / "bare.csv", f"{ANN},{BOB}\n{BOB},{ANN}\n")
    for path in (twice, bare):
        with pytest.raises(SuppressionError, match="which has the contacts"):
            read(path)


def test_any_format(tmp_path: Path) -> None:
    """A list is read as contacts are: Parquet, a workbook, JSON Lines."""
    pq.write_table(pa.table({"phone": [ANN, BOB]}), tmp_path / "dnc.parquet")
    with xlsxwriter.Workbook(str(tmp_path / "dnc.xlsx")) as book:
        book.add_worksheet().write_column(0, 0, ["phone", ANN, BOB])
    write(tmp_path / "dnc.jsonl", f'{{"phone": "{ANN}"}}\n{{"phone": "{BOB}"}}\n')
    for path in sorted(tmp_path.iterdir()):
        assert read(path) == ([ANN, BOB], []), path.name


def test_a_list_in_another_encoding(tmp_path: Path) -> None:
    """Digits are the same in each: what is no UTF-8 is read as any bytes."""
    path = tmp_path / "dnc.csv"
    path.write_bytes(f"phone,name\n{ANN},Zoë\n".encode("cp1252"))
    with pytest.raises(ListEncodingError):
        read(path)
    assert read(path, any_bytes=True) == ([ANN], [])


def test_digests(tmp_path: Path) -> None:
    """In any case of letters, with or without a line of names; anything else is told."""
    digests = [hash_of(one).removeprefix("sha256:") for one in (ANN, BOB)]
    wanted = [hash_of(ANN), hash_of(BOB)]
    assert read(write(tmp_path / "a.txt", "\n".join(digests)), hashed=True) == (wanted, [])
    text = f"digest\n{digests[0].upper()}\n{digests[1]}\n{ANN}\n"
    assert read(write(tmp_path / "b.csv", text), hashed=True) == (wanted, [4])


@pytest.mark.parametrize("content", [None, b"", b"<html><body>"])
def test_a_file_that_is_no_list(tmp_path: Path, content: bytes | None) -> None:
    """A list that is missing, empty or something else is an error, not a list of nobody."""
    path = tmp_path / "dnc.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SuppressionError, match=r"dnc\.csv"):
        read(path) if path.exists() else digest_of(path)


def test_an_empty_list_is_a_list_of_nobody(tmp_path: Path) -> None:
    """A line of names alone is what a program exports on the first day."""
    assert read(write(tmp_path / "dnc.csv", "phone,since\n")) == ([], [])
