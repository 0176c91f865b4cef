"""Not more than so many a day: the others wait for the next one."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from tests.acceptance.cli.program import (
    Program,
    SandboxProcess,
    phone,
    read_report,
    until,
    write_contacts,
    write_settings,
)


def zone_of_noon() -> str:
    """A zone in which it is about noon: no midnight comes while a test runs."""
    hours = datetime.now(UTC).hour - 12
    return f"Etc/GMT{hours:+d}" if hours else "Etc/UTC"


def capped(program: Program, sandbox: SandboxProcess, per_day: int, **tables: Any) -> None:
    caps = {"per_day": per_day, "day_zone": zone_of_noon()}
    write_settings(program.folder, sandbox.base_url, caps=caps, **tables)


def test_the_others_wait_for_midnight(ready: Program, sandbox: SandboxProcess) -> None:
    """Over two campaigns: exit code 7, until midnight, and why; a higher cap lets the rest go."""
    write_contacts(ready.folder / "spring.csv", 6)
    write_contacts(ready.folder / "alert.csv", 5, first=300)
    capped(ready, sandbox, 8)
    assert ready("run", "spring.csv", "--yes").code == 0
    run = ready("run", "alert.csv", "--yes", "--json")
    assert (run.code, run.json["rows"]["created"], run.json["rows"]["planned"]) == (7, 2, 3)
    (waiting,) = run.json["waiting"]
    assert (waiting["rows"], waiting["why"], waiting["zone"]) == (3, "cap", zone_of_noon())
    midnight = datetime.fromisoformat(run.json["next_at"])
    assert midnight.minute == midnight.second == 0
    assert timedelta(hours=11) <= midnight - datetime.now(UTC) <= timedelta(hours=12)
    assert "3 rows until" in ready("status", "alert").out
    shown = ready("resume", "alert", "--yes")
    assert (shown.code, "(enough for today)" in shown.out) == (7, True)
    assert sandbox.stats()["creates"] == 8
    capped(ready, sandbox, 10)
    assert ready("resume", "alert", "--yes").code == 7
    assert sandbox.stats()["creates"] == 10
    capped(ready, sandbox, 0)
    assert ready("resume", "alert", "--yes").code == 0
    assert sandbox.stats()["creates"] == 11


def test_what_is_refused_does_not_count(ready: Program, sandbox: SandboxProcess) -> None:
    """Rows that created nothing leave their room to others; all that may be created is, and no more."""
    write_contacts(ready.folder / "spring.csv", 30)
    capped(ready, sandbox, 20)
    sandbox.faults(for_requests=8, reject=1, then={"reject": 0})
    run = ready("run", "spring.csv", "--yes", "--json")
    rows = run.json["rows"]
    assert (run.code, rows["rejected"], rows["created"], rows["planned"]) == (7, 8, 20, 2)


def test_with_hours(ready: Program, sandbox: SandboxProcess) -> None:
    """Rows whose hours are over at midnight wait for their opening, not for the cap."""
    hours = {"mode": "wait", "presets": [], "open": "10:00-16:00", "close_early_min": 0}
    lines = "".join(f"{phone(100 + n)},Ann,{zone_of_noon()}\n" for n in range(3))
    (ready.folder / "spring.csv").write_text(f"phone,first_name,zone\n{lines}", encoding="utf-8")
    capped(ready, sandbox, 1, hours=hours, columns={"zone": "zone"})
    run = ready("run", "spring.csv", "--yes", "--json")
    assert (run.code, run.json["rows"]["created"]) == (7, 1)
    (waiting,) = run.json["waiting"]
    assert (waiting["rows"], waiting["why"]) == (2, "hours")
    ahead = datetime.fromisoformat(waiting["until"]) - datetime.now(UTC)
    assert timedelta(hours=21) <= ahead <= timedelta(hours=22)


def test_each_sender_for_itself(ready: Program, sandbox: SandboxProcess) -> None:
    """Of two senders the full one waits for midnight and the other goes on; check, status and the report say so."""
    mg, number = "MG" + "0123456789abcdef" * 2, "+15550002222"
    lines = "".join(f"{phone(100 + n)},Ann,{mg if n < 7 else number}\n" for n in range(9))
    (ready.folder / "spring.csv").write_text(f"phone,first_name,sender\n{lines}", encoding="utf-8")
    caps = {"per_day_per_sender": 3, "day_zone": zone_of_noon()}
    write_settings(ready.folder, sandbox.base_url, caps=caps, campaign={"from_column": "sender"})
    run = ready("run", "spring.csv", "--yes", "--json")
    assert (run.code, run.json["rows"]["created"], run.json["rows"]["planned"]) == (7, 5, 4)
    (waiting,) = run.json["waiting"]
    assert (waiting["rows"], waiting["why"], waiting["zone"]) == (4, "cap", zone_of_noon())
    assert run.json["next_at"] == waiting["until"]
    told = [(row["sender"], row["dispatch_waits_for"]) for row in read_report(Path(run.json["report"]))]
    assert told == [(mg, "")] * 3 + [(mg, "cap")] * 4 + [(number, "")] * 2
    assert "4 rows until" in ready("status", "spring").out
    again = ready("resume", "spring", "--yes", "--json")
    assert (again.code, again.json["waiting"]) == (7, run.json["waiting"])
    shown = ready("check", "spring.csv")
    assert (shown.code, "4 rows until" in shown.err, "(enough for today)" in shown.err) == (0, True, True)
    assert sandbox.stats()["creates"] == 5


def test_check_knows_what_others_have_sent(ready: Program, sandbox: SandboxProcess) -> None:
    """Today, by another campaign, though nobody is kept from being reached again."""
    write_contacts(ready.folder / "spring.csv", 3)
    write_contacts(ready.folder / "alert.csv", 5)
    caps = {"per_day_per_sender": 3, "day_zone": zone_of_noon()}
    write_settings(ready.folder, sandbox.base_url, caps=caps, campaign={"repeat_after_h": 0})
    assert ready("run", "spring.csv", "--yes").code == 0
    assert "5 rows until" in ready("check", "alert.csv").err
    assert ready("run", "alert.csv", "--yes").code == 7
    assert sandbox.stats()["creates"] == 3


def test_killed_again_and_again(ready: Program, sandbox: SandboxProcess) -> None:
    """No sender comes above its cap, whatever kills the runs; in the end each has sent all that it may."""
    senders = ["MG" + "0123456789abcdef" * 2, "+15550002222"]
    people = "".join(f"{phone(100 + n)},Ann,{senders[n % 5 == 4]}\n" for n in range(300))
    (ready.folder / "spring.csv").write_text(f"phone,first_name,sender\n{people}", encoding="utf-8")
    caps = {"per_day_per_sender": 40, "day_zone": zone_of_noon()}
    tables: dict[str, Any] = {"caps": caps, "campaign": {"from_column": "sender"}, "rate": {"per_second": 30}}
    write_settings(ready.folder, sandbox.base_url, **tables)
    for most in (8, 25, 50):
        process = ready.start("run", "spring.csv", "--yes")
        until(partial(has_created, sandbox, most), f"{most} creates", process)
        process.kill()
        process.communicate()
        assert max(by_sender(sandbox).values()) <= 40
    write_settings(ready.folder, sandbox.base_url, **tables | {"rate": {"per_second": 500}})
    last = ready("run", "spring.csv", "--yes", "--json")
    assert (last.code, by_sender(sandbox)) == (7, dict.fromkeys(senders, 40)), last.err
    assert (last.json["rows"]["created"], last.json["rows"]["planned"]) == (80, 220)
    assert sandbox.stats()["created_by_dispatch_id_duplicates"] == {}


def has_created(sandbox: SandboxProcess, most: int) -> bool:
    return bool(sandbox.stats()["creates"] >= most)


def by_sender(sandbox: SandboxProcess) -> dict[str, int]:
    """Who has sent how much, as the server has it."""
    return dict(Counter(one["from"] for one in sandbox.creates()))


def test_a_zone_that_is_none(ready: Program, sandbox: SandboxProcess) -> None:
    """Exit code 2 before anything is planned."""
    write_contacts(ready.folder / "spring.csv", 1)
    write_settings(ready.folder, sandbox.base_url, caps={"per_day": 5, "day_zone": "Mars/Olympus"})
    refused = ready("run", "spring.csv", "--yes")
    assert (refused.code, "day_zone" in refused.err, sandbox.stats()["creates"]) == (2, True, 0)
    write_settings(ready.folder, sandbox.base_url, caps={"per_day_per_sender": 5, "day_zone": "Mars/Olympus"})
    assert ready("run", "spring.csv", "--yes").code == 2
