"""A row becomes a create request: its Parameters, its sender, its id."""

from __future__ import annotations

from collections.abc import Iterable

from dispatcher.campaign.context import CampaignContext
from dispatcher.ledger.records import CampaignRecord, GrantedRow, InputRecord
from dispatcher.model import dispatch_id
from dispatcher.studio.forms import create_form


class Requests:
    """What one campaign sends for its rows. `id_parameter` "": rows carry no id."""

    def __init__(self, record: CampaignRecord, inputs: Iterable[InputRecord], *, id_parameter: str) -> None:
        self._record = record
        self._inputs = {item.input_id: item for item in inputs}
        self._id_parameter = id_parameter

    def dispatch_id(self, row_key: str) -> str:
        """The id that proves an execution to be this row's."""
        record = self._record
        return dispatch_id(record.account.account_sid, record.flow_sid, record.name, row_key)

    def parameters(self, row: GrantedRow) -> dict[str, str]:
        """The row's Parameters, its id among them."""
        parameters = self._inputs[row.input_id].parameters(row.cells)
        if self._id_parameter:
            parameters[self._id_parameter] = row.dispatch_id or self.dispatch_id(row.row_key)
        return parameters

    def sender(self, row: GrantedRow) -> str:
        """The row's own From, or its input's."""
        sender = self._inputs[row.input_id].sender(row.from_address)
        assert sender is not None, "intake plans no row without a sender"
        return sender

    def form(self, row: GrantedRow) -> bytes:
        """The create request's body."""
        return create_form(row.to_address, self.sender(row), self.parameters(row))


async def requests_of(context: CampaignContext) -> Requests:
    """How a campaign's rows become create requests."""
    record = await context.current()
    inputs = await context.ledger.inputs(record)
    return Requests(record, inputs, id_parameter=context.settings.campaign.id_parameter)
