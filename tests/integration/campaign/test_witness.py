"""Studio as the witness: whom another folder, machine or program has started is not reached again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dispatcher.campaign import open_campaign
from dispatcher.errors import ExitCode, LookCutShort
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.support.rehearsal import CREDENTIALS, Rehearsal, phone

HOUR_US = 3_600_000_000
ENDED = 0.01
VERSIONS = pytest.mark.parametrize("version", ["v2", "v1"])


def folder(root: Path, name: str, sandbox: Sandbox, version: str = "v2", **campaign: Any) -> Rehearsal:
    """A state folder of its own: another machine, as far as this program knows."""
    path = root / name
    path.mkdir()
    overrides: dict[str, dict[str, Any]] = {"account": {"api_version": version}, "campaign": campaign}
    return Rehearsal(path, sandbox, overrides=overrides)


def reasons(rehearsal: Rehearsal) -> dict[str, int]:
    return dict(rehearsal.query("SELECT reason_code, count(*) FROM rows WHERE state = 'skipped' GROUP BY 1"))


@VERSIONS
async def test_another_folder_doubles_nobody(tmp_path: Path, version: str) -> None:
    """The same people from an empty ledger: each is skipped and told since when."""
    async with Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=ENDED)) as sandbox:
        first, second = folder(tmp_path, "a", sandbox, version), folder(tmp_path, "b", sandbox, version)
        assert (await first.run(first.contacts(20))).exit_code is ExitCode.OK
        await second.run(second.contacts(25))
        assert sandbox.stats()["creates"] == 25
        assert second.states() == {"created": 5, "skipped": 20}
        assert reasons(second) == {"contacted": 20}
        messages = {row["dispatch_error_message"] for row in second.report() if row["dispatch_status"] == "skipped"}
        assert all("that this ledger does not know" in message for message in messages)
        # And once more: the look begins where the last one ended, and what it saw is kept.
        assert (await second.run()).exit_code is ExitCode.OK
        third = Rehearsal(second.folder, sandbox, "copy", overrides=second.overrides)
        await third.run(third.contacts(25))
        assert sandbox.stats()["creates"] == 25


async def test_again(tmp_path: Path) -> None:
    """Who says so reaches them once more; and a look is no part of it."""
    async with Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=ENDED)) as sandbox:
        first, second = folder(tmp_path, "a", sandbox), folder(tmp_path, "b", sandbox)
        await first.run(first.contacts(5))
        async with open_campaign("spring", second.settings(), CREDENTIALS) as campaign:
            await campaign.plan(second.contacts(5))
            result = await campaign.send(again=True)
        assert result.exit_code is ExitCode.OK
        assert sandbox.stats()["creates"] == 10
        # It has not looked, so the next one looks back over the whole period.
        third = Rehearsal(second.folder, sandbox, "summer")
        first.plant(phone(7), ends_after_us=1)
        await third.run(third.contacts(1, first=7))
        assert sandbox.stats()["creates"] == 10


@VERSIONS
@pytest.mark.parametrize("initiated_by", ["given", "null", "missing"])
async def test_what_the_contact_began(tmp_path: Path, version: str, initiated_by: Any) -> None:
    """An incoming message or call never counts; where the list does not say it, the Context does."""
    settings = SandboxSettings(limit_per_s=0, initiated_by=initiated_by)
    async with Sandbox(settings) as sandbox:
        rehearsal = folder(tmp_path, "a", sandbox, version)
        rehearsal.plant(phone(1), age_us=60_000_000, ends_after_us=1, began_by="SM" + "0" * 32)
        rehearsal.plant(phone(2), age_us=60_000_000, ends_after_us=1, began_by="CA" + "0" * 32)
        rehearsal.plant(phone(3), age_us=180_000_000, ends_after_us=1, parameters='{"x": "1"}')
        rehearsal.plant(phone(4), age_us=180_000_000, ends_after_us=1)
        for other in range(5, 9):
            rehearsal.plant(phone(100 + other), age_us=60_000_000, ends_after_us=1)
        await rehearsal.run(rehearsal.contacts(5))
        assert rehearsal.states() == {"created": 3, "skipped": 2}
        requests = sandbox.stats()["requests"]
        # Only this file's contacts are asked for, and only where the list leaves it open.
        assert requests.get("context", 0) == (0 if version == "v2" and initiated_by == "given" else 4)
        assert requests["list"] == 1
        messages = [row["dispatch_error_message"] for row in rehearsal.report()]
        assert messages[2] == messages[3] == "Studio shows an execution of 3 minutes ago that this ledger does not know"


@pytest.mark.parametrize(("age_h", "skipped"), [(15.9, 1), (16.1, 0)])
async def test_how_long_ago(tmp_path: Path, age_h: float, skipped: int) -> None:
    """What lies further back than `repeat_after_h` does not matter."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = folder(tmp_path, "a", sandbox)
        rehearsal.plant(phone(1), age_us=int(age_h * HOUR_US), ends_after_us=1)
        await rehearsal.run(rehearsal.contacts(1))
        assert rehearsal.states()["skipped"] == skipped


