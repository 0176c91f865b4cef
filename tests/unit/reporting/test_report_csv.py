"""The CSV report: exact where it is the user's, complete, harmless where it is ours."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dispatcher.errors import ReportError
from dispatcher.intake import open_input
from dispatcher.ledger.records import ReportRow
from dispatcher.model import REPORT_COLUMNS, FoundBy, Reason, RowState
from dispatcher.remedies import AnyOf, Option
from dispatcher.reporting.report import check_report_path
from dispatcher.reporting.selection import Selection
from dispatcher.reporting.wording import REASONS
from dispatcher.settings import Settings
from tests.unit.reporting.support import (
    HEADER,
    batches,
    never_sent,
    read_as_input,
    read_csv,
    read_dicts,
    rejected,
    row,
    write,
)


def test_the_columns_are_those_of_the_contract() -> None:
    """The names scripts use, in this order."""
    assert REPORT_COLUMNS == (
        "dispatch_campaign",
        "dispatch_row_number",
        "dispatch_to",
        "dispatch_status",
        "dispatch_execution_sid",
        "dispatch_http_status",
        "dispatch_error_code",
        "dispatch_error_message",
        "dispatch_advice",
        "dispatch_attempts",
        "dispatch_sent_at",
        "dispatch_finished_at",
    )


def test_columns_that_intake_takes_off(tmp_path: Path) -> None:
    """A report that is fed back loses exactly the columns that we added."""
    write(tmp_path / "r.csv", HEADER, batches(row()))
    settings = Settings.model_validate({"columns": {"to": HEADER[0]}, "campaign": {"from": "+15550001111"}})
    with open_input(tmp_path / "r.csv", settings) as opened:
        assert opened.new_input.header == HEADER


def test_every_row_is_there_once(tmp_path: Path) -> None:
    """Every row stands in the report once, in order, with its cells, byte for byte."""
    rows = [
        row(2, ("+15550100001", "Zoë")),
        rejected(3, cells=("+15550100002", 'O\'Neill, "Pat"')),
        never_sent(5, cells=(" 007", "two\r\nlines")),
    ]
    assert write(tmp_path / "r.csv", HEADER, batches(*rows)) == 3
    assert (tmp_path / "r.csv").read_bytes().decode() == (
        "phone,name,dispatch_campaign,dispatch_row_number,dispatch_to,dispatch_status,dispatch_execution_sid,dispatch_http_status,"
        "dispatch_error_code,dispatch_error_message,dispatch_advice,dispatch_attempts,dispatch_sent_at,"
        "dispatch_finished_at\r\n"
        "+15550100001,Zoë,spring,2,+15550100001,created,FN00000000000000000000000000000002,201,,,,1,"
        "2026-01-31T09:05:00.007Z,2026-01-31T09:05:00.100Z\r\n"
        '+15550100002,"O\'Neill, ""Pat""",spring,3,+15550100001,rejected,,400,21211,The \'To\' number is not valid,'
        "Correct the phone number or take the contact off the list. Then run again.,1,"
        "2026-01-31T09:05:00.007Z,2026-01-31T09:05:00.100Z\r\n"
        ' 007,"two\r\nlines",spring,5,,invalid,,,to_invalid,phone: it is too short,'
        "Correct the phone number and run again.,0,,\r\n"
    )


# A byte order mark where pandas begins a block of rows is taken off there: a matter of reading, not of this file.
CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff"), max_size=8) | st.sampled_from(
    [
        "NA",
        "null",
        "007",
        "+1555",
        " x ",
        "\n",
        "\r",
        "\r\n",
        '"',
        '""',
        ",",
        "a,b",
        '"a"',
        "1e5",
        "\t",
        "=1+1",
    ]
)


@given(rows=st.lists(st.tuples(CELL, CELL, CELL), max_size=8))
@example(rows=[("\r", "", "")])
@example(rows=[('"', ",", "\n")])
def test_a_report_fed_back_gives_the_same_cells(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]]
) -> None:
    """Whatever a cell holds (NUL aside, which intake refuses), intake reads from our CSV what the report was given."""
    path = tmp_path_factory.mktemp("csv") / "r.csv"
    rows = [("x", "", ""), *rows]
    write(path, ("phone", "a", "b"), batches(*[row(number, cells) for number, cells in enumerate(rows, 2)]))
    header, found = read_as_input(path, encoding="utf-8")
    assert header == ["phone", "a", "b"]
    assert found == [list(cells) for cells in rows if "".join(cells).strip()]


