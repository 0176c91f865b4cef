"""What a file's record says of its rows."""

from __future__ import annotations

from dispatcher.ledger.records import InputRecord

RECORD = InputRecord(
    input_id=1,
    campaign_id=1,
    source="contacts.csv",
    sha256="",
    header=("phone", "name", "n"),
    parameter_columns={"name": 1, "count": 2},
    parameter_constants={"offer": "10 %", "name": "nobody"},
    from_address="+15550100100",
)


def test_parameters_are_cells_above_constants() -> None:
    """As text, exactly as written."""
    assert RECORD.parameters(["+1", "Zoë", "007"]) == {"offer": "10 %", "name": "Zoë", "count": "007"}


def test_a_sender_of_its_own_comes_first() -> None:
    """The file's sender is for rows that have none."""
    assert RECORD.sender("+15550100101") == "+15550100101"
    assert RECORD.sender(None) == RECORD.sender("") == "+15550100100"
