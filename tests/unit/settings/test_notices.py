"""What is told before anything is sent: where a file in the folder sends the credentials, and who may read them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dispatcher.remedies import Advice
from dispatcher.settings import load
from dispatcher.settings.notices import credentials_notices, settings_notices

ELSEWHERE = '[account]\nbase_url = "https://studio.twilio.com.elsewhere.example"\n'


def test_the_folder_s_config_that_names_another_host(tmp_path: Path) -> None:
    """Whoever lays a config.toml into a folder would get the credentials of whoever runs a command there."""
    (tmp_path / "config.toml").write_text(ELSEWHERE, encoding="utf-8")
    (notice,) = credentials_notices(load(environ={}), {})
    assert "studio.twilio.com.elsewhere.example" in notice.text
    assert "config.toml" in notice.text


@pytest.mark.parametrize("text", ['[account]\nregion = "ie1"\n', '[account]\nbase_url = "https://studio.twilio.com"\n'])
def test_twilio_s_own_hosts_are_no_news(tmp_path: Path, text: str) -> None:
    """The usual case says nothing."""
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    assert credentials_notices(load(environ={}), {}) == []


def test_who_names_the_host_knows_it(tmp_path: Path) -> None:
    """A flag, a variable or a file that the user names is the user's own word."""
    url = "https://elsewhere.example"
    assert credentials_notices(load(environ={}, flags={"account.base_url": url}), {}) == []
    assert credentials_notices(load(environ={"DISPATCHER_ACCOUNT_BASE_URL": url}), {}) == []
    (tmp_path / "lab.toml").write_text(ELSEWHERE, encoding="utf-8")
    assert credentials_notices(load(tmp_path / "lab.toml", environ={}), {}) == []


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
@pytest.mark.parametrize(("mode", "told"), [(0o644, True), (0o604, True), (0o640, False), (0o600, False)])
def test_secrets_that_anybody_may_read(tmp_path: Path, mode: int, told: bool) -> None:
    """A file of a secret that every user of the machine can read is told, by its name alone."""
    secret = tmp_path / "secret"
    secret.write_text("not-a-real-secret", encoding="utf-8")
    secret.chmod(mode)
    found = credentials_notices(load(environ={}), {"TWILIO_API_SECRET_FILE": str(secret)})
    assert bool(found) is told
    assert all("not-a-real" not in notice.text and str(secret) in notice.text for notice in found)


def test_one_name_is_not_many() -> None:
    """The fix is of as many as there are."""
    for names, fix in ((["DISPATCHER_FOO"], "remove it,"), (["DISPATCHER_FOO", "DISPATCHER_BAR"], "remove them,")):
        (notice,) = settings_notices(dict.fromkeys(names, "1"))
        assert isinstance(notice.fix, Advice)
        assert notice.fix.text.startswith(fix)
