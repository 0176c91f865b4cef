"""The ledger's state machine, in its long form."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.unit.ledger.test_state_machine import SETTINGS, LedgerMachine


@pytest.mark.chaos
def test_no_order_of_things_sends_a_row_twice_or_loses_one() -> None:
    run_state_machine_as_test(LedgerMachine, settings=settings(SETTINGS, max_examples=400, stateful_step_count=40))
