"""What the end of a shift means: what keeps one machine from going on holds no campaign, and a finding does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from dispatcher import errors
from dispatcher.campaign.handing import HandedOver
from dispatcher.campaign.launch import Launched
from dispatcher.campaign.turns import Came, Outcome, ended_by, outcome_of
from dispatcher.cluster.ends import End, end_of, sentence
from dispatcher.errors import DispatcherError


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (HandedOver(), End.handed_over),
        (errors.AccountLocked(), End.locked),
        (errors.LeaseLost(), End.locked),
        (errors.LedgerGone(), End.gone),
        (errors.LedgerUnreachable(), End.away),
        (errors.LedgerFull(), End.away),
        (errors.LedgerTooNew(), End.away),
        (errors.StudioUnavailable(), End.away),
        (errors.CampaignPaused(), End.stopped),
        (errors.GuardTripped(), End.stopped),
        (errors.PreflightFailed(), End.held),
        (errors.AuthenticationError(), End.held),
        (errors.FlowNotFound(), End.held),
        (errors.BreakerOpen(), End.held),
        (errors.LookCutShort(), End.held),
        (errors.SuppressionError(), End.held),
        (errors.StartMissed(), End.held),
        (errors.CertificateUntrusted(), End.held),
        (DispatcherError(), End.held),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, DispatcherError) else str(value),
)
def test_an_error_s_end(error: DispatcherError, end: End) -> None:
    """Whether it is raised, or ends a run that has begun."""
    assert end_of(ended_by(error, None)).end is end
    found = launched(error=error)
    assert end_of(outcome_of(found, None), found).end is end


def launched(**result: Any) -> Launched:
    given = {"error": None, "reconcile_error": None, "remaining": 0, "next_at_ms": None, **result}
    return cast(Launched, SimpleNamespace(result=SimpleNamespace(**given)))


def test_ends_without_an_error() -> None:
    """All is sent; rows wait for their time; some were not reached however often it was tried."""
    ended, waits, left = launched(), launched(next_at_ms=5), launched(remaining=2)
    assert end_of(outcome_of(ended, None), ended).end is End.ended
    found = end_of(outcome_of(waits, None), waits)
    assert (found.end, found.next_at_ms) == (End.waits, 5)
    assert end_of(outcome_of(left, None), left).end is End.held


def test_rows_in_doubt_that_could_not_be_looked_up() -> None:
    """Are looked up again where Studio was away, and a person's to look at where it has refused."""
    away, refused = (launched(reconcile_error=one()) for one in (errors.StudioUnavailable, errors.StudioError))
    assert end_of(outcome_of(away, None), away).end is End.away
    assert end_of(outcome_of(refused, None), refused).end is End.held


def test_a_stop_that_somebody_asked_for_is_no_finding() -> None:
    """Whatever its error is."""
    stopping = errors.UsageError()
    assert end_of(ended_by(stopping, stopping)).end is End.stopped
    assert end_of(Outcome(came=Came.failed)).end is End.held


def test_a_held_campaign_says_why_and_where() -> None:
    """One machine of many has seen it: which one it was is half of the answer."""
    assert (
        sentence(errors.AuthenticationError("refused", found="401"), "db-7")
        == "refused (401); seen by the worker on db-7"
    )
    assert "db-7" in sentence(None, "db-7")
