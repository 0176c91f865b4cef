"""JSON Lines: keys are columns, values stay as written, and no line is dropped."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from dispatcher.intake import jsonlines
from dispatcher.model import Reason
from tests.unit.intake.reading import ANN, BOB, Reading, read, write


def lines(tmp_path: Path, *texts: str) -> Reading:
    return read(write(tmp_path / "a.jsonl", "\n".join(texts) + "\n"))


def test_columns_are_keys_in_order_of_appearance(tmp_path: Path) -> None:
    """The columns are the keys in order of appearance, and a missing key is an empty cell."""
    reading = lines(tmp_path, f'{{"phone": "{ANN}"}}', f'{{"name": "Bob", "phone": "{BOB}", "n": 1}}')
    assert reading.new_input.header == ("phone", "name", "n")
    assert reading.cells == [(ANN, "", ""), (BOB, "Bob", "1")]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('"Zo\\u00eb"', "Zoë"),
        ("12025550101", "12025550101"),
        ("1.10", "1.10"),
        ("1e5", "1e5"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("true", "true"),
        ("null", ""),
        ('""', ""),
        ('[1.0, "a", null, {"b": false}]', '[1.0,"a",null,{"b":false}]'),
        ('{"a": {"é": 1.10}}', '{"a":{"é":1.10}}'),
        ('"\\ud800"', "?"),
    ],
)
def test_values_are_text_as_written(tmp_path: Path, value: str, text: str) -> None:
    """Numbers keep their digits, null is an empty cell, and lists and objects stay compact JSON."""
    assert lines(tmp_path, f'{{"phone": "{ANN}", "value": {value}}}').cells == [(ANN, text)]


def test_a_row_has_the_number_of_its_line(tmp_path: Path) -> None:
    """A row has the number of its line, and blank lines count."""
    reading = lines(tmp_path, "", f'{{"phone": "{ANN}"}}', "", f'{{"phone": "{BOB}"}}\r', "{}")
    assert reading.numbers == [2, 4]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('{"phone": ', "the line is not JSON (Expecting value)"),
        ('{"phone": "x", "phone": "y"}', "the line is not JSON (a key is there twice)"),
        ('{"phone": NaN}', "the line is not JSON (NaN is no JSON value)"),
        ("[1]", "the line is JSON, but no object"),
        ("[" * 100_000, "the line is nested too deeply"),
        ('{"phone": "a\tb"}', "the line is not JSON (Invalid control character at)"),
    ],
)
def test_a_line_that_is_no_object_is_kept(tmp_path: Path, line: str, sentence: str) -> None:
    """A line that is no JSON object makes a malformed row that says why and keeps the line, not in To."""
    reading = lines(tmp_path, f'{{"phone": "{ANN}", "name": "Ann"}}', line, f'{{"phone": "{BOB}"}}')
    assert reading.reasons == [None, Reason.row_malformed, None]
    assert reading.rows[1].sentence == sentence
    assert reading.cells[1] == ("", line)


def test_a_late_key_makes_its_line_malformed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that appears late makes its line malformed, not incomplete."""
    monkeypatch.setattr(jsonlines, "_HEADER_LINES", 2)
    late = f'{{"phone": "{BOB}", "late": "x"}}'
    reading = lines(tmp_path, *[f'{{"phone": "{ANN}", "name": "Ann"}}'] * 2, late)
    assert reading.rows[2].reason is Reason.row_malformed
    assert reading.rows[2].sentence == 'the key "late" is not among those of the first 2 lines'
    assert reading.cells[2] == ("", late)


def test_a_nul_in_a_value_makes_its_row_invalid(tmp_path: Path) -> None:
    """A NUL that a value holds as an escape is told as what is wrong with the row."""
    reading = lines(tmp_path, f'{{"phone": "{ANN}", "name": "a\\u0000b"}}')
    assert reading.rows[0].sentence == "the cell has a NUL character in it"


def test_an_address_with_a_nul_is_none(tmp_path: Path) -> None:
    """Nothing could be sent there, and a server's ledger cannot keep it."""
    reading = lines(tmp_path, '{"phone": "client:a\\u0000b", "name": "Ann"}')
    assert (reading.rows[0].reason, reading.to) == (Reason.row_malformed, [None])


def test_text_that_looks_like_an_escape_is_no_nul(tmp_path: Path) -> None:
    """A backslash with u0000 behind it that is plain text is no NUL and comes back as it was."""
    assert lines(tmp_path, f'{{"phone": "{ANN}", "name": "\\\\u0000"}}').cells == [(ANN, "\\u0000")]


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.json", "a", "a.jsonl.gz", "a.gz"])
def test_json_lines_are_recognised(tmp_path: Path, name: str) -> None:
    """JSON Lines are known by their suffix or by their first byte, compressed or not."""
    data = f'{{"phone": "{ANN}"}}\n'.encode()
    assert read(write(tmp_path / name, gzip.compress(data) if name.endswith(".gz") else data)).to == [ANN]


def test_a_large_file_is_streamed(tmp_path: Path) -> None:
    """The rows of a file of several megabytes come back whole and in order."""
    text = "".join(json.dumps({"phone": ANN, "n": n, "text": "x" * 80}) + "\n" for n in range(30_000))
    reading = read(write(tmp_path / "a.jsonl", text))
    assert [cells[1] for cells in reading.cells] == [str(n) for n in range(30_000)]


def test_report_columns_are_dropped(tmp_path: Path) -> None:
    """Keys that are columns of the report are no columns of the input."""
    reading = lines(tmp_path, f'{{"dispatch_status": "created", "phone": "{ANN}", "n": 1}}')
    assert reading.cells == [(ANN, "1")]


def test_half_a_character_in_a_key_is_no_character(tmp_path: Path) -> None:
    """As in a value: it could not be written down again."""
    reading = read(write(tmp_path / "a.jsonl", b'{"phone": "+12025550101", "a\\ud800": "x\\ud800"}\n'))
    assert (reading.new_input.header, reading.cells) == (("phone", "a?"), [(ANN, "x?")])
