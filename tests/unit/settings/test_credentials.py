"""The secrets: whole or not at all, from variables or files, and in no text of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.errors import AuthenticationError
from dispatcher.secret_names import TWILIO_NAMES, is_secret_name, secret_texts
from dispatcher.settings import load_account, load_credentials

ACCOUNT = "AC" + "0" * 32
KEY = "SK" + "1" * 32
SECRET = "canary-55aa-secret"
TOKEN = "canary-55aa-token"
WITH_TOKEN = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN}
WITH_KEY = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_API_KEY": KEY, "TWILIO_API_SECRET": SECRET}


def test_a_token_goes_with_the_account() -> None:
    """Basic authentication with the account's SID and its token."""
    found = load_credentials(WITH_TOKEN)
    assert (found.account_sid, found.username, found.password) == (ACCOUNT, ACCOUNT, TOKEN)


def test_a_key_stands_above_the_token() -> None:
    """Where both are set the key is used: it can be revoked alone."""
    found = load_credentials(WITH_TOKEN | WITH_KEY)
    assert (found.account_sid, found.username, found.password) == (ACCOUNT, KEY, SECRET)


@pytest.mark.parametrize("name", TWILIO_NAMES)
def test_each_secret_may_be_a_file(tmp_path: Path, name: str) -> None:
    """`NAME_FILE` stands above `NAME`; blanks and the line's end around a secret are not part of it."""
    values = WITH_KEY if "API" in name else WITH_TOKEN
    file = tmp_path / "secret"
    file.write_text(f" {values[name]}\n")
    expected = load_credentials(values)
    assert load_credentials(values | {name: "wrong", f"{name}_FILE": str(file)}) == expected


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({}, "TWILIO_ACCOUNT_SID"),
        ({"TWILIO_ACCOUNT_SID": ACCOUNT}, "TWILIO_AUTH_TOKEN"),
        (WITH_TOKEN | {"TWILIO_ACCOUNT_SID": TOKEN}, "TWILIO_ACCOUNT_SID"),
        (WITH_TOKEN | {"TWILIO_API_KEY": KEY}, "TWILIO_API_SECRET"),
        (WITH_TOKEN | {"TWILIO_API_SECRET": SECRET}, "TWILIO_API_KEY"),
        (WITH_KEY | {"TWILIO_API_KEY": SECRET}, "TWILIO_API_KEY"),
        (WITH_TOKEN | {"TWILIO_AUTH_TOKEN_FILE": "/nowhere/at/all"}, "TWILIO_AUTH_TOKEN_FILE"),
    ],
)
def test_what_is_missing_is_named(values: dict[str, str], named: str) -> None:
    """The variable's name, never its value; half a key is not passed over for the token."""
    with pytest.raises(AuthenticationError, match=named) as caught:
        load_credentials(values)
    told = f"{caught.value!r} {caught.value} {caught.value.found} {caught.value.fix}"
    assert "canary" not in told


def test_the_account_alone_will_do_for_who_asks_nothing() -> None:
    """Where no secret is set at all; one that is half there is a mistake, and is told."""
    found = load_account({"TWILIO_ACCOUNT_SID": ACCOUNT})
    assert (found.account_sid, found.has_secret) == (ACCOUNT, False)
    assert load_account(WITH_KEY) == load_credentials(WITH_KEY)
    assert load_account(WITH_KEY).has_secret
    for wrong in ({}, {"TWILIO_ACCOUNT_SID": "AC1"}, {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_API_KEY": KEY}):
        with pytest.raises(AuthenticationError):
            load_account(wrong)


def test_the_secret_is_not_shown() -> None:
    """Credentials in a traceback or a log show who, and not with what."""
    found = load_credentials(WITH_KEY)
    assert SECRET not in f"{found!r} {found}"
    assert KEY in repr(found)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("TWILIO_AUTH_TOKEN", True),
        ("TWILIO_EU_API_SECRET_FILE", True),
        ("TWILIO_UK_WEST_ACCOUNT_SID", True),
        ("DISPATCHER_NOTIFY_SECRET", True),
        ("TWILIO_REGION", False),
        ("MY_TWILIO_AUTH_TOKEN", False),
    ],
)
def test_a_secrets_variable_is_known(name: str, is_one: bool) -> None:
    """Of whatever profile: programs that are started get none of them."""
    assert is_secret_name(name) is is_one


def test_all_profiles_secrets_are_masked(tmp_path: Path) -> None:
    """What a log masks is every secret of the environment, whichever profile is used; who it is may be shown."""
    (tmp_path / "file").write_text("canary-file\n")
    environ = WITH_KEY | {"TWILIO_EU_AUTH_TOKEN": "canary-eu", "TWILIO_UK_API_SECRET_FILE": str(tmp_path / "file")}
    environ["TWILIO_X_AUTH_TOKEN_FILE"] = "/nowhere/at/all"
    assert set(secret_texts(environ)) == {SECRET, "canary-eu", "canary-file"}
