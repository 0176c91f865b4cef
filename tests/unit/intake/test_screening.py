"""A row is planned only if it can be sent; else it says which cell is wrong and why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dispatcher.intake.columns import map_columns
from dispatcher.intake.phones import Addresses
from dispatcher.intake.rows import RowChunk
from dispatcher.intake.screening import Limits, Screening
from dispatcher.ledger.records import InputRecord
from dispatcher.model import Reason, dispatch_id
from tests.unit.intake.reading import ANN, BOB, SENDER, options, read, write

SERVICE = "MG" + "0" * 32


def test_the_row_key_is_the_normalised_number(tmp_path: Path) -> None:
    """The row key is the normalised number, so two ways of writing it are one contact."""
    reading = read(write(tmp_path / "a.csv", f"phone\n{ANN}\n(202) 555-0101\n"))
    assert [row.key for row in reading.rows] == [ANN, ANN]


def test_the_row_key_may_be_other_columns(tmp_path: Path) -> None:
    """The key may be one column or several; a row in which one of them is empty is invalid and names it."""
    path = write(tmp_path / "a.csv", f"phone,id,day\n{ANN}, 7 ,Mon\n{ANN},8,\n{ANN},,Mon\n")
    assert [row.key for row in read(path, key=["id"]).rows] == ["7", "8", None]
    rows = read(path, key=["id", "day"]).rows
    assert [row.key for row in rows] == ["7\x1fMon", None, None]
    assert (rows[1].reason, rows[1].column) == (Reason.key_missing, "day")
    assert (rows[2].reason, rows[2].column) == (Reason.key_missing, "id")


def test_a_key_that_no_index_takes(tmp_path: Path) -> None:
    """It is the row's fault, told with the column; one byte less is a key."""
    path = write(tmp_path / "a.csv", f"phone,id\n{ANN},{'é' * 512}\n{BOB},{'é' * 512}x\n")
    rows = read(path, key=["id"]).rows
    assert rows[0].key == "é" * 512
    assert (rows[1].key, rows[1].reason, rows[1].column) == (None, Reason.row_malformed, "id")
    assert rows[1].sentence == "the row's key has 1,025 bytes; at most 1,024 are allowed"


def test_each_row_may_have_its_own_sender(tmp_path: Path) -> None:
    """A row's own sender is checked and normalised; where it is empty the common one holds."""
    path = write(tmp_path / "a.csv", f"phone,sender\n{ANN},{SERVICE}\n{ANN},(202) 555-0109\n{ANN},\n{ANN},Acme\n")
    rows = read(path, from_column="sender").rows
    assert [row.sender for row in rows] == [SERVICE, "+12025550109", None, None]
    assert [row.state for row in rows] == ["planned", "planned", "planned", "invalid"]
    assert (rows[3].reason, rows[3].column) == (Reason.from_invalid, "sender")


def test_without_a_common_sender_each_row_needs_one(tmp_path: Path) -> None:
    """Where there is no common sender a row without its own is invalid."""
    path = write(tmp_path / "a.csv", f"phone,sender\n{ANN},{SERVICE}\n{ANN},\n")
    reading = read(path, from_column="sender", from_=None)
    assert reading.new_input.from_address is None
    assert reading.reasons == [None, Reason.from_missing]


def test_the_common_sender_is_normalised_once(tmp_path: Path) -> None:
    """The common sender is kept with the input, in its normal form."""
    path = write(tmp_path / "a.csv", f"phone\n{ANN}\n")
    assert read(path, from_="(202) 555-0100").new_input.from_address == SENDER


