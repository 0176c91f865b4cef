"""Whose campaigns the page sends: the server's settings, a profile's over them, a draft's over both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dispatcher.errors import AuthenticationError, DispatcherError, SettingsError
from dispatcher.settings import Credentials, LoadedSettings, load
from dispatcher.web.accounts import Account, Accounts, folder_of

FILE = """
[account]
base_url = "http://127.0.0.1:9"
[state]
dir = "state"
[rate]
per_second = 7
[profiles.uk.rate]
per_second = 3
[profiles.apart.state]
dir = "another"
"""
EVERYBODYS = Credentials(account_sid="AC" + "5" * 28 + "5e1f", username="AC", password="not-a-real-token")


@dataclass
class OfDraft:
    """What matters of a draft."""

    profile: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


class Source:
    """A config.toml, and the environment."""

    def __init__(self, folder: Path, text: str = FILE.partition("[profiles.apart")[0]) -> None:
        self.path = folder / "config.toml"
        self.path.write_text(text)
        self.profile: str | None = None

    def __call__(self, profile: str | None, over: Mapping[str, Any]) -> LoadedSettings:
        return load(self.path, profile=profile or self.profile, flags=over, environ={})


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


def test_settings_in_their_order(source: Source) -> None:
    """A draft's win over a profile's, and these over the server's; nothing of one campaign holds for another."""
    accounts = Accounts(source, credentials=EVERYBODYS)
    assert accounts.profiles == (None, "uk")
    assert accounts.settings.rate.per_second == 7
    for draft, per_second in (
        (OfDraft(), 7),
        (OfDraft("uk"), 3),
        (OfDraft("uk", {"rate.per_second": 2}), 2),
        (OfDraft("uk"), 3),
        (OfDraft(), 7),
    ):
        assert accounts.of(draft).settings.rate.per_second == per_second


def test_what_an_administrator_changes_holds(source: Source) -> None:
    """From the next page on, without a new start; a mistake is told, and nothing is taken for what was."""
    accounts = Accounts(source, credentials=EVERYBODYS)
    text = source.path.read_text()
    source.path.write_text(text.replace("per_second = 7", "per_second = 9"))
    assert accounts.of(OfDraft()).settings.rate.per_second == 9
    source.path.write_text(text.replace("per_second = 7", 'per_second = "x"'))
    with pytest.raises(SettingsError):
        accounts.of(OfDraft())


@pytest.mark.parametrize(
    "draft",
    [
        OfDraft("nobody"),
        OfDraft(None, {"rate.per_second": "fast"}),
        OfDraft(None, {"nothing.such": 1}),
        OfDraft("../uk"),
    ],
)
def test_a_draft_that_cannot_be_meant(source: Source, draft: OfDraft) -> None:
    """A profile that is gone, and settings that are none: nobody else's account is taken instead."""
    with pytest.raises(SettingsError):
        Accounts(source, credentials=EVERYBODYS).of(draft)


def test_a_profile_with_a_ledger_of_its_own(tmp_path: Path) -> None:
    """One server looks after one ledger: campaigns of another would be sent by nobody, or twice."""
    with pytest.raises(SettingsError, match="'apart' has a ledger of its own") as caught:
        Accounts(Source(tmp_path, FILE), credentials=EVERYBODYS)
    assert "another" in (caught.value.found or "")
    source = Source(tmp_path, FILE)
    source.profile = "apart"
    only = Accounts(source, credentials=EVERYBODYS)
    assert only.profiles == ("apart",)
    assert only.folder == folder_of(only.settings)
    assert only.folder.name == "another"


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the server's own account, and none of the profile's."""
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", "AC" + "0" * 28 + "4f2a")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "0" * 32)


@pytest.mark.usefixtures("credentials")
def test_an_account_without_credentials(source: Source) -> None:
    """It can be chosen and worked with up to Studio, and says what is missing: never with another's."""
    accounts = Accounts(source)
    own, uk = accounts.all()
    assert (own.profile, own.sid, own.problem, own.label) == (None, "…4f2a", None, "Account …4f2a")
    assert (uk.profile, uk.sid, uk.label) == ("uk", "", "uk")
    assert isinstance(uk.problem, AuthenticationError)
    assert accounts.of(OfDraft()).required().account_sid.endswith("4f2a")
    found = accounts.of(OfDraft("uk"))
    assert found.credentials is None
    assert found.settings.rate.per_second == 3
    with pytest.raises(AuthenticationError) as caught:
        found.required()
    assert caught.value is found.problem


def test_a_rehearsal_s_credentials_are_everybody_s(source: Source) -> None:
    """Of each profile the same; an account is shown by its end alone."""
    accounts = Accounts(source, credentials=EVERYBODYS)
    assert [one.label for one in accounts.all()] == ["Account …5e1f", "uk …5e1f"]
    assert accounts.with_profile("uk").credentials is EVERYBODYS
    assert Account(profile=None, sid="", problem=DispatcherError()).label == "Account"


def test_a_cluster_s_account_without_its_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can be chosen, and its campaigns are ordered: workers have the secret. On one machine that is of no use."""
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", "AC" + "0" * 28 + "4f2a")
    for name in ("TWILIO_AUTH_TOKEN", "TWILIO_API_KEY", "TWILIO_API_SECRET"):
        monkeypatch.delenv(name, raising=False)
    text = FILE.partition("[profiles.uk")[0]
    found = Accounts(Source(tmp_path, text)).of(OfDraft())
    assert (found.owner, isinstance(found.problem, AuthenticationError)) == (None, True)
    with pytest.raises(AuthenticationError):
        found.sender()
    accounts = Accounts(Source(tmp_path, text.replace("[state]", '[state]\nurl = "postgresql://somewhere/ledger"')))
    (own,) = accounts.all()
    assert (own.sid, own.problem) == ("…4f2a", None)
    found = accounts.of(OfDraft())
    assert (found.credentials, found.sender().has_secret, found.owner) == (None, False, found.sender())
    with pytest.raises(AuthenticationError):
        found.required()
