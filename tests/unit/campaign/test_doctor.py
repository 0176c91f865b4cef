"""The doctor's checks, on a machine that the test makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dispatcher.campaign.doctor import Check, checks
from dispatcher.errors import ExitCode
from dispatcher.ledger.sqlite.key import KEY_NAME, make_key
from dispatcher.ledger.striking import Person
from dispatcher.remedies import Advice, Setting
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.support.ledgers import campaign, opened
from tests.support.rehearsal import ACCOUNT_SID


async def found(**flags: Any) -> dict[str, Check]:
    return {check.name: check async for check in checks(None, {name.replace("__", "."): flags[name] for name in flags})}


async def test_all_is_well_but_for_the_campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each check is there, says what was found, and nothing is made."""
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", ACCOUNT_SID)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "made-up")
    async with Sandbox(SandboxSettings()) as sandbox:
        result = await found(account__base_url=sandbox.base_url)
    names = ["program", "settings", "campaign", "credentials", "proxy", "studio", "clock"]
    assert [*result] == [*names, "state folder", "disk", "ledger", "rate"]
    assert {check.result for check in result.values()} <= {"ok", "warn"}
    assert all(check.found for check in result.values())
    assert all((check.fix is None) == (check.result == "ok") for check in result.values())
    assert "made-up" not in repr(result)
    assert not (tmp_path / ".dispatcher").exists()


@pytest.fixture
def _some_settings() -> None:
    Path("config.toml").write_text("[rate]\nper_second = 7\n", encoding="utf-8")


async def test_without_a_file_one_is_to_be_written() -> None:
    """Then the campaign's settings have a place."""
    assert "config init" in repr((await found())["campaign"].fix)


@pytest.mark.usefixtures("_some_settings")
async def test_the_campaign_s_settings_go_into_the_file() -> None:
    """One that is there is not written anew."""
    assert (await found())["campaign"].fix == Advice("set them in config.toml")


@pytest.fixture
def _in_the_way() -> None:
    Path("file").write_text("no folder can be made here", encoding="utf-8")


@pytest.mark.usefixtures("_in_the_way")
async def test_what_fails_has_a_remedy_and_a_code() -> None:
    """Nothing is raised, and the checks behind it are done."""
    result = await found(state__dir="file/state")
    failed = {name: check for name, check in result.items() if check.result == "fail"}
    assert set(failed) == {"credentials", "state folder"}
    assert failed["credentials"].exit_code is ExitCode.AUTHENTICATION
    assert failed["state folder"].fix == Setting("state.dir")
    assert all(check.fix for check in failed.values())


async def test_without_settings_little_can_be_checked() -> None:
    """Wrong settings are a check that failed."""
    result = await found(rate__pace="slow")
    assert [*result] == ["program", "settings", "credentials"]
    assert (result["settings"].result, result["settings"].exit_code) == ("fail", ExitCode.USAGE)


async def test_a_lost_key_of_who_is_forgotten(tmp_path: Path) -> None:
    """Told before a run is refused for it; while the key is there, or nobody was forgotten, nothing is said."""
    folder = tmp_path / "state"
    ledger = await opened(folder)
    await campaign(ledger)
    make_key(folder)
    (folder / KEY_NAME).unlink()
    assert "forgotten people" not in await found(state__dir=str(folder))
    person = Person("+12025550101", "2025550101")
    await ledger.erasures.forget(person, lambda done, total: None, suppress=False, actor="me")
    await ledger.close()
    assert "forgotten people" not in await found(state__dir=str(folder))
    (folder / KEY_NAME).unlink()
    check = (await found(state__dir=str(folder)))["forgotten people"]
    assert (check.result, check.exit_code) == ("fail", ExitCode.USAGE)
    assert KEY_NAME in check.found
    assert not (folder / KEY_NAME).exists()
