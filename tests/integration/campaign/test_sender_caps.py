"""A cap for each sender, over midnight: the sandbox's log judges."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dispatcher.campaign import open_campaign
from dispatcher.campaign.timing import waiting_objects
from dispatcher.errors import ExitCode
from dispatcher.sandbox import Sandbox, SandboxSettings
from tests.support.machine import Machine
from tests.support.rehearsal import CREDENTIALS, SENDER, Rehearsal, phone

SERVICE, NUMBER = "MG" + "0123456789abcdef" * 2, "+15550002222"
NOON = datetime(2026, 11, 25, 20, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 26, 8, tzinfo=UTC)
CAPS = {"per_day_per_sender": 3, "day_zone": "America/Los_Angeles"}


def write(path: Path, senders: str, first: int = 1) -> Path:
    """A row for each letter: M the service's, N the number's, a dot whoever `[campaign] from` is."""
    by = {"M": SERVICE, "N": NUMBER, ".": ""}
    rows = "".join(f"{phone(first + n)},{by[letter]}\n" for n, letter in enumerate(senders))
    path.write_text("phone,sender\n" + rows, encoding="utf-8")
    return path


def rehearsal(folder: Path, sandbox: Sandbox, name: str = "spring", **tables: dict[str, Any]) -> Rehearsal:
    overrides = {"caps": CAPS, "campaign": {"from_column": "sender", "repeat_after_h": 0}, **tables}
    return Rehearsal(folder, sandbox, name, overrides=overrides)


def log(sandbox: Sandbox, since: datetime = NOON) -> Counter[str]:
    """Who has sent how much, as the server has it."""
    page = sandbox.creates(after=-1)
    assert page["next"] is None
    return Counter(one["from"] for one in page["creates"] if one["at"] >= since.timestamp())


async def test_the_end_is_told_by_sender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the question: the day on which the fullest sender sends its last row, by what each has begun today."""
    machine = Machine(monkeypatch)
    machine.put_to(NOON)
    hours = {"mode": "wait", "presets": [], "open": "00:00-24:00", "close_early_min": 0}
    async with Sandbox(SandboxSettings(limit_per_s=0), clock=machine) as sandbox:
        spring = rehearsal(tmp_path, sandbox, hours=hours)
        day = timedelta(days=1)
        # Of eight rows three go on each day; those of the others are fewer.
        for begins, ends in ((NOON, MIDNIGHT + day), (MIDNIGHT, MIDNIGHT + day), (MIDNIGHT + day, MIDNIGHT + day)):
            machine.put_to(begins + timedelta(seconds=1))
            async with open_campaign("spring", spring.settings(), CREDENTIALS) as campaign:
                if begins is NOON:
                    await campaign.plan(write(tmp_path / "spring.csv", "MMMMMMMMNNNN.."))
                found = await campaign.prospect()
                assert found is not None
                assert found.estimate.done_ms is not None
                done = datetime.fromtimestamp(found.estimate.done_ms / 1000, UTC)
                assert timedelta(0) <= done - ends < timedelta(minutes=1)
                result = await campaign.send()
        assert (result.exit_code, log(sandbox)[SERVICE]) == (ExitCode.OK, 8)