def test_to_and_from_together_have_at_most_300_bytes(tmp_path: Path) -> None:
    """A row is invalid where To and From have more than the 300 bytes that Studio takes; bytes, not letters."""
    room = 300 - len(SENDER)
    fits, long = "client:" + "a" * (room - 7), "client:" + "a" * (room - 6)
    wide = "client:" + "é" * ((room - 7) // 2 + 1)
    reading = read(write(tmp_path / "a.csv", f"phone\n{fits}\n{long}\n{wide}\n{ANN}\n"))
    assert reading.reasons == [None, Reason.address_too_long, Reason.address_too_long, None]
    assert reading.rows[1].sentence == "To and From together have 301 bytes; Studio takes 300"


def test_the_300_bytes_count_a_rows_own_sender(tmp_path: Path) -> None:
    """A row's own sender counts towards the 300 bytes of To and From."""
    path = write(tmp_path / "a.csv", f"phone,sender\n{ANN},client:{'b' * 290}\n{ANN},{SERVICE}\n")
    assert read(path, from_column="sender").reasons == [Reason.address_too_long, None]


def row_parameters(reading_header: Sequence[str], row: Sequence[str], new_input: object) -> bytes:
    record = InputRecord(
        input_id=1,
        campaign_id=1,
        source="",
        sha256="",
        header=tuple(reading_header),
        parameter_columns=new_input.parameter_columns,  # type: ignore[attr-defined]
        parameter_constants=new_input.parameter_constants,  # type: ignore[attr-defined]
        from_address=None,
    )
    return orjson.dumps({**record.parameters(row), "dispatch_id": dispatch_id("AC", "FW", "c", "k")})


@pytest.mark.parametrize("text", ["x", "é", '"', "\n", "\U0001f600"])
def test_the_bound_on_parameters_is_exact(tmp_path: Path, text: str) -> None:
    """The bound on Parameters is exact to the byte and counts the row's id."""
    cells = [(text * length).replace('"', '""') for length in range(1, 180)]
    path = write(tmp_path / "a.csv", "phone,note\n" + "".join(f'{ANN},"{cell}"\n' for cell in cells))
    reading = read(path, parameters_max_bytes=200, constants={"offer": "10 %"})
    sizes = [len(row_parameters(reading.new_input.header, row.cells, reading.new_input)) for row in reading.rows]
    assert min(sizes) <= 200 < max(sizes)
    assert reading.reasons == [Reason.parameters_too_large if size > 200 else None for size in sizes]


def test_parameters_too_large_names_the_longest_column(tmp_path: Path) -> None:
    """A row with too large Parameters is invalid, and names its longest column, their size and the bound."""
    path = write(tmp_path / "a.csv", f"phone,a,b\n{ANN},xx,{'y' * 20_000}\n")
    (row,) = read(path).rows
    assert (row.reason, row.column) == (Reason.parameters_too_large, "b")
    assert row.sentence == "the Parameters have 20,060 bytes; at most 16,384 are allowed"


def test_a_column_that_is_not_sent_does_not_count(tmp_path: Path) -> None:
    """A column that is not sent does not count towards the size of the Parameters."""
    path = write(tmp_path / "a.csv", f"phone,a,b\n{ANN},xx,{'y' * 20_000}\n")
    assert read(path, parameters=["a"]).reasons == [None]


def test_a_column_counts_as_often_as_it_is_sent(tmp_path: Path) -> None:
    """A column that is sent under several names counts as often towards the size of the Parameters."""
    path = write(tmp_path / "a.csv", f"phone,a\n{ANN},{'y' * 100}\n")
    many = {f"p{number}": "a" for number in range(8)}
    assert read(path, parameters=many, parameters_max_bytes=800).reasons == [Reason.parameters_too_large]
    assert read(path, parameters={"p": "a"}, parameters_max_bytes=800).reasons == [None]


def test_a_cell_over_its_bound_names_its_column(tmp_path: Path) -> None:
    """A cell with more bytes than allowed makes its row invalid and names its column, its size and the bound."""
    path = write(tmp_path / "a.csv", f"phone,a\n{ANN},{'é' * 60}\n{ANN},{'é' * 50}\n")
    rows = read(path, cell_max_bytes=100).rows
    assert (rows[0].reason, rows[0].column) == (Reason.row_malformed, "a")
    assert rows[0].sentence == "the cell has 120 bytes; at most 100 are allowed"
    assert rows[1].reason is None


def test_a_campaigns_own_rule_skips_a_row() -> None:
    """A campaign's own rule skips a row with its reason and keeps its key."""
    settings = options()
    screening = Screening(
        map_columns(["phone", "name"], settings.columns, settings.campaign),
        Addresses("US"),
        from_address=SENDER,
        id_parameter="dispatch_id",
        limits=Limits(parameters_max_bytes=1_000, cell_max_bytes=1_000),
        rules=[lambda to, sender, row: (Reason.suppressed, f"{row[1]} asked for it") if to == BOB else None],
    )
    batch = screening.screen(RowChunk([2, 3, 4], [(ANN, "Ann"), (BOB, "Bob"), ("", "Cy")]))
    assert list(batch.states) == ["planned", "skipped", "invalid"]
    assert list(batch.row_keys) == [ANN, BOB, None]
    assert batch.reasons[1] == (Reason.suppressed, None, "Bob asked for it")


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_cell_like_the_end_of_a_row(tmp_path: Path, suffix: str) -> None:
    """Where a row's last cell is `],[`, it and the row after it are screened as the rows they are."""
    rows = [(ANN, "],["), ("", "b"), (BOB, "c")]
    if suffix == "csv":
        text = "phone,note\n" + "".join(f'{phone},"{note}"\n' for phone, note in rows)
    else:
        text = "".join(json.dumps({"phone": phone, "note": note}) + "\n" for phone, note in rows)
    reading = read(write(tmp_path / f"a.{suffix}", text))
    assert reading.cells == rows
    assert reading.reasons == [None, Reason.to_missing, None]


@example([("],[",), ("",)])
@example([('a"],[', "b"), ("c", "d")])
@example([('"],["',), ("x",), ("y",)])
@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(st.tuples(*[st.text(st.sampled_from('a"],[\\\0é\n'), max_size=8)] * width), max_size=8)
    )
)
def test_rows_encoded_at_once_are_the_rows(rows: list[tuple[str, ...]]) -> None:
    """Rows that are encoded at once and cut apart are the rows that went in.

    Cells that look like the end of one row and the start of the next are in the alphabet.
    """
    cells, may_have_nul = RowChunk(range(len(rows)), rows).encode(len(rows[0]) if rows else 0)
    assert [tuple(json.loads(text)) for text in cells] == rows
    assert may_have_nul or not any("\0" in cell for row in rows for cell in row)
