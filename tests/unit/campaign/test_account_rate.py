"""An account's own rate counts over that of the settings."""

from __future__ import annotations

from dispatcher.campaign.account_rate import rate_of
from dispatcher.ledger.records import AccountLimits
from dispatcher.settings import Settings


def test_the_accounts_own_rate_counts() -> None:
    """Where it has one, and nothing but the rate changes; what 429s have left of it is no rate of its own."""
    settings = Settings.model_validate({"rate": {"per_second": 20, "window_s": 5, "in_flight": 7}})
    assert rate_of(settings, AccountLimits(ceiling_per_s=3.0)) is settings
    assert rate_of(settings, AccountLimits(per_second=20.0)) is settings
    found = rate_of(settings, AccountLimits(per_second=12.5))
    assert found.rate == settings.rate.model_copy(update={"per_second": 12.5})
    assert found.model_copy(update={"rate": settings.rate}) == settings
