"""Columns are found by their names, or the settings are refused: nothing is guessed."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.errors import ColumnError
from dispatcher.intake.columns import ColumnMap, map_columns
from dispatcher.remedies import Advice, Setting
from tests.unit.intake.reading import options

HEADER = ["id", " first name ", "Phone", "notes", ""]


def mapped(header: list[str] = HEADER, **changes: Any) -> ColumnMap:
    settings = options(**{"to": "Phone", **changes})
    return map_columns(header, settings.columns, settings.campaign)


def refused(header: list[str] = HEADER, **changes: Any) -> ColumnError:
    with pytest.raises(ColumnError) as caught:
        mapped(header, **changes)
    return caught.value


def test_names_ignore_outer_spaces() -> None:
    """A name means the column whose header is the same without outer spaces."""
    assert mapped(key=["first name"]).key == (1,)
    assert mapped(key=[" first name"]).key == (1,)


def test_the_header_is_kept_as_written() -> None:
    """Every column's name is kept with its spaces, and a column without a name is kept, too."""
    assert mapped().header == tuple(HEADER)


def test_the_parameters_by_default() -> None:
    """By default every named column but To and From is a parameter, under its name without outer spaces."""
    assert mapped().parameters == {"id": 0, "first name": 1, "notes": 3}
    assert mapped(from_column="notes").parameters == {"id": 0, "first name": 1}


def test_key_columns_are_parameters() -> None:
    """A column that the row key is made of is sent as a parameter like any other."""
    assert "id" in mapped(key=["id"]).parameters


def test_parameters_may_be_listed_or_renamed() -> None:
    """A list sends those columns alone, an empty list sends none, and a table sends them under other names."""
    assert mapped(parameters=["notes", "id"]).parameters == {"notes": 3, "id": 0}
    assert mapped(parameters=[]).parameters == {}
    assert mapped(parameters={"name": "first name", "again": "first name"}).parameters == {"name": 1, "again": 1}


def test_a_to_column_is_proposed_not_guessed() -> None:
    """Without a To column the error lists the columns and proposes one, but uses none."""
    error = refused(to=None)
    assert error.found == 'the columns "id", "first name", "Phone", "notes"'
    assert error.fix == Setting("columns.to", "Phone")


@pytest.mark.parametrize("wanted", ["phone", "PHONE", "Phones", "Pone"])
def test_a_nearly_right_name_is_refused(wanted: str) -> None:
    """A name that is nearly a column's is refused, and the right one is proposed."""
    error = refused(to=wanted)
    assert error.message == f'[columns] to: the file has no column "{wanted}"'
    assert error.found == 'the columns "id", "first name", "Phone", "notes"'
    assert error.fix == Advice('did you mean "Phone"?')


def test_a_name_like_no_other_has_no_proposal() -> None:
    """A name that is like no column's is refused without a proposal."""
    assert refused(to="xyzzy").fix == Setting("columns.to")


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"from_column": "sender"}, "[campaign] from_column"),
        ({"key": ["id", "nope"]}, "[columns] key"),
        ({"parameters": ["nope"]}, "[columns] parameters"),
        ({"parameters": {"name": "nope"}}, "[columns.parameters] name"),
    ],
)
def test_the_error_names_the_setting(changes: dict[str, Any], setting: str) -> None:
    """Where a column is not in the file, the error names the setting that named the column."""
    assert refused(**changes).message.startswith(f"{setting}: the file has no column")


def test_a_column_that_is_there_twice_may_not_be_used() -> None:
    """Where two columns have the name that is asked for, neither is used, and the error says where they are."""
    error = refused(["Phone", "a", "Phone "])
    assert error.message == '[columns] to: the file has 2 columns named "Phone"'
    assert error.found == "columns 1 and 3"


def test_unused_columns_of_one_name() -> None:
    """Columns of one name that are not used are kept apart."""
    columns = mapped(["Phone", "a", "a", "b"], parameters=["b"])
    assert columns.header == ("Phone", "a", "a", "b")
    assert columns.parameters == {"b": 3}


def test_sent_columns_of_one_name_are_refused() -> None:
    """Columns of one name are refused when every column would be sent."""
    assert refused(["Phone", "a", "a"]).found == "columns 2 and 3"


def test_the_row_ids_name_is_reserved() -> None:
    """No column and no constant may take the name under which the row's id travels, unless no id travels."""
    error = refused(["Phone", "dispatch_id"])
    assert error.message == 'the parameter "dispatch_id" is the name under which each row\'s id travels'
    assert mapped(["Phone", "dispatch_id"], id_parameter="").parameters == {"dispatch_id": 1}
    assert mapped(["Phone", "dispatch_id"], parameters={"theirs": "dispatch_id"}).parameters == {"theirs": 1}
    assert "row's id" in refused(constants={"dispatch_id": "x"}).message


def test_a_parameter_may_not_be_set_twice() -> None:
    """A constant named like a column, a column listed twice, and a parameter without a name are refused."""
    assert "is set twice" in refused(constants={"notes": "x"}).message
    assert refused(parameters=["id", "id "]).message == '[columns] parameters names "id" twice'
    assert refused(parameters={"": "id"}).message == "a parameter has no name"


def test_the_reports_own_columns_are_dropped() -> None:
    """The report's own columns are dropped, and other columns of that prefix are the user's."""
    header = ["Phone", "dispatch_error_code", "dispatch_note", "dispatch_outcome_reply", " dispatch_to ", "a"]
    columns = mapped(header)
    assert columns.header == ("Phone", "dispatch_note", "a")
    assert columns.kept == (0, 2, 5)
    assert (columns.status, columns.campaign) == (None, None)
    assert columns.parameters == {"dispatch_note": 1, "a": 2}


def test_what_a_report_says_is_read_behind_the_cells() -> None:
    """Its states and campaigns are no cells of the row: they are neither sent nor kept."""
    columns = mapped(["dispatch_status", "Phone", "dispatch_campaign", "a"])
    assert (columns.header, columns.kept) == (("Phone", "a"), (1, 3, 0, 2))
    assert (columns.status, columns.campaign) == (2, 3)
    assert columns.parameters == {"a": 1}
    columns = mapped(["Phone", "dispatch_campaign", "a"])
    assert (columns.kept, columns.status, columns.campaign) == ((0, 2, 1), None, 2)


def test_to_may_not_be_a_column_of_the_report() -> None:
    """A column that the report wrote is dropped before To is looked for, so To cannot be one."""
    assert refused(["dispatch_to", "a"], to="dispatch_to").found == 'the columns "a"'


def test_a_wide_headers_error_is_short() -> None:
    """The error of a header of 500 columns names the first 40 and says how many more there are."""
    error = refused([f"column {number}" for number in range(500)], to="nope")
    assert error.found is not None
    assert error.found.endswith("and 460 more")