@given(header=st.lists(CELL, min_size=1, max_size=5))
def test_any_header_survives(tmp_path_factory: pytest.TempPathFactory, header: list[str]) -> None:
    """Names that are empty, equal, or full of quotes stay as they are."""
    path = tmp_path_factory.mktemp("csv") / "r.csv"
    write(path, header, batches(row(cells=["x"] * len(header))))
    assert read_csv(path)[0] == [*header, *REPORT_COLUMNS]


def test_no_rows_make_a_report_of_its_header(tmp_path: Path) -> None:
    """The empty case."""
    assert write(tmp_path / "r.csv", HEADER, []) == 0
    assert read_csv(tmp_path / "r.csv") == [[*HEADER, *REPORT_COLUMNS]]


def test_rows_of_another_length(tmp_path: Path) -> None:
    """A row with too few or too many cells does not shift our columns.

    Such rows are invalid; their report row is still told apart by column, and no text of theirs is lost.
    """
    write(tmp_path / "r.csv", HEADER, batches(never_sent(2, cells=["x"]), never_sent(3, cells=["x", "Smith", " Jo"])))
    assert [(r["phone"], r["name"], r["dispatch_status"]) for r in read_dicts(tmp_path / "r.csv")] == [
        ("x", "", "invalid"),
        ("x", "Smith, Jo", "invalid"),
    ]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=cmd|'/c calc'!A1", "'=cmd|'/c calc'!A1"),
        ("+1+1", "'+1+1"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\rx", "'\rx"),
        ("  =1", "'  =1"),
        ("\u00a0=1", "'\u00a0=1"),
        ("\ufeff=1", "'\ufeff=1"),
        ("fine\n=1", "fine\n'=1"),
        ("\n\n =1", "\n\n' =1"),
        ("+15550100001", "+15550100001"),
        ("The 'To' number +1… is not valid", "The 'To' number +1… is not valid"),
        ("a=b", "a=b"),
    ],
)
def test_our_own_text_cannot_run_as_a_formula(tmp_path: Path, text: str, written: str) -> None:
    """Studio's message may hold what a contact wrote."""
    write(tmp_path / "r.csv", HEADER, batches(rejected(error_message=text)))
    assert read_dicts(tmp_path / "r.csv")[0]["dispatch_error_message"] == written


def test_cells_that_look_like_formulas(tmp_path: Path) -> None:
    """The user's cells are not touched, even if they look like formulas.

    Escaping them would spoil the file for the machine that reads it back: E.164 starts with +.
    """
    cells = ("+15550100001", "=1+1")
    write(tmp_path / "r.csv", HEADER, batches(row(cells=cells)))
    assert tuple(read_csv(tmp_path / "r.csv")[1][:2]) == cells


def test_a_reason_comes_with_its_column_and_advice(tmp_path: Path) -> None:
    """Every reason: code, sentence, what to do; one without a column says only the sentence."""
    rows = [never_sent(number, reason_code=reason) for number, reason in enumerate(Reason, 2)]
    rows.append(never_sent(99, state=RowState.skipped, reason_code="duplicate", reason_column=None, reason="as row 2"))
    write(tmp_path / "r.csv", HEADER, batches(*rows))
    *shown, duplicate = read_dicts(tmp_path / "r.csv")
    for reason, told in zip(Reason, shown, strict=True):
        assert told["dispatch_error_code"] == reason
        assert told["dispatch_error_message"] == "phone: it is too short"
        assert told["dispatch_advice"] == REASONS[reason].advice
    assert duplicate["dispatch_error_message"] == "as row 2"


def test_a_reason_of_a_newer_version(tmp_path: Path) -> None:
    """A reason that this version does not know is still told.

    A ledger may hold a newer program's rows.
    """
    write(tmp_path / "r.csv", HEADER, batches(never_sent(reason_code="from_the_future")))
    (told,) = read_dicts(tmp_path / "r.csv")
    assert told["dispatch_error_code"] == "from_the_future"
    assert told["dispatch_advice"]


