"""`[state] url` and `[cluster]`: what an address of the ledger may hold, and how long a lease must be."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from dispatcher.errors import SettingsError
from dispatcher.sending import claims
from dispatcher.settings import ClusterSettings, Settings, StateSettings, load
from dispatcher.settings.cluster import CONFIRMED_FOR_S
from dispatcher.settings.example import setting_values


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://send@db.example.com/dispatcher", "postgresql://db.example.com/dispatcher"),
        ("postgres://db.example.com:5433/dispatcher?sslmode=verify-full", "postgres://db.example.com:5433/dispatcher"),
        ("postgresql:///?service=send", "postgresql:///?service=send"),
        ("postgresql:///dispatcher?host=/var/run/postgresql", "postgresql:///dispatcher"),
        ("postgresql://a:5432,b:5433/x?target_session_attrs=read-write", "postgresql://a:5432,b:5433/x"),
        ("postgresql://me%40corp@[::1]:5432/x", "postgresql://[::1]:5432/x"),
    ],
)
def test_an_address_without_a_password(url: str, shown: str) -> None:
    """Is taken as it is, and shown without who connects and how."""
    state = StateSettings(url=url)
    assert (state.url, state.shown_url) == (url, shown)
    assert Settings(state=state).is_cluster


def test_no_address_is_one_machine() -> None:
    """The default: the ledger is a file."""
    assert not Settings().is_cluster
    assert StateSettings().shown_url == ""


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://send:Hu8-secret@db/x",
        "postgresql://send:@db/x",
        "postgresql://db/x?password=Hu8-secret",
        "postgresql://db/x?sslmode=require&sslpassword=Hu8-secret",
        "postgresql://db/x?PassWord=Hu8-secret",
        "postgresql://send:Hu8-secret/more@db/x",
        "postgresql://send:Hu8-secret?more@db/x",
        "postgresql://send:Hu8-secret#more@db/x",
    ],
)
def test_a_password_is_refused_and_not_shown(tmp_path: Path, url: str) -> None:
    """The settings are shown and kept in files: the error says where it belongs, and nowhere what it is."""
    path = tmp_path / "config.toml"
    path.write_text(f"[state]\nurl = '{url}'\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load(path, environ={})
    assert "Hu8" not in str(caught.value)
    assert "pgpass" in str(caught.value)
    with pytest.raises(SettingsError) as caught:
        load(environ={"DISPATCHER_STATE_URL": url})
    assert "Hu8" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://db/x", "db.example.com/x", "postgresql://db/x y", "postgresql://db/x#y"])
def test_what_is_no_such_address(url: str) -> None:
    """Is refused with the form that it must have."""
    with pytest.raises(ValidationError, match="must be postgresql://"):
        StateSettings(url=url)


def test_the_address_is_shown_without_the_user() -> None:
    """Where all settings are listed, too."""
    loaded = load(environ={"DISPATCHER_STATE_URL": "postgresql://send@db/x"})
    (value,) = [item.value for item in setting_values(loaded) if item.name == "state.url"]
    assert value == "postgresql://db/x"


def test_a_lease_outlives_the_ledger_s_yes() -> None:
    """A request may leave for so long after it: a shorter lease would let two machines send at once."""
    assert CONFIRMED_FOR_S == claims.CONFIRMED_FOR_S
    assert ClusterSettings().lease_s > CONFIRMED_FOR_S
    for wrong in (CONFIRMED_FOR_S, 0, -1, 301, float("nan")):
        with pytest.raises(ValidationError, match="must be above 5"):
            ClusterSettings(lease_s=wrong)