async def test_without_the_rule_nothing_is_asked(tmp_path: Path) -> None:
    """With `repeat_after_h` 0 no list is read."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = folder(tmp_path, "a", sandbox, repeat_after_h=0)
        rehearsal.plant(phone(1), age_us=60_000_000, ends_after_us=1)
        await rehearsal.run(rehearsal.contacts(1))
        assert sandbox.stats()["requests"] == {"flow": 1, "create": 1}


async def test_another_channel_s_address(tmp_path: Path) -> None:
    """A contact is one whatever the channel: `whatsapp:+1…` and `+1…`."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = folder(tmp_path, "a", sandbox)
        rehearsal.plant(f"whatsapp:{phone(1)}", age_us=60_000_000, ends_after_us=1)
        await rehearsal.run(rehearsal.contacts(2))
        assert rehearsal.states() == {"created": 1, "skipped": 1}


async def test_an_address_that_is_null(tmp_path: Path) -> None:
    """Whose a hidden execution is its Context says."""
    async with Sandbox(SandboxSettings(limit_per_s=0, null_address_share=1.0)) as sandbox:
        rehearsal = folder(tmp_path, "a", sandbox)
        rehearsal.plant(phone(1), age_us=60_000_000, ends_after_us=1)
        rehearsal.plant(phone(2), age_us=60_000_000, ends_after_us=1, began_by="SM" + "0" * 32)
        await rehearsal.run(rehearsal.contacts(3))
        assert rehearsal.states() == {"created": 2, "skipped": 1}


async def test_what_was_seen_is_kept(tmp_path: Path) -> None:
    """A look remembers everybody, also those who were not to be reached then: the next one begins later."""
    async with Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=ENDED)) as sandbox:
        rehearsal = folder(tmp_path, "a", sandbox)
        rehearsal.plant(phone(50), age_us=HOUR_US, ends_after_us=1)
        await rehearsal.run(rehearsal.contacts(5))
        for n in range(3000):
            # Further back than the slack, and seen already.
            rehearsal.plant(phone(1000 + n), age_us=HOUR_US, ends_after_us=1)
        before = sandbox.stats()["requests"]["list"]
        other = Rehearsal(rehearsal.folder, sandbox, "summer", overrides=rehearsal.overrides)
        await other.run(other.contacts(1, first=50))
        assert other.states()["skipped"] == 1
        assert sandbox.stats()["requests"]["list"] == before + 1
        # A longer period than any look has covered is looked through whole.
        rehearsal.overrides["campaign"]["repeat_after_h"] = 48
        third = Rehearsal(rehearsal.folder, sandbox, "autumn", overrides=rehearsal.overrides)
        await third.run(third.contacts(1, first=1000))
        assert third.states()["skipped"] == 2
        assert sandbox.stats()["requests"]["list"] == before + 1 + 4


@pytest.mark.parametrize("skew_s", [7200.0, -7200.0])
async def test_a_wrong_clock(tmp_path: Path, skew_s: float) -> None:
    """What counts is Studio's clock."""
    async with Sandbox(SandboxSettings(limit_per_s=0, clock_skew_s=skew_s)) as sandbox:
        rehearsal = folder(tmp_path, "a", sandbox)
        rehearsal.plant(phone(1), age_us=int(15.5 * HOUR_US), ends_after_us=1)
        rehearsal.plant(phone(2), age_us=int(16.5 * HOUR_US), ends_after_us=1)
        await rehearsal.run(rehearsal.contacts(2))
        assert reasons(rehearsal) == {"contacted": 1}


