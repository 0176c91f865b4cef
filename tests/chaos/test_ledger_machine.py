"""The ledger's state machine, in its long form."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.unit.ledger.conformance.test_state_machine import SETTINGS, LedgerMachine


@pytest.mark.chaos
def test_no_order_sends_twice_or_loses() -> None:
    """No order of things sends a row twice or loses one."""
    run_state_machine_as_test(LedgerMachine, settings=settings(SETTINGS, max_examples=400, stateful_step_count=40))