@pytest.mark.parametrize(
    ("found_by", "message"),
    [
        (FoundBy.answer, ""),
        (FoundBy.reconcile, "found by reconcile"),
        (FoundBy.conflict, "found by conflict: its own execution was already active"),
    ],
)
def test_a_created_row(tmp_path: Path, found_by: FoundBy, message: str) -> None:
    """A created row says how it was found, and no error.

    The 409 that led to it is no error of the row.
    """
    write(tmp_path / "r.csv", HEADER, batches(row(found_by=found_by, http_status=409, error_code=20409)))
    (told,) = read_dicts(tmp_path / "r.csv")
    assert told["dispatch_error_message"] == message
    assert told["dispatch_error_code"] == told["dispatch_advice"] == ""


@pytest.mark.parametrize("state", [state for state in RowState if state is not RowState.created])
def test_every_row_that_was_not_created_has_advice(tmp_path: Path, state: RowState) -> None:
    """An answer for every row, even where the ledger holds nothing but the state."""
    bare = row(state=state, http_status=None, execution_sid=None, found_by=None, sent_at_ms=None, ended_at_ms=None)
    write(tmp_path / "r.csv", HEADER, batches(bare))
    (told,) = read_dicts(tmp_path / "r.csv")
    assert told["dispatch_status"] == state
    assert told["dispatch_advice"]


def test_only_the_rows_asked_for_are_written(tmp_path: Path) -> None:
    """`--only failed` is rejected, busy and invalid rows; their numbers are those of the file."""
    rows = [row(2), rejected(3), never_sent(4), row(5, state=RowState.busy), row(6, state=RowState.unknown)]
    assert write(tmp_path / "r.csv", HEADER, batches(*rows), only=Selection.parse("failed")) == 3
    assert [told["dispatch_row_number"] for told in read_dicts(tmp_path / "r.csv")] == ["3", "4", "5"]


class Outcomes:
    """Two columns, as tracking adds them."""

    names = ("dispatch_outcome_status", "dispatch_outcome_reply")

    async def values(self, rows: Sequence[ReportRow]) -> Sequence[Sequence[str]]:
        return [("ended", f"=HYPERLINK({r.row_number})") for r in rows]


def test_extra_columns(tmp_path: Path) -> None:
    """Extra columns stand after ours, and are harmless.

    What a contact replied is text from outside; values belong to the rows that were selected.
    """
    rows = batches(row(2), rejected(3), row(4), size=3)
    write(tmp_path / "r.csv", HEADER, rows, only=Selection.parse("created"), extra=Outcomes())
    header, *records = read_csv(tmp_path / "r.csv")
    assert header == [*HEADER, *REPORT_COLUMNS, *Outcomes.names]
    assert [record[-2:] for record in records] == [["ended", "'=HYPERLINK(2)"], ["ended", "'=HYPERLINK(4)"]]


def test_a_name_that_ends_in_gz_is_compressed(tmp_path: Path) -> None:
    """The same bytes, packed; no name of a temporary file in them."""
    write(tmp_path / "r.csv", HEADER, batches(row(), rejected(3)))
    write(tmp_path / "r.csv.gz", HEADER, batches(row(), rejected(3)))
    packed = (tmp_path / "r.csv.gz").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / "r.csv").read_bytes()
    assert b"new" not in packed[:32]


@pytest.mark.parametrize("name", ["report", "report.txt", "report.xls", "report.gz"])
def test_an_unknown_suffix_is_refused(tmp_path: Path, name: str) -> None:
    """An unknown suffix is refused before anything is written.

    With what was found, and a name that works.
    """
    with pytest.raises(ReportError) as caught:
        write(tmp_path / name, HEADER, batches(row()))
    suffixes = (".csv", ".csv.gz", ".parquet", ".xlsx")
    assert caught.value.fix == AnyOf(*[Option("report", f"report{suffix}") for suffix in suffixes])
    assert caught.value.found
    with pytest.raises(ReportError):
        check_report_path(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_the_suffix_may_be_written_in_capitals(tmp_path: Path) -> None:
    """As Windows programs do."""
    write(tmp_path / "R.CSV", HEADER, batches(row()))
    assert len(read_csv(tmp_path / "R.CSV")) == 2