async def test_rows_of_this_campaign_s_own(tmp_path: Path) -> None:
    """What this ledger has created, or may have, is no stranger's: a contact's other row is sent."""
    async with Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=ENDED)) as sandbox:
        rehearsal = folder(tmp_path, "a", sandbox)
        rehearsal.overrides |= {"columns": {"to": "phone", "key": ["order"]}, "reconcile": {"at_end": False}}
        path = rehearsal.folder / "spring.csv"
        path.write_text(f"order,phone\nA1,{phone(1)}\nA2,{phone(2)}\n", encoding="utf-8")
        rehearsal.faults({"reset_after": 1.0, "for_requests": 1})
        await rehearsal.run(path)
        assert rehearsal.states() == {"created": 1, "unknown": 1}
        path.write_text(f"order,phone\nA1,{phone(1)}\nA2,{phone(2)}\nB1,{phone(1)}\nB2,{phone(2)}\n", encoding="utf-8")
        await rehearsal.run(path)
        assert rehearsal.states() == {"created": 4}
        assert sandbox.stats()["created_by_dispatch_id_duplicates"] == {}


# --- a look that does not go back far enough ---


async def cut_short(rehearsal: Rehearsal) -> Any:
    async with open_campaign("spring", rehearsal.settings(), CREDENTIALS) as campaign:
        await campaign.plan(rehearsal.contacts(3))
        result = await campaign.send()
        assert isinstance(result.error, LookCutShort)
        assert result.exit_code is ExitCode.STOPPED
        return await campaign.send(may_look_short=True)


async def test_more_executions_than_are_looked_through(tmp_path: Path) -> None:
    """Nothing is sent, the setting is named; who says so goes on, and those that were seen are left out."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = folder(tmp_path, "a", sandbox, repeat_look_back_max=10)
        rehearsal.plant(phone(1), age_us=60_000_000, ends_after_us=1)
        rehearsal.plant(phone(2), age_us=HOUR_US, ends_after_us=1)
        for n in range(9):
            rehearsal.plant(phone(100 + n), age_us=600_000_000, ends_after_us=1)
        result = await cut_short(rehearsal)
        assert result.exit_code is ExitCode.OK
        assert rehearsal.states() == {"created": 2, "skipped": 1}
        # What was not looked through still is not: the next one asks again.
        other = Rehearsal(rehearsal.folder, sandbox, "summer", overrides=rehearsal.overrides)
        assert isinstance((await other.run(other.contacts(1, first=70))).error, LookCutShort)


async def test_exactly_as_many_as_are_looked_through(tmp_path: Path) -> None:
    """A look that reaches the end of the period is whole."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = folder(tmp_path, "a", sandbox, repeat_look_back_max=3)
        for n in range(3):
            rehearsal.plant(phone(100 + n), age_us=600_000_000, ends_after_us=1)
        assert (await rehearsal.run(rehearsal.contacts(1))).exit_code is ExitCode.OK


# --- a witness that cannot be heard ---


@pytest.mark.parametrize(
    ("fault", "exit_code"), [("read_503", ExitCode.STOPPED), ("read_403", ExitCode.AUTHENTICATION)]
)
async def test_a_list_that_cannot_be_read(tmp_path: Path, fault: str, exit_code: ExitCode) -> None:
    """Then nothing is sent, and the next run goes on."""
    async with Sandbox(SandboxSettings(limit_per_s=0)) as sandbox:
        rehearsal = folder(tmp_path, "a", sandbox)
        rehearsal.overrides["retry"] = {"read_attempts": 2}
        rehearsal.faults({fault: 1.0})
        result = await rehearsal.run(rehearsal.contacts(3))
        assert result.exit_code is exit_code
        assert (result.remaining, sandbox.stats()["creates"]) == (3, 0)
        assert result.error is not None
        if fault == "read_403":
            assert "repeat_after_h" in str(result.error.fix)
        rehearsal.faults({})
        assert (await rehearsal.run()).exit_code is ExitCode.OK
