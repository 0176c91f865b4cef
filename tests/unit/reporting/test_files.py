"""Several files' rows as those of one."""

from __future__ import annotations

from collections.abc import AsyncIterator

from dispatcher.ledger.records import InputRecord, ReportRow
from dispatcher.model import RowState
from dispatcher.reporting.files import rows_of_files


def file(number: int, *header: str) -> InputRecord:
    """A file with these columns."""
    return InputRecord(
        input_id=number,
        campaign_id=1,
        source="",
        sha256="",
        header=header,
        parameter_columns={},
        parameter_constants={},
        from_address=None,
    )


def row(number: int, *cells: str) -> ReportRow:
    """A row of that file."""
    nothing = [None] * (len(ReportRow._fields) - 5)
    return ReportRow._make((1, number, 2, list(cells), RowState.planned, *nothing))


async def shown(*files: tuple[InputRecord, ReportRow]) -> tuple[tuple[str, ...], list[list[str]]]:
    """The header, and the cells below it."""
    rows = {one.input_id: found for one, found in files}

    async def rows_of(one: InputRecord) -> AsyncIterator[list[ReportRow]]:
        yield [rows[one.input_id]]

    header, found = rows_of_files([one for one, _ in files], rows_of)
    return header, [one.cells async for batch in found for one in batch]


async def test_columns_are_the_same_by_name() -> None:
    """In the first file's order; what only a later one has comes behind, and is empty before."""
    header, cells = await shown(
        (file(1, "phone", "name"), row(1, "1", "Mia")), (file(2, "city", "name", "phone"), row(2, "Bonn", "Ada", "2"))
    )
    assert header == ("phone", "name", "city")
    # The first file's rows are filled up by whoever writes them.
    assert cells == [["1", "Mia"], ["2", "Ada", "Bonn"]]


async def test_a_name_that_is_there_twice() -> None:
    """The second of the one is the second of the other; a short or a long row keeps its cells under their names."""
    header, cells = await shown(
        (file(1, "phone", "note", "note"), row(1, "1", "a", "b")),
        (file(2, "note", "note", "note"), row(2, "x", "y")),
        (file(3, "phone", "note"), row(3, "3", "c", "d")),
    )
    assert header == ("phone", "note", "note", "note")
    assert cells == [["1", "a", "b"], ["", "x", "y", ""], ["3", "c,d", "", ""]]


async def test_one_file_is_as_it_was() -> None:
    """Nothing is moved, whatever its rows are like."""
    header, cells = await shown((file(1, "phone", "phone"), row(1, "1", "2", "3")))
    assert (header, cells) == (("phone", "phone"), [["1", "2", "3"]])
