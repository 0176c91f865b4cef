"""The accounts that a worker can send for: the environment's, and one file for each; never a secret in an error."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dispatcher.cluster.credentials import Keys, read_key
from dispatcher.errors import AuthenticationError
from dispatcher.ledger.records import Account
from dispatcher.settings import Credentials, Settings

ONE, TWO = "AC" + "1" * 32, "AC" + "2" * 32
KEY, SECRET = "SK" + "a" * 32, "Hu8KeepThisSecret"
URL = "https://studio.twilio.com"


def account(sid: str, url: str = URL) -> Account:
    return Account(account_id=1, account_sid=sid, base_url=url)


def write(folder: Path, name: str, sid: str, *more: str, mode: int = 0o600, secret: str = SECRET) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    lines = [f"TWILIO_ACCOUNT_SID={sid}", f"TWILIO_API_KEY={KEY}", f"TWILIO_API_SECRET={secret}", *more]
    path.write_text("\n".join(lines), encoding="utf-8")
    path.chmod(mode)
    return path


def settings(folder: Path | None = None, **tables: object) -> Settings:
    cluster = {"credentials_dir": str(folder)} if folder is not None else {}
    return Settings.model_validate({"cluster": cluster, **tables})


def keys(folder: Path, own: Credentials | None = None) -> Keys:
    found = Keys(settings(folder), own)
    found.read()
    return found


def test_the_environment_s_and_the_files(tmp_path: Path) -> None:
    """Both are served, each with its own credentials; an account of nobody's has none."""
    write(tmp_path / "keys", "two.env", TWO)
    found = keys(tmp_path / "keys", Credentials(account_sid=ONE, username=ONE, password="x"))
    assert [key.account[0] for key in found.all] == [ONE, TWO]
    key = found.of(account(TWO))
    assert key is not None
    assert (key.credentials.username, key.credentials.password) == (KEY, SECRET)
    assert found.of(account("AC" + "3" * 32)) is None


def test_credentials_go_to_no_other_host_than_this_machine_s(tmp_path: Path) -> None:
    """The ledger names a host with each account: whoever can write there is not sent what is kept here."""
    write(tmp_path / "keys", "one", ONE)
    found = keys(tmp_path / "keys")
    assert found.of(account(ONE)) is not None
    assert found.of(account(ONE, "https://evil.example")) is None


def test_a_region_is_another_account(tmp_path: Path) -> None:
    """Twilio's regions have keys of their own."""
    path = write(tmp_path / "keys", "ie1", ONE, "TWILIO_REGION=ie1", "TWILIO_EDGE=dublin")
    assert read_key(path, settings()).studio_url == "https://studio.dublin.ie1.twilio.com"
    found = keys(tmp_path / "keys")
    assert found.of(account(ONE)) is None
    assert found.of(account(ONE, "https://studio.ie1.twilio.com")) is not None


def test_changes_are_seen(tmp_path: Path) -> None:
    """A file that is new, changed or gone counts the next time, without a restart; and nothing is read that is not."""
    folder = tmp_path / "keys"
    path = write(folder, "one", ONE)
    found = keys(folder)
    assert not found.read()
    write(folder, "two", TWO)
    assert found.read()
    assert len(found.all) == 2
    path.write_text(path.read_text("utf-8").replace(SECRET, "another"), encoding="utf-8")
    os.utime(path, ns=(1, 1))
    assert found.read()
    changed = found.of(account(ONE))
    assert changed is not None
    assert changed.credentials.password == "another"
    path.unlink()
    assert found.read()
    assert found.of(account(ONE)) is None
    assert not found.read()


def test_a_file_that_others_may_read_is_not_used_and_told_once(tmp_path: Path) -> None:
    """The others are served all the same; put right, it is, too."""
    folder = tmp_path / "keys"
    path = write(folder, "one", ONE, mode=0o644)
    write(folder, "two", TWO)
    found = keys(folder)
    assert [key.account[0] for key in found.all] == [TWO]
    (problem,) = found.problems
    assert "chmod 600" in str(problem.fix)
    assert not found.read()
    assert found.problems == []
    path.chmod(0o600)
    assert found.read()
    assert len(found.all) == 2


def test_a_folder_that_is_not_there_is_told_once(tmp_path: Path) -> None:
    """And read as soon as it is."""
    folder = tmp_path / "keys"
    found = Keys(settings(folder))
    assert found.read()
    assert len(found.problems) == 1
    assert not found.read()
    write(folder, "one", ONE)
    assert found.read()
    assert len(found.all) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"TWILIO_ACCOUNT_SID={ONE}",
        f"TWILIO_API_KEY={KEY}\nTWILIO_API_SECRET={SECRET}",
        f"TWILIO_ACCOUNT_SID={ONE}\nTWILIO_API_SECRET={SECRET}",
        f"TWILIO_ACCOUNT_SID=AC1\nTWILIO_API_KEY={KEY}\nTWILIO_API_SECRET={SECRET}",
        f"TWILIO_ACCOUNT_SID={ONE}\nPATH={SECRET}",
        f"TWILIO_ACCOUNT_SID={ONE}\n{SECRET}",
    ],
)
def test_what_is_no_such_file_is_refused_without_its_values(tmp_path: Path, text: str) -> None:
    """By its name and what is wrong."""
    path = tmp_path / "one"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(AuthenticationError) as caught:
        read_key(path, settings())
    assert SECRET not in f"{caught.value} {caught.value.fix}"
    assert str(path) in str(caught.value)


def test_quotes_comments_and_export_are_as_in_a_shell(tmp_path: Path) -> None:
    """People copy such files from where they are sourced."""
    path = tmp_path / "one"
    path.write_text(f"# mine\n\nexport TWILIO_ACCOUNT_SID='{ONE}'\n TWILIO_AUTH_TOKEN=\"{SECRET}\"\n", encoding="utf-8")
    path.chmod(0o600)
    assert read_key(path, settings()).credentials.password == SECRET


def test_copies_of_editors_are_passed_over(tmp_path: Path) -> None:
    """And what a mounted secret is made of."""
    folder = tmp_path / "keys"
    write(folder, ".one.swp", ONE)
    write(folder, "one~", ONE)
    (folder / "..data").mkdir()
    found = keys(folder)
    assert (found.all, found.problems) == ([], [])
