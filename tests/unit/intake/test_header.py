"""Names of columns are what people see; a file without its names in the first row is told what is wrong."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from dispatcher.errors import ColumnError, InputError
from dispatcher.intake.header import visible
from dispatcher.intake.plan import open_input
from dispatcher.ledger.records import RowBatch
from dispatcher.remedies import Setting
from dispatcher.settings import Settings


def settings(**of_input: object) -> Settings:
    return Settings.model_validate(
        {"columns": {"to": "phone", "region": "US"}, "campaign": {"from": "+12025550100"}, "input": of_input}
    )


def opened(path: Path, text: str | bytes, **of_input: object) -> tuple[list[RowBatch], tuple[str, ...], dict[str, int]]:
    """The file's batches, notes and parameters."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with open_input(path, settings(**of_input)) as file:
        batches = list(file.batches())
        return batches, file.notes, dict(file.new_input.parameter_columns)


@pytest.mark.parametrize(
    "name",
    [
        "phone\u200b",
        "\ufeffphone",
        "\u00a0phone\u00a0",
        "phone  ",
        "\u202dphone\u202c",
        "pho\u00adne",
        "phone\u2028",
        "\x00phone",
    ],
)
def test_what_nobody_sees_is_no_part_of_a_name(tmp_path: Path, name: str) -> None:
    """The column is found, its parameter is what the flow's author would write, and where it is odd, that is told."""
    batches, notes, _ = opened(tmp_path / "a.csv", f"{name},last\u00a0 name\n+12025550101,Ann\n")
    assert batches[0].to_addresses == ["+12025550101"]
    assert visible(name) == "phone"
    assert any("column 2" in note for note in notes)
    _, _, parameters = opened(tmp_path / "b.csv", f"phone,last\u00a0 name{name[5:]}\n+12025550101,Ann\n")
    assert next(iter(parameters)).startswith("last name")


def test_two_forms_of_one_letter_are_one_name() -> None:
    """An accent may be a character of its own."""
    assert visible("pre\u0301nom") == visible("pr\u00e9nom") == "pr\u00e9nom"
    assert visible("Vor \t name") == "Vor name"


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("Spring recall\nmade by Ann\nphone,name\n+12025550101,Ann\n", 3),
        ("Spring recall,,\n,,\nname,phone,x\nAnn,+12025550101,\n", 3),
        ('"Spring, recall"\n"two\nlines"\nphone;name\n+12025550101;Ann\n', 3),
        ("List\nname\tphone\u200b\nAnn\t+12025550101\n", 2),
    ],
)
def test_a_title_above_the_names_is_recognised(tmp_path: Path, text: str, row: int) -> None:
    """The message names the row, its fix is the setting, and with that the file is read."""
    with pytest.raises(ColumnError, match=f"stands in row {row}") as caught:
        opened(tmp_path / "a.csv", text)
    assert caught.value.fix == Setting("input.header_row", row)
    batches, _, _ = opened(tmp_path / "a.csv", text, header_row=row)
    assert [address for batch in batches for address in batch.to_addresses] == ["+12025550101"]
    assert list(batches[0].row_numbers) == [row + 1]


def test_a_header_row_that_is_not_there(tmp_path: Path) -> None:
    """Behind the file's end, or in a file that has none."""
    with pytest.raises(InputError, match="has no row 9"):
        opened(tmp_path / "a.csv", "phone\n+12025550101\n", header_row=9)
    with pytest.raises(InputError, match="has no header row"):
        opened(tmp_path / "a.jsonl", '{"phone": "+12025550101"}\n', header_row=2)
    assert opened(tmp_path / "a.csv", "phone\n+12025550101\n", header_row=1)[0][0].to_addresses == ["+12025550101"]


def test_a_file_without_header_shows_no_number(tmp_path: Path) -> None:
    """It is told so, and neither the number nor the name in its first row is shown."""
    with pytest.raises(ColumnError, match="no header line") as caught:
        opened(tmp_path / "a.csv", "+12025550101,Ann\n+12025550102,Bob\n")
    shown = f"{caught.value} {caught.value.found}"
    assert "2025550101" not in shown
    assert "Ann" not in shown


@pytest.mark.parametrize(
    ("text", "of_input", "fix"),
    [
        ('"phone,first"\n"+12025550101,Ann"\n', {}, None),
        ("phone;first\n+12025550101;Ann\n", {"delimiter": ","}, Setting("input.delimiter", ";")),
        ("phone\tfirst\n+12025550101\tAnn\n", {"delimiter": ";"}, Setting("input.delimiter", "tab")),
        ("phone:first\n+12025550101:Ann\n", {}, Setting("input.delimiter", ":")),
        ("phone first\n+12025550101 Ann\n", {}, Setting("input.delimiter", "space")),
    ],
)
def test_all_in_one_column(tmp_path: Path, text: str, of_input: dict[str, str], fix: Setting | None) -> None:
    """Lines that are quoted as a whole, or another delimiter than was said, are called by their name."""
    with pytest.raises(ColumnError, match="every row is a single column") as caught:
        opened(tmp_path / "a.csv", text, **of_input)
    assert "phone, first" in str(caught.value.found)
    assert fix is None or fix in getattr(caught.value.fix, "remedies", (caught.value.fix,))


def test_guards_and_leftovers_of_programs_are_told(tmp_path: Path) -> None:
    """Cells go out as they stand, and a person is told before; a number's guard is taken off."""
    text = 'phone,name\n"=""+12025550101""","=""Ada"""\n+12025550102,\\N\n'
    text += '+12025550103, "Anna"\n+12025550104,#N/A\n\x1a\r\n'
    batches, notes, _ = opened(tmp_path / "a.csv", text)
    assert batches[0].to_addresses == [f"+1202555010{n}" for n in range(1, 5)]
    assert [note.split(",")[0] for note in notes] == [
        "a Ctrl-Z at the file's end",
        '1 row has a cell like ="…"',
        "1 row has a cell \\N",
        "1 row has a spreadsheet's error in it",
        "1 row has a cell with a blank before its quotation mark: both are sent",
    ]


@pytest.mark.parametrize("depth", [200, 500, 900, 5_000])
def test_deep_json_is_a_malformed_row(tmp_path: Path, depth: int) -> None:
    """However deep: that row is refused, and the next one read."""
    deep = '{"phone": "+12025550101", "v": ' + "[" * depth + "]" * depth + "}\n"
    batches, _, _ = opened(tmp_path / "a.jsonl", '{"phone": "+12025550102", "v": 1}\n' + deep)
    assert batches[0].to_addresses[0] == "+12025550102"
    assert len(batches[0].row_numbers) == 2


def test_cells_that_look_like_the_borders_of_rows(tmp_path: Path) -> None:
    """A cell cannot imitate where one row's JSON ends and the next begins."""
    text = 'phone,a,b\n+12025550101,x,"],["\n,y,z\n"],[","],[","],["\n'
    batches, _, _ = opened(tmp_path / "a.csv", text)
    assert [row for batch in batches for row in batch.cells] == [
        '["+12025550101","x","],["]',
        '["","y","z"]',
        '["],[","],[","],["]',
    ]
    compressed = tmp_path / "a.csv.gz"
    assert opened(compressed, gzip.compress(text.encode()))[0][0].cells == batches[0].cells
