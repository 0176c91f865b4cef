"""What became of a campaign's conversations, in labels and values."""

from __future__ import annotations

from dataclasses import replace

from dispatcher.ledger.executions import ExecutionCounts
from dispatcher.model import ExecutionStatus
from dispatcher.web.outcomes import outcome_facts

COUNTS = ExecutionCounts(
    created=1_300,
    unseen=0,
    by_status={ExecutionStatus.ended: 1_234, ExecutionStatus.active: 66},
    recalled=0,
    read=1_234,
    last_steps={},
    errors={},
    seen_at_ms=1,
)


def test_before_anybody_has_looked() -> None:
    """Nothing is told: noughts would be taken for what became of them."""
    assert outcome_facts(replace(COUNTS, seen_at_ms=None)) == []


def test_what_became_of_them() -> None:
    """Ended and open ones; recalled ones and those not looked at where there are some."""
    assert outcome_facts(COUNTS) == [("Ended", "1,234 of 1,300"), ("Still open", "66")]
    more = dict(outcome_facts(replace(COUNTS, recalled=1_000, unseen=5)))
    assert (more["Recalled"], more["Not looked at yet"]) == ("1,000", "5")


def test_steps_and_errors_the_most_frequent_first() -> None:
    """A few of each; a step that is not known has words, an error what it means, where that is known."""
    steps = {f"step_{n}": n for n in range(1, 9)} | {"": 2_000}
    found = outcome_facts(replace(COUNTS, last_steps=steps, errors={30003: 1, 99: 7}))[2:]
    assert found[:2] == [("Came to a step that is not known", "2,000 contacts"), ("Came to step_8", "8 contacts")]
    assert [name for name, _ in found[6:]] == ["Error 99", "Error 30003"]
    assert found[6][1] == "7 contacts"
    assert found[7][1].startswith("1 contact: ")
    assert len(outcome_facts(replace(COUNTS, errors=dict.fromkeys(range(20), 1)))) == 8
