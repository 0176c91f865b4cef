"""Credentials that stay: whole or not at all, for one profile and one host, in a file that nobody else can read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from dispatcher.errors import AuthenticationError
from dispatcher.settings import Credentials, load_credentials
from dispatcher.settings.kept import forget, keep, kept_path, read_kept

ACCOUNT = "AC" + "0" * 32
KEY = "SK" + "1" * 32
SECRET = 'canary-77b1-"secret\\'
OWN = Credentials(account_sid=ACCOUNT, username=KEY, password=SECRET)
TWILIO = "https://studio.twilio.com"
OTHER = "AC" + "f" * 32

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions")


def test_what_is_kept_is_read_back() -> None:
    """Account, key and secret as they were, and from where."""
    path = keep(OWN, None, TWILIO)
    found = read_kept(None, TWILIO)
    assert found == OWN
    assert found is not None
    assert found.source == str(path)
    assert load_credentials({}) == OWN


def test_nobody_else_may_read_it() -> None:
    """The file is 0600 and its folder 0700, whatever the umask is, and no half of it is left beside."""
    before = os.umask(0)
    try:
        path = keep(OWN, None, TWILIO)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o666])
def test_a_file_that_others_can_open_is_refused(mode: int) -> None:
    """Group or others, to read or to write: nothing is sent with it, and how to close it is told."""
    path = keep(OWN, None, TWILIO)
    path.chmod(mode)
    with pytest.raises(AuthenticationError, match="others may read") as caught:
        load_credentials({})
    assert "chmod 600" in str(caught.value.fix)
    assert "canary" not in f"{caught.value!r} {caught.value}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host = ",
        "\xff",
        'host = "https://studio.twilio.com"',
        'account_sid = 3\nhost = "https://studio.twilio.com"',
    ],
)
def test_a_file_that_is_none_is_refused(text: str) -> None:
    """Cut, edited or another program's: no half of it is used."""
    path = keep(OWN, None, TWILIO)
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(AuthenticationError, match="not as this program writes it"):
        read_kept(None, TWILIO)


def test_a_secret_goes_to_its_own_host_alone() -> None:
    """What was checked with Twilio is for no other host; an edge is the same account, a region is not."""
    keep(OWN, None, TWILIO)
    assert read_kept(None, "https://studio.dublin.us1.twilio.com") == OWN
    for url in ("https://studio.dublin.ie1.twilio.com", "http://127.0.0.1:8700", "https://studio.twilio.com.invalid"):
        assert read_kept(None, url) is None
        with pytest.raises(AuthenticationError, match="no credentials are kept for"):
            load_credentials({}, studio_url=url)


@pytest.mark.parametrize(("profile", "url"), [("eu", TWILIO), (None, "https://elsewhere.invalid")])
def test_a_file_moved_to_another_name_is_refused(profile: str | None, url: str) -> None:
    """The file itself says for whom it is: renamed to another profile's or host's, it is not that one's."""
    keep(OWN, None, TWILIO).rename(kept_path(profile, url))
    with pytest.raises(AuthenticationError, match="not as this program writes it"):
        read_kept(profile, url)


def test_profiles_have_files_of_their_own() -> None:
    """None is another's, nor what is used where there is none of one's own."""
    eu = Credentials(account_sid=OTHER, username="SK" + "2" * 32, password="canary-eu")
    keep(OWN, None, TWILIO)
    assert read_kept("eu", TWILIO) is None
    keep(eu, "eu", TWILIO)
    assert (read_kept(None, TWILIO), read_kept("eu", TWILIO)) == (OWN, eu)
    with pytest.raises(AuthenticationError, match="TWILIO_UK_ACCOUNT_SID"):
        load_credentials({}, profile="uk")


def test_taking_away_takes_one_profiles() -> None:
    """All hosts of that profile, nothing of another's; a second time there is nothing."""
    rehearsal = "http://127.0.0.1:8700"
    paths = {keep(OWN, None, TWILIO), keep(OWN, None, rehearsal)}
    keep(OWN, "eu", TWILIO)
    assert set(forget(None)) == paths
    assert forget(None) == []
    assert read_kept("eu", TWILIO) == OWN
    assert len(forget("eu")) == 1


def test_the_environment_stands_above() -> None:
    """A key or a token there is used whole; the profile's own names, and no others, count for a profile."""
    keep(OWN, None, TWILIO)
    token = {"TWILIO_ACCOUNT_SID": OTHER, "TWILIO_AUTH_TOKEN": "token"}
    assert load_credentials(token).account_sid == OTHER
    own = {"TWILIO_EU_ACCOUNT_SID": OTHER, "TWILIO_EU_AUTH_TOKEN": "token"}
    assert load_credentials(own) == OWN
    assert load_credentials(own, profile="eu").account_sid == OTHER
    with pytest.raises(AuthenticationError, match="TWILIO_EU_ACCOUNT_SID"):
        load_credentials(token, profile="eu")
    assert load_credentials(own | {"DISPATCHER_PROFILE": "eu"}).account_sid == OTHER


def test_halves_are_never_put_together() -> None:
    """Half a key in the environment is an error, also where a whole one is kept."""
    keep(OWN, None, TWILIO)
    for values in ({"TWILIO_API_KEY": KEY}, {"TWILIO_API_SECRET": SECRET}, {"TWILIO_AUTH_TOKEN": "token"}):
        with pytest.raises(AuthenticationError):
            load_credentials(values)


def test_an_accounts_name_alone_fits_its_own_key() -> None:
    """TWILIO_ACCOUNT_SID goes with the key that is kept for that account, and with no other's."""
    keep(OWN, None, TWILIO)
    assert load_credentials({"TWILIO_ACCOUNT_SID": ACCOUNT}) == OWN
    with pytest.raises(AuthenticationError) as caught:
        load_credentials({"TWILIO_ACCOUNT_SID": OTHER})
    assert "another account" in (caught.value.found or "")


def test_an_empty_secret_file_is_not_passed_over(tmp_path: Path) -> None:
    """A file that the environment names and that is empty is an error, not a reason to use another key."""
    keep(OWN, None, TWILIO)
    (tmp_path / "empty").touch()
    with pytest.raises(AuthenticationError, match="neither"):
        load_credentials({"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN_FILE": str(tmp_path / "empty")})


def test_a_write_that_fails_leaves_what_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """The old file stays whole, and nothing of the new one lies beside it."""
    path = keep(OWN, None, TWILIO)

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    newer = Credentials(account_sid=OTHER, username=KEY, password="canary-newer")
    with pytest.raises(AuthenticationError, match="cannot be kept"):
        keep(newer, None, TWILIO)
    monkeypatch.undo()
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert "canary-newer" not in path.read_text()
