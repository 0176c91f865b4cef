"""What is learned of a sheet as a whole: many plain rows at once, and one by one."""

from __future__ import annotations

import io
import itertools
import re
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dispatcher.intake import scanning
from dispatcher.intake import sheet as sheets
from dispatcher.intake.cells import letters_of
from dispatcher.intake.facts import Facts
from dispatcher.intake.numbers import Format
from dispatcher.intake.unopenable import Unopenable

DATES, TIMES = Format(200, "yyyy-mm-dd"), Format(201, "yyyy-mm-dd hh:mm")
#: A cell without a style has no format, whatever the first of them says.
STYLES = {0: DATES, 1: DATES, 2: Format(202, "#,##0.00"), 3: Format(203, "00000"), 4: TIMES, 10: DATES}
NEVER = re.compile(rb"(?!)")


def row(number: int, *cells: str) -> str:
    return f'<row r="{number}">{"".join(cells)}</row>'


DAY, TIME = '<c r="B2" s="1"><v>46083</v></c>', '<c r="B2" s="1"><v>46083.5</v></c>'
CELLS = st.builds(
    '<c r="{}"{}{}{}'.format,
    st.sampled_from(["A2", "B2", "B3", "C7", "D2", "AA2", "XFD2"]),
    st.sampled_from(["", "", *(f' s="{style}"' for style in ("0", "1", "01", "2", "3", "4", "10", "9"))]),
    st.sampled_from(["", "", "", *(f' t="{kind}"' for kind in ("n", "s", "str", "b"))]),
    st.sampled_from(["/>", *(f"><v>{one}</v></c>" for one in ("", "7", "46083", "46083.5", "46084", "1e999", "x"))]),
)
PLAIN_ROWS = st.builds(
    lambda number, attributes, cells: row(number, *cells).replace(">", attributes, 1),
    st.integers(1, 30),
    st.sampled_from([">", ' spans="1:2">', ' ht="15.75" customHeight="1">']),
    # Two cells of a row stand in one column only by way of B2 and B3.
    st.lists(CELLS, min_size=1, max_size=4, unique_by=lambda one: one.split('"')[1]),
)
ODD_ROWS = st.sampled_from(
    [
        '<row r="2"/>',
        "<row><c><v>1</v></c></row>",
        '<row r="9" hidden="1"><c r="A9"><v>1</v></c></row>',
        '<row r="9" ht="0"><c r="A9"><v>1</v></c></row>',
        '<row r="9"><c r="A9" t="d"><v>2026-03-02</v></c><c r="B9" t="d"><v>2026-03-02T14:15:00</v></c></row>',
        "<row r='9'><c r='A9' s='1'><v>46083.5</v></c></row>",
        '<row r="9"><c r="A9" s="1"><f>B9</f></c><c r="B9" s="2"><v>&#55;</v></c></row>',
        '<!-- <row r="30"><c r="A30" s="4"><v>46083.5</v></c></row> -->',
        '<row r="9"><c r="A9" s="1"><v>1</c></row>',
        "\n",
    ]
)
ROWS = st.lists(st.lists(PLAIN_ROWS, min_size=1, max_size=8).map("".join) | ODD_ROWS, max_size=5)


def learned(rows: str, *, is_scanned: bool = True) -> Any:
    """What of the facts may be told, in the order in which it is told; or why the sheet cannot be read."""
    facts = Facts(STYLES, is_1904=False)
    sheet = f"<worksheet><cols/><sheetData>{rows}</sheetData></worksheet>".encode()
    scan = {} if is_scanned else {"PLAIN_ROW": NEVER, "PLAIN_ROWS": NEVER}
    try:
        with mock.patch.dict(vars(sheets), scan):
            sheets.learn(facts, io.BytesIO(sheet))
    except Unopenable as error:
        return error.message
    formats = {letters_of(column): [*counts.items()] for column, counts in facts.formats.items()}
    used = {letters_of(column): count for column, count in facts.used.items()}
    return facts.last_row, facts.hidden_rows, used, {letters_of(column) for column in facts.clocked}, formats


@settings(max_examples=400, deadline=None)
@example([row(1, TIME, DAY)], 1 << 18, False).via("only the last of a row's cells in one column counts")
@example([row(1, DAY), row(2, '<c r="A2"><v></v></c>')], 1 << 18, False).via("the last row has nothing in it")
@example([row(1, DAY), "<row><c><v>1</v></c></row>"], 1 << 18, False).via("a row without a number follows plain ones")
@example([row(2, DAY), row(1, DAY)], 1 << 18, False).via("rows out of order")
@given(ROWS, st.sampled_from([1, 7, 64, 1 << 18]), st.booleans())
def test_facts_are_the_same_by_scan_and_parser(rows: list[str], piece: int, is_in_order: bool) -> None:
    """Rows of the plain form and others, in any order, cut anywhere."""
    text = "".join(rows)
    if is_in_order:
        numbers = itertools.count(1)
        text = re.sub(r'(?<=<row r=")\d+', lambda _: str(next(numbers)), text)
    with mock.patch.object(scanning, "_PIECE", piece):
        assert learned(text) == learned(text, is_scanned=False)


def test_plain_rows_are_learned_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of rows cost a few looks, and what is learned is what stands there."""
    looks: list[int] = []
    learn_plain = Facts.learn_plain

    def counted(facts: Facts, rows: str) -> bool:
        looks.append(len(rows))
        return learn_plain(facts, rows)

    monkeypatch.setattr(Facts, "learn_plain", counted)
    monkeypatch.setattr(Facts, "learn", None)
    cells = ('<c r="A3" t="s"><v>0</v></c>', DAY, '<c r="C3" s="2"/>')
    days = "".join(row(n, *cells) for n in range(1, 10_000))
    found = learned(days + row(10_000, TIME) + row(10_001, '<c r="A9" s="2"/>'))
    assert found == (10_000, 0, {"A": 9_999, "B": 10_000}, {"B"}, {"B": [(DATES, 10_000)]})
    assert 1 <= len(looks) <= 10


def test_formats_are_told_in_the_rows_order() -> None:
    """A column's formats are listed as they come, with how often."""
    rows = [row(n, f'<c r="A2" s="{style}"><v>5</v></c>') for n, style in enumerate((4, 2, 4, 3, 0, 1), 1)]
    assert learned("".join(rows))[4] == {"A": [(TIMES, 2), (STYLES[2], 1), (DATES, 1)]}


def test_the_child_keeps_no_row_while_it_learns() -> None:
    """Memory is flat: neither plain rows nor others are gathered."""
    parser = sheets._Parser(Facts(STYLES, is_1904=False), is_uncalculated=False)
    days, times = (
        "".join(row(n, *cells) for n in range(first, first + 50)) for first, cells in ((1, [DAY]), (101, [DAY, TIME]))
    )
    data = f"<sheetData>{days}{'<row/>' * 50}{times}</sheetData>".encode()
    rest = scanning.read_piece(
        parser, io.BytesIO(data), b"", container=b"<sheetData", element=b"<row ", ending=b"</row>"
    )
    assert (rest, parser.count, parser.rows) == (b"", 150, [])
