"""The table `[notify]`, and the secret that notices are signed with: what is wrong is told, a secret never."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from dispatcher.errors import AuthenticationError, SettingsError
from dispatcher.settings import Settings, load, load_notify_secret
from dispatcher.settings.example import secret_values
from dispatcher.settings.notices import notify_notices

SECRET = b"not-a-real-secret-32-bytes-long!"
TEXT = "whsec_" + base64.b64encode(SECRET).decode()


def notify(**values: Any) -> Settings:
    return Settings.model_validate({"notify": values})


@pytest.mark.parametrize(
    "url", ["https://example.com/x?y=z", "http://127.0.0.1:8000/hook", "http://localhost/", "https://[::1]:1/"]
)
def test_webhooks_that_are_taken(url: str) -> None:
    """https to anywhere, http to this machine."""
    assert notify(webhook=url).notify.webhook == url


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "http://127.0.0.1.example.com/",
        "example.com/hook",
        "ftp://example.com/",
        "https://user:canary@example.com/",
        "https://example.com:99999/",
        "https:///hook",
        "https://example.com/a b",
        "file:///etc/passwd",
    ],
)
def test_webhooks_that_are_refused(url: str) -> None:
    """Before anything is read or sent; a password in it is not repeated."""
    with pytest.raises(SettingsError) as caught:
        load(environ={}, flags={"notify.webhook": url})
    assert "[notify] webhook" in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("on", ["finish"]),
        ("on", "often"),
        ("timeout_s", 0),
        ("timeout_s", 1000),
        ("command", [""]),
        ("command", ["a\0"]),
    ],
)
def test_other_values_are_refused(name: str, value: Any) -> None:
    """Each by its name."""
    with pytest.raises(SettingsError) as caught:
        load(environ={}, flags={f"notify.{name}": value})
    assert f"[notify] {name}" in str(caught.value)


def test_the_environment_sets_them() -> None:
    """Lists as TOML, or the kinds with commas between them; the secret's variable is no unknown setting."""
    environ = {
        "DISPATCHER_NOTIFY_ON": "finished, stopped",
        "DISPATCHER_NOTIFY_COMMAND": '["/bin/tell", "a b"]',
        "DISPATCHER_NOTIFY_SECRET": TEXT,
        "DISPATCHER_NOTIFY_SECRET_FILE": "x",
    }
    found = load(environ=environ).settings.notify
    assert (found.on, found.command) == (["finished", "stopped"], ["/bin/tell", "a b"])


def test_a_secret_is_read(tmp_path: Path) -> None:
    """With its prefix or without, padded or not, from a variable or a file; none is none."""
    bare = TEXT.removeprefix("whsec_")
    file = tmp_path / "secret"
    file.write_text(f"{TEXT}\n")
    for environ in (
        {"DISPATCHER_NOTIFY_SECRET": TEXT},
        {"DISPATCHER_NOTIFY_SECRET": bare},
        {"DISPATCHER_NOTIFY_SECRET": TEXT.rstrip("=")},
        {"DISPATCHER_NOTIFY_SECRET_FILE": str(file)},
    ):
        assert load_notify_secret(environ) == SECRET
    assert load_notify_secret({}) is None


@pytest.mark.parametrize(
    "text", ["whsec_", "whsec_canary!", "whsec_Y2FuYXJ5", "canary-canary-canary-canary-canary-x", "whsec_" + "Q" * 120]
)
def test_a_secret_that_is_none_is_not_shown(text: str) -> None:
    """Too short, too long, or no base64: told without a character of it."""
    with pytest.raises(AuthenticationError) as caught:
        load_notify_secret({"DISPATCHER_NOTIFY_SECRET": text})
    assert text.removeprefix("whsec_") not in f"{caught.value} {caught.value.fix}" or text == "whsec_"
    assert caught.value.code == "authentication"


@pytest.mark.parametrize("name", ["secret", "webhook_secret", "token"])
def test_a_secret_in_the_file_is_sent_away(tmp_path: Path, name: str) -> None:
    """It is told which variable it belongs in, without its value."""
    file = tmp_path / "config.toml"
    file.write_text(f'[notify]\n{name} = "{TEXT}"\n')
    with pytest.raises(SettingsError) as caught:
        load(file, environ={})
    assert "DISPATCHER_NOTIFY_SECRET" in str(caught.value)
    assert TEXT not in str(caught.value)


def test_whether_it_is_set_is_shown() -> None:
    """By `config show`: whether, never what."""
    assert secret_values({"DISPATCHER_NOTIFY_SECRET": TEXT})["DISPATCHER_NOTIFY_SECRET"] == "set"
    assert secret_values({})["DISPATCHER_NOTIFY_SECRET"] == "not set"


def test_an_unsigned_webhook_is_told() -> None:
    """Only where there is a webhook."""
    (notice,) = notify_notices(notify(webhook="https://example.com/"), {})
    assert "unsigned" in notice.text
    assert notify_notices(notify(webhook="https://example.com/"), {"DISPATCHER_NOTIFY_SECRET": TEXT}) == []
    assert notify_notices(notify(command=["/bin/tell"]), {}) == []
