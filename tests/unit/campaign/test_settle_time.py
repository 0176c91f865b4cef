"""A request that was given up may still arrive: rows are not looked for before that."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.campaign import open_campaign
from dispatcher.campaign.opening import check_settle_time
from dispatcher.errors import ExitCode, SettingsError
from dispatcher.settings import Settings


def settings(base_url: str, settle_s: float, answer_s: float) -> Settings:
    tables: dict[str, Any] = {
        "account": {"base_url": base_url},
        "reconcile": {"settle_s": settle_s},
        "timeouts": {"answer_s": answer_s},
    }
    return Settings.model_validate(tables)


@pytest.mark.parametrize("base_url", ["https://studio.twilio.com", "https://studio.invalid:8443"])
@pytest.mark.parametrize("settle_s", [0, 29.9, 30])
async def test_a_settle_time_that_is_too_short(base_url: str, settle_s: float) -> None:
    """It is refused before anything is opened, with what would do."""
    with pytest.raises(SettingsError, match="may still arrive") as refused:
        async with open_campaign("spring", settings(base_url, settle_s, 30)):
            raise AssertionError("opened")
    assert refused.value.exit_code is ExitCode.USAGE
    assert "reconcile.settle_s" in str(refused.value.fix)


@pytest.mark.parametrize(
    ("base_url", "settle_s"),
    [
        ("https://studio.twilio.com", 30.1),
        ("http://127.0.0.1:8700", 0),
        ("http://localhost:8700", 0),
        ("http://[::1]:8700", 0),
    ],
)
def test_a_settle_time_that_will_do(base_url: str, settle_s: float) -> None:
    """It is longer than an answer is waited for, or nothing leaves this machine."""
    check_settle_time(settings(base_url, settle_s, 30))


def test_the_default_will_do() -> None:
    """Without any setting rows are looked for late enough."""
    check_settle_time(Settings())
