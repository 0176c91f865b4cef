"""Nobody too often: rows wait for their contacts' cool-off, over all campaigns, or are left out."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.acceptance.cli.program import Program, SandboxProcess, phone, write_contacts, write_settings

#: One contact a day; and the rule of one flow does not come before it.
ONCE: dict[str, dict[str, Any]] = {"cooloff": {"max": 1}, "campaign": {"repeat_after_h": 0, "on_busy": "end"}}


def test_it_waits_and_says_until_when(ready: Program, sandbox: SandboxProcess) -> None:
    """Exit code 7 with when and why; `status` says it, too; without the rule the file's next run sends."""
    write_contacts(ready.folder / "spring.csv", 2)
    write_contacts(ready.folder / "alert.csv", 3)
    write_settings(ready.folder, sandbox.base_url, **ONCE)
    assert ready("run", "spring.csv", "--yes").code == 0
    run = ready("run", "alert.csv", "--yes", "--json")
    assert (run.code, run.json["rows"]["created"], run.json["rows"]["planned"]) == (7, 1, 2)
    # Told before anything is sent, too.
    assert re.search(r"waiting +2 rows until .*\(cooling off\)", run.err), run.err
    assert {one["why"] for one in run.json["waiting"]} == {"cool_off"}
    assert sum(one["rows"] for one in run.json["waiting"]) == 2
    ahead = datetime.fromisoformat(run.json["next_at"]) - datetime.now(UTC)
    assert timedelta(hours=23, minutes=58) < ahead < timedelta(hours=24, minutes=2)
    assert "(cooling off)" in ready("status", "alert").out
    shown = ready("resume", "alert", "--yes")
    assert (shown.code, "(cooling off)" in shown.out) == (7, True)
    write_settings(ready.folder, sandbox.base_url, **{**ONCE, "cooloff": {"max": 0}})
    assert ready("run", "alert.csv", "--yes").code == 0
    assert sandbox.stats()["creates"] == 5


def test_it_leaves_out_and_retry_puts_back(ready: Program, sandbox: SandboxProcess) -> None:
    """With skip the row is left out on purpose, with its reason; `retry` has it judged anew."""
    write_contacts(ready.folder / "spring.csv", 1)
    write_contacts(ready.folder / "alert.csv", 2)
    write_settings(ready.folder, sandbox.base_url, **ONCE)
    assert ready("run", "spring.csv", "--yes").code == 0
    write_settings(ready.folder, sandbox.base_url, **{**ONCE, "cooloff": {"max": 1, "action": "skip"}})
    run = ready("run", "alert.csv", "--yes", "--json")
    assert "1 of them is left out: reached as often as is allowed" in run.err
    assert (run.code, run.json["skipped"], run.json["waiting"]) == (0, {"cooled_off": 1}, [])
    assert sandbox.creates()[-1]["to"] == phone(101)
    again = ("retry", "alert", "--skipped", "cooled_off", "--yes")
    assert ready(*again).code == 0
    assert sandbox.stats()["creates"] == 2
    write_settings(ready.folder, sandbox.base_url, campaign=ONCE["campaign"])
    assert ready(*again).code == 0
    assert sandbox.stats()["creates"] == 3


def test_an_alert_goes_all_the_same(ready: Program, sandbox: SandboxProcess) -> None:
    """A transactional campaign has no cool-off."""
    write_contacts(ready.folder / "spring.csv", 1)
    write_contacts(ready.folder / "alert.csv", 1)
    campaign = {**ONCE["campaign"], "purpose": "transactional"}
    write_settings(ready.folder, sandbox.base_url, **{**ONCE, "campaign": campaign})
    assert ready("run", "spring.csv", "--yes").code == ready("run", "alert.csv", "--yes").code == 0
    assert sandbox.stats()["creates"] == 2


def test_a_presets_own(ready: Program, sandbox: SandboxProcess) -> None:
    """Three in 24 hours for numbers of Florida, where hours are waited for; others and an override have none."""
    florida, texas = "+13055550100", "+12145550100"
    hours: dict[str, Any] = {"mode": "wait", "presets": ["us-fl"], "open": None, "close_early_min": 0}
    columns = {"zone": "zone"}
    open_now = f"Etc/GMT{datetime.now(UTC).hour - 12:+d}" if datetime.now(UTC).hour != 12 else "UTC"
    tables: dict[str, dict[str, Any]] = {"columns": columns, "campaign": {"repeat_after_h": 0, "on_busy": "end"}}
    write_settings(ready.folder, sandbox.base_url, hours=hours, **tables)
    for n in range(4):
        lines = f"phone,zone,first_name\n{florida},{open_now},Ann\n{texas},{open_now},Bob\n"
        (ready.folder / f"c{n}.csv").write_text(lines, encoding="utf-8")
        run = ready("run", f"c{n}.csv", "--yes", "--json")
        assert run.code == (0 if n < 3 else 7), run.err
    assert {one["why"] for one in run.json["waiting"]} <= {"cool_off", "hours"}
    assert [create["to"] for create in sandbox.creates()].count(florida) == 3
    assert [create["to"] for create in sandbox.creates()].count(texas) == 4
    write_settings(ready.folder, sandbox.base_url, hours={**hours, "override": ["us-fl"]}, **tables)
    assert ready("run", "c3.csv", "--yes").code == 0
    assert [create["to"] for create in sandbox.creates()].count(florida) == 4
