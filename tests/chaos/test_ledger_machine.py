"""The ledger's state machines, in their long form."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.unit.ledger.conformance.harness import BACKENDS, fewer, on
from tests.unit.ledger.conformance.test_people_machine import PeopleMachine
from tests.unit.ledger.conformance.test_state_machine import SETTINGS, LedgerMachine


@pytest.mark.chaos
@pytest.mark.parametrize("backend", sorted(BACKENDS))
@pytest.mark.parametrize("machine", [LedgerMachine, PeopleMachine])
def test_no_order_sends_twice_or_loses(machine: type[RuleBasedStateMachine], backend: str) -> None:
    """No order of things sends a row or reaches a person twice, or loses one."""
    long = settings(SETTINGS, max_examples=400, stateful_step_count=40)
    run_state_machine_as_test(on(backend, machine), settings=fewer(backend, long))