async def test_two_days_of_three_senders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three a day of each, though the first has all the head of the file; the same day no more, and then as many."""
    machine = Machine(monkeypatch)
    machine.put_to(NOON)
    async with Sandbox(SandboxSettings(limit_per_s=0), clock=machine) as sandbox:
        spring = rehearsal(tmp_path, sandbox)
        result = await spring.run(write(tmp_path / "spring.csv", "MMMMMMMMNNNN.."))
        assert (result.exit_code, log(sandbox)) == (ExitCode.WAITING, {SERVICE: 3, NUMBER: 3, SENDER: 2})
        (waiting,) = waiting_objects(result.waiting)
        until = {"until": "2026-11-26T08:00:00Z", "zone": "America/Los_Angeles", "why": "cap"}
        assert waiting == {"rows": 6, **until}
        told = [(row["sender"], row["dispatch_waits_for"], row["dispatch_waits_until"]) for row in spring.report()]
        midnight = "2026-11-26T08:00:00.000Z"
        assert Counter(told) == {
            (SERVICE, "", ""): 3,
            (SERVICE, "cap", midnight): 5,
            (NUMBER, "", ""): 3,
            (NUMBER, "cap", midnight): 1,
            ("", "", ""): 2,
        }
        assert (await spring.run()).exit_code == ExitCode.WAITING
        # Another campaign of the same account has what is left of the day.
        alert = rehearsal(tmp_path, sandbox, "alert")
        result = await alert.run(write(tmp_path / "alert.csv", "MN...", first=100))
        assert (result.exit_code, log(sandbox)) == (ExitCode.WAITING, {SERVICE: 3, NUMBER: 3, SENDER: 3})
        async with open_campaign("alert", alert.settings(), CREDENTIALS, create=False) as again:
            assert waiting_objects(await again.waiting()) == [{"rows": 4, **until}]
        machine.put_to(MIDNIGHT - timedelta(minutes=5))
        assert (await spring.run()).exit_code == ExitCode.WAITING
        assert log(sandbox).total() == 9
        machine.put_to(MIDNIGHT + timedelta(seconds=1))
        assert (await spring.run()).exit_code == ExitCode.WAITING
        assert (await alert.run()).exit_code == ExitCode.WAITING
        assert log(sandbox, MIDNIGHT) == {SERVICE: 3, NUMBER: 2, SENDER: 2}
        machine.put_to(MIDNIGHT + timedelta(days=1, seconds=1))
        assert (await spring.run()).exit_code == ExitCode.OK
        assert (await alert.run()).exit_code == ExitCode.OK
        assert log(sandbox) == {SERVICE: 9, NUMBER: 5, SENDER: 5}
        assert max(Counter(one["dispatch_id"] for one in sandbox.creates(after=-1)["creates"]).values()) == 1


async def test_refusals_make_room_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender whose first rows are refused sends others in their place, the same day."""
    machine = Machine(monkeypatch)
    machine.put_to(NOON)
    async with Sandbox(SandboxSettings(limit_per_s=0), clock=machine) as sandbox:
        spring = rehearsal(tmp_path, sandbox, guard={"max_rejected": 0})
        spring.faults({"for_requests": 4, "reject": 1, "then": {"reject": 0}})
        result = await spring.run(write(tmp_path / "spring.csv", "MMMMMMMMMNN"))
        assert result.exit_code == ExitCode.WAITING
        states = spring.states()
        assert (states["rejected"], states["created"] + states["planned"]) == (4, 7)
        created = spring.query("SELECT from_address, count(*) FROM rows WHERE state = 'created' GROUP BY 1")
        assert dict(created)[SERVICE] == 3
        assert states["planned"] > 0


async def test_under_both_caps_and_with_hours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account's cap counts, too; and rows that are not open at midnight wait for their opening, not for the cap."""
    machine = Machine(monkeypatch)
    machine.put_to(NOON)
    async with Sandbox(SandboxSettings(limit_per_s=0), clock=machine) as sandbox:
        hours = {"mode": "wait", "presets": [], "open": "09:00-20:00", "close_early_min": 0}
        spring = rehearsal(tmp_path, sandbox, hours=hours, caps={**CAPS, "per_day": 5})
        file = write(tmp_path / "spring.csv", "MMMMMNNNN")
        result = await spring.run(file)
        assert (result.exit_code, log(sandbox).total()) == (ExitCode.WAITING, 5)
        assert max(log(sandbox).values()) <= 3
        (waiting,) = waiting_objects(result.waiting)
        assert (waiting["rows"], waiting["until"], waiting["why"]) == (4, "2026-11-26T17:00:00Z", "hours")
        spring.overrides["caps"] = {**CAPS, "per_day_per_sender": 4}
        result = await spring.run()
        assert log(sandbox) == {SERVICE: 4, NUMBER: 4}
        (waiting,) = waiting_objects(result.waiting)
        assert (waiting["rows"], waiting["until"], waiting["why"]) == (1, "2026-11-26T17:00:00Z", "hours")
        machine.put_to(MIDNIGHT + timedelta(hours=9, seconds=1))
        assert (await spring.run()).exit_code == ExitCode.OK
        assert log(sandbox).total() == 9


async def test_one_sender_s_canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A canary keeps to its senders' caps, and what may not go today does not keep it open."""
    machine = Machine(monkeypatch)
    machine.put_to(NOON)
    async with Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=0.01), clock=machine) as sandbox:
        canary = {"rows": 6, "wait_min": 0, "max_failed": 0, "max_opted_out": 0}
        spring = rehearsal(tmp_path, sandbox, canary=canary)
        result = await spring.run(write(tmp_path / "spring.csv", "MMMMMMMMMM.N"))
        assert (result.error, log(sandbox)) == (None, {SERVICE: 3, NUMBER: 1, SENDER: 1})
