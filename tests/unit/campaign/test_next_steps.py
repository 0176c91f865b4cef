"""What to do next with a campaign."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dispatcher.campaign.next_steps import next_steps, undo_steps
from dispatcher.model import Pause, PausedBy, RowState
from dispatcher.remedies import Advice, Command, Option, Remedy
from tests.unit.campaign.values import status


@pytest.mark.parametrize(
    ("state", "name"),
    [
        (RowState.planned, "resume"),
        (RowState.unknown, "reconcile"),
        (RowState.sending, "reconcile"),
        (RowState.rejected, "retry"),
        (RowState.busy, "retry"),
    ],
)
def test_rows_that_can_still_be_helped_have_a_command(state: RowState, name: str) -> None:
    """Also those of earlier files."""
    for found in (status({state: 1}), status({}, {state: 1})):
        (step,) = next_steps("spring", found)
        assert isinstance(step, Command)
        assert (step.name, step.arguments) == (name, ("spring",))
        assert step.does


def test_what_workers_send_nobody_resumes() -> None:
    """Until it is paused, or nobody is to send it any more."""
    ordered = replace(status({RowState.planned: 2}), due_ms=1, is_settled=True)
    paused = replace(ordered, paused=Pause(at_ms=1, by=PausedBy.user))
    found = (ordered, paused, replace(ordered, due_ms=None), replace(ordered, is_settled=False))
    names = [step.name for one in found for step in next_steps("spring", one, by_workers=True) if hasattr(step, "name")]
    assert names == ["pause", "resume", "resume", "resume"]
    (alone,) = next_steps("spring", ordered)
    assert isinstance(alone, Command)
    assert alone.name == "resume"


def test_a_wrong_row_is_corrected_in_the_file() -> None:
    """No command mends it."""
    (step,) = next_steps("spring", status({RowState.invalid: 2}))
    assert isinstance(step, Advice)


def test_nothing_is_left_to_do() -> None:
    """Created and skipped rows need nothing."""
    none: list[Remedy] = []
    assert next_steps("spring", status({RowState.created: 5, RowState.skipped: 1})) == none


@pytest.mark.parametrize(
    ("by", "options"),
    [
        (PausedBy.user, ()),
        (PausedBy.held, ()),
        (PausedBy.guard, (Option("accept-guard"),)),
        (PausedBy.canary, (Option("accept-canary"),)),
    ],
)
def test_who_resumes_lifts_the_pause(by: PausedBy, options: tuple[Option, ...]) -> None:
    """The guard's only by saying so; and where no row waits nothing is said of it."""
    paused = replace(status({RowState.planned: 2}), paused=Pause(at_ms=1, by=by))
    (step,) = next_steps("spring", paused)
    assert step == Command("resume", ("spring",), options, does="lifts the pause and sends the 2 rows that wait")
    none: list[Remedy] = []
    assert next_steps("spring", replace(paused, rows=status({}).rows)) == none


def test_what_was_started_can_be_taken_back() -> None:
    """Created is not yet delivered: tracked, and ended; what waits is taken out. Of earlier files, too."""
    for found in (
        status({RowState.created: 5, RowState.planned: 2}),
        status({RowState.created: 5}, {RowState.planned: 2}),
    ):
        steps = undo_steps("spring", found)
        assert [step.name for step in steps if isinstance(step, Command)] == ["track", "recall", "cancel"]
        assert "not yet delivered" in steps[0].does if isinstance(steps[0], Command) else False
    assert [step.name for step in undo_steps("spring", status({RowState.planned: 1})) if isinstance(step, Command)] == [
        "cancel"
    ]


def test_where_nothing_was_done_nothing_is_taken_back() -> None:
    """Refused and left-out rows need no undoing."""
    assert not undo_steps("spring", status({RowState.rejected: 3, RowState.skipped: 1, RowState.invalid: 1}))
