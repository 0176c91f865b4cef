"""Rows wait for their contacts' hours: exit code 7 and when to go on, or waited for by the program itself."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.acceptance.cli.program import (
    Program,
    SandboxProcess,
    finish,
    phone,
    read_report,
    read_until,
    sandbox_process,
    write_contacts,
    write_settings,
)

NOW = datetime.now(UTC)


def window(begins_h: float, lasts_h: float = 2) -> str:
    """Hours of a day in UTC, from so many hours from now on."""
    opens = NOW + timedelta(hours=begins_h)
    return f"{opens:%H:%M}-{opens + timedelta(hours=lasts_h):%H:%M}"


OPEN, CLOSED = window(-1), window(3)


def with_hours(program: Program, sandbox: SandboxProcess, hours: str | None, **more: Any) -> None:
    """Hours by a clock that shows UTC; the presets would depend on when the test runs."""
    table: dict[str, Any] = {"mode": "wait", "presets": [], "open": hours, "close_early_min": 0}
    columns = {"zone": "zone"}
    write_settings(program.folder, sandbox.base_url, **{"hours": table, "columns": columns, **more})


def zoned(program: Program, *zones: str, name: str = "spring.csv") -> list[str]:
    """A file with a contact in each zone; their numbers."""
    numbers = [phone(100 + n) for n in range(len(zones))]
    lines = [f"{number},N,{zone}\n" for number, zone in zip(numbers, zones, strict=True)]
    (program.folder / name).write_text("phone,first_name,zone\n" + "".join(lines), encoding="utf-8")
    return numbers


def reached(sandbox: SandboxProcess) -> list[str]:
    return [create["to"] for create in sandbox.creates()]


def test_nothing_leaves_at_night(ready: Program, sandbox: SandboxProcess) -> None:
    """Exit code 7, when it opens, nothing sent; and at the opening `resume` sends all."""
    zoned(ready, "UTC", "Etc/UTC", "Africa/Abidjan")
    with_hours(ready, sandbox, CLOSED)
    run = ready("run", "spring.csv", "--yes", "--json")
    assert (run.code, sandbox.stats()["creates"]) == (7, 0)
    opens = datetime.fromisoformat(run.json["next_at"])
    assert f"{opens:%H:%M}" == CLOSED[:5]
    assert timedelta(0) < opens - NOW < timedelta(hours=4)
    assert sum(one["rows"] for one in run.json["waiting"]) == 3
    assert {one["why"] for one in run.json["waiting"]} == {"hours"}
    assert run.json["state"] == "waiting"
    shown = ready("resume", "spring", "--yes")
    assert shown.code == 7
    assert "until" in shown.out
    assert ready("reconcile", "spring").code == 0
    assert "waiting (next at" in ready("status", "spring").out
    assert ready("status", "--json").json[0]["state"] == "waiting"
    summary = ready("summary", "spring", "--json").json
    assert (summary["waiting"], summary["next_at"]) == (run.json["waiting"], run.json["next_at"])
    assert "1 row until" in ready("summary", "spring").out
    with_hours(ready, sandbox, OPEN)
    assert ready("resume", "spring", "--yes").code == 0
    assert sandbox.stats()["creates"] == 3


def test_the_others_go_meanwhile(ready: Program, sandbox: SandboxProcess) -> None:
    """Who has day now is reached, who has night waits; the first to close goes first."""
    # Where it is so many hours later, the window is so many hours nearer.
    numbers = zoned(ready, "UTC", "Etc/GMT-3", "Etc/GMT-4", "UTC")
    with_hours(ready, sandbox, window(3))
    run = ready("run", "spring.csv", "--yes", "--json")
    assert (run.code, run.json["rows"]["created"], run.json["rows"]["planned"]) == (7, 2, 2)
    assert reached(sandbox) == [numbers[2], numbers[1]]
    assert [(one["rows"], one["zone"]) for one in run.json["waiting"]] == [(2, "UTC")]
    rows = read_report(ready.folder / "spring-report.csv")
    assert [row["dispatch_zone"] for row in rows] == ["UTC", "Etc/GMT-3", "Etc/GMT-4", "UTC"]
    assert [row["dispatch_waits_for"] for row in rows] == ["hours", "", "", "hours"]
    assert {row["dispatch_waits_until"][:19] + "Z" for row in rows if row["dispatch_waits_for"]} == {
        run.json["next_at"]
    }
    # A report that is fed back has its own columns no more.
    again = ready("run", "spring-report.csv", "--yes", "--json")
    assert (again.code, again.json["rows"]["created"]) == (7, 2)
    header = (ready.folder / "spring-report.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header.count("dispatch_zone") == 1


def test_by_the_number_alone(ready: Program, sandbox: SandboxProcess) -> None:
    """Without a column the number says where its contact is; one of no known zone is left out, and told."""
    with_hours(ready, sandbox, "00:00-24:00", columns={"zone": None})
    write_contacts(ready.folder / "spring.csv", [f"{phone(100)},Ann", "+870773111632,Sea", "client:bob,Bob"])
    run = ready("run", "spring.csv", "--yes", "--json")
    assert (run.code, run.json["skipped"]) == (3, {"zone_unknown": 1})
    assert sorted(reached(sandbox)) == [phone(100), "client:bob"]


def test_no_zone_is_not_any_hour(ready: Program, sandbox: SandboxProcess) -> None:
    """Who is of no known zone is not reached by a retry either, nor where hours were off when the file was planned."""
    with_hours(ready, sandbox, "00:00-24:00", columns={"zone": None})
    write_contacts(ready.folder / "spring.csv", ["+870773111632,Sea"])
    assert ready("run", "spring.csv", "--yes").code == 3
    again = ready("retry", "spring", "--skipped", "zone_unknown", "--yes", "--json")
    assert (again.code, again.json["skipped"]) == (3, {"zone_unknown": 1})
    # Planned while hours were off: for a start, or such that it was left over.
    off = {"mode": "off"}
    start = f"{NOW + timedelta(hours=2):%Y-%m-%dT%H:%MZ}"
    for name, number, schedule in (("one", phone(100), {"start_at": start}), ("two", phone(101), {})):
        write_contacts(ready.folder / f"{name}.csv", [f"{number},Ann", "+870773111633,Sea"])
        write_settings(ready.folder, sandbox.base_url, hours=off, schedule=schedule)
        ready("run", f"{name}.csv", "--yes", "--limit", "1")
        with_hours(ready, sandbox, "00:00-24:00", columns={"zone": None})
        resumed = ready("resume", name, "--yes", "--json")
        assert (resumed.code, resumed.json["skipped"]) == (3, {"zone_unknown": 1})
    assert sorted(reached(sandbox)) == [phone(100), phone(101)]
    # The settings name a zone for such: it holds for what was planned before, too.
    default = {"zone_unknown": "default", "default_zone": "UTC", "mode": "wait", "presets": [], "open": OPEN}
    write_settings(ready.folder, sandbox.base_url, hours=default)
    assert ready("retry", "two", "--skipped", "zone_unknown", "--yes").code == 0
    assert reached(sandbox)[-1] == "+870773111633"


def test_a_wrong_clock_here_opens_nothing(program: Program) -> None:
    """Studio is asked what time it is before the first row leaves: there it is night, whatever this machine says."""
    with sandbox_process(program.folder, "--clock-skew", str(4 * 3600)) as sandbox:
        zoned(program, "UTC", "UTC")
        with_hours(program, sandbox, OPEN, campaign={"repeat_after_h": 0})
        run = program("run", "spring.csv", "--yes", "--json")
        assert (run.code, sandbox.stats()["creates"]) == (7, 0), run.err
        assert run.err.count("clock is 4:00:00 behind Studio's") == 1, run.err


def test_wrong_cells_are_told(ready: Program, sandbox: SandboxProcess) -> None:
    """A zone that is none, a time that is none, an end before its beginning: the row is invalid, with the column."""
    lines = [
        f"{phone(100)},Mars/Olympus,,",
        f"{phone(101)},UTC,01/02/2026,",
        f"{phone(102)},UTC,2026-12-02,2026-12-01",
        f"{phone(103)},UTC,,",
    ]
    text = "phone,zone,from,until\n" + "\n".join(lines) + "\n"
    (ready.folder / "spring.csv").write_text(text, encoding="utf-8")
    columns = {"zone": "zone", "not_before": "from", "not_after": "until", "parameters": []}
    with_hours(ready, sandbox, OPEN, columns=columns)
    checked = ready("check", "spring.csv", "--offline", "--json").json
    told = [(one["row_number"], one["column"], one["reason"]) for one in checked["problems"]]
    assert told == [(2, "zone", "zone_invalid"), (3, "from", "time_invalid"), (4, "from", "time_invalid")]


def test_settings_that_cannot_hold(ready: Program, sandbox: SandboxProcess) -> None:
    """Unknown presets, hours that never open, a deadline before the start: exit 2 before anything is planned."""
    zoned(ready, "UTC")
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("hours", {"presets": ["us-xx"]}),
        ("hours", {"open": "25:00-26:00"}),
        ("hours", {"open": {"mon": ""}}),
        ("schedule", {"start_at": "2026-12-02T09:00", "deadline": "2026-12-01T09:00"}),
        ("schedule", {"deadline": "tomorrow"}),
    ]
    for table, setting in wrong:
        tables: dict[str, dict[str, Any]] = {"hours": {"mode": "wait", "presets": []}}
        tables[table] = {**tables.get(table, {}), **setting}
        write_settings(ready.folder, sandbox.base_url, **tables)
        for command in (("run", "spring.csv", "--yes"), ("check", "spring.csv")):
            refused = ready(*command)
            assert (refused.code, refused.err.count("error[settings]") + refused.err.count("error[hours]") == 1) == (
                2,
                True,
            ), (setting, refused.err)
    assert sandbox.stats()["creates"] == 0
    (status,) = ready("status", "--json").json
    assert not any(status["rows"].values())


def test_the_programs_own_wait(ready: Program, sandbox: SandboxProcess) -> None:
    """A start in some seconds is waited for; and with --wait-until-done the account is free meanwhile."""
    zoned(ready, "UTC")
    with_hours(ready, sandbox, "00:00-24:00")
    start = (datetime.now(UTC) + timedelta(seconds=4)).isoformat(timespec="seconds")
    assert ready("run", "spring.csv", "--yes", "--start-at", start).code == 0
    (create,) = sandbox.creates()
    assert create["at"] >= datetime.fromisoformat(start).timestamp()

    write_contacts(ready.folder / "other.csv", 1, first=300)
    zoned(ready, "UTC", name="later.csv")
    start = (datetime.now(UTC) + timedelta(seconds=66)).isoformat(timespec="seconds")
    flags = ("--campaign", "later", "--again", "--yes", "--wait-until-done", "--start-at", start, "--json")
    process = ready.start("run", "later.csv", *flags)
    read_until(process, "waiting: 1 row until")
    write_settings(ready.folder, sandbox.base_url)
    assert ready("run", "other.csv", "--yes").code == 0
    result = finish(process)
    assert (result.code, result.json["rows"]["created"], result.json["waiting"]) == (0, 1, [])
    assert sandbox.creates()[-1]["at"] >= datetime.fromisoformat(start).timestamp()


def test_what_was_asked_for_holds_while_it_waits(ready: Program, sandbox: SandboxProcess) -> None:
    """A limit is for all openings together; and rows of a file that was fed meanwhile are not this command's."""
    start = (datetime.now(UTC) + timedelta(seconds=68)).isoformat(timespec="seconds")
    columns = {"not_before": "from", "parameters": []}
    write_settings(ready.folder, sandbox.base_url, columns=columns)

    def write(name: str, *lines: str) -> None:
        (ready.folder / name).write_text("phone,from\n" + "\n".join(lines) + "\n", encoding="utf-8")

    write("spring.csv", f"{phone(100)},", f"{phone(101)},{start}", f"{phone(102)},{start}")
    write("summer.csv", f"{phone(200)},{start}")
    flags = ("--no-preflight", "--yes", "--wait", "--wait-until-done", "--json")
    limited = ready.start("run", "spring.csv", "--limit", "2", *flags)
    read_until(limited, "waiting: 2 rows until")
    fed = ready.start("run", "summer.csv", *flags)
    read_until(fed, "waiting: 1 row until")
    write("more.csv", f"{phone(300)},")
    # Planned, and nobody has agreed to send it.
    write_settings(ready.folder, sandbox.base_url, columns=columns, guard={"max_rows": 1})
    write("more.csv", f"{phone(300)},", f"{phone(301)},")
    refused = ready("run", "more.csv", "--campaign", "summer", "--add", "--no-preflight", "--yes")
    assert refused.code == 2, refused.err
    told = finish(fed)
    assert (told.code, "a file was fed into the campaign" in told.err) == (7, True), told.err
    assert "fix: dispatcher resume summer" in told.err
    assert finish(limited).json["rows"]["created"] == 2
    assert sorted(reached(sandbox)) == [phone(100), phone(101)]


def test_a_start_that_was_missed(ready: Program, sandbox: SandboxProcess) -> None:
    """Held and told; sent or left out where the settings say so; and no matter once some of it is sent."""
    zoned(ready, "UTC", "UTC")
    past = (datetime.now(UTC) - timedelta(hours=3)).isoformat(timespec="seconds")
    with_hours(ready, sandbox, "00:00-24:00")
    held = ready("run", "spring.csv", "--yes", "--start-at", past)
    assert (held.code, sandbox.stats()["creates"]) == (5, 0)
    assert "error[late]" in held.err
    assert "180 minutes ago" in held.err
    with_hours(ready, sandbox, "00:00-24:00", schedule={"late": "skip"})
    skipped = ready("run", "spring.csv", "--campaign", "other", "--yes", "--start-at", past, "--json")
    assert (skipped.code, skipped.json["skipped"], sandbox.stats()["creates"]) == (0, {"expired": 2}, 0)
    with_hours(ready, sandbox, "00:00-24:00", schedule={"late": "send"})
    assert ready("resume", "spring", "--yes", "--limit", "1", "--start-at", past).code == 0
    with_hours(ready, sandbox, "00:00-24:00")
    assert ready("resume", "spring", "--yes", "--start-at", past).code == 0
    assert sandbox.stats()["creates"] == 2


def test_a_wait_that_is_stopped(ready: Program, sandbox: SandboxProcess) -> None:
    """Ctrl-C while rows wait: exit code 130, how to go on, and the JSON object all the same."""
    zoned(ready, "UTC")
    with_hours(ready, sandbox, CLOSED)
    process = ready.start("run", "spring.csv", "--yes", "--wait-until-done", "--json")
    read_until(process, "waiting: 1 row until")
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert (result.code, result.json["waiting"][0]["rows"]) == (130, 1)
    assert "fix: dispatcher resume spring" in result.err


def test_after_the_deadline(ready: Program, sandbox: SandboxProcess) -> None:
    """Rows that are not sent by then are left out as expired, in the report with their reason."""
    zoned(ready, "UTC", "UTC")
    with_hours(ready, sandbox, CLOSED)
    past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat(timespec="seconds")
    run = ready("run", "spring.csv", "--yes", "--deadline", past, "--json")
    assert (run.code, run.json["skipped"], sandbox.stats()["creates"]) == (0, {"expired": 2}, 0)
    rows = read_report(ready.folder / "spring-report.csv")
    assert {row["dispatch_status"] for row in rows} == {"skipped"}


def test_hours_are_off_in_a_rehearsal(ready: Program, sandbox: SandboxProcess) -> None:
    """A sandbox on this machine is sent to at any hour, unless it is told otherwise; an alert goes at any hour."""
    write_contacts(ready.folder / "spring.csv", 2)
    assert ready("run", "spring.csv", "--yes").code == 0
    with_hours(ready, sandbox, CLOSED, campaign={"purpose": "transactional"}, columns={"zone": None})
    write_contacts(ready.folder / "alert.csv", 2, first=200)
    assert ready("run", "alert.csv", "--yes").code == 0
    assert sandbox.stats()["creates"] == 4


def test_a_canary_of_open_places(ready: Program, sandbox: SandboxProcess) -> None:
    """Nothing where all have night; then the first rows are those of open places, spread over them alone."""
    numbers = zoned(ready, *["UTC", "Etc/GMT-3"] * 6)
    canary = {"rows": 3, "wait_min": 0.001}
    with_hours(ready, sandbox, window(6), canary=canary)
    run = ready("run", "spring.csv", "--yes", "--json")
    assert (run.code, sandbox.stats()["creates"], sum(one["rows"] for one in run.json["waiting"])) == (7, 0, 12), (
        run.err
    )
    with_hours(ready, sandbox, window(3), canary=canary)
    # Its executions do not end, so nothing is known of them.
    stopped = ready("resume", "spring", "--yes")
    assert (stopped.code, "error[canary]" in stopped.err) == (5, True), stopped.err
    assert sorted(reached(sandbox)) == [numbers[3], numbers[7], numbers[11]]
    resumed = ready("resume", "spring", "--yes", "--accept-canary", "--json")
    assert (resumed.code, resumed.json["rows"]["created"], resumed.json["rows"]["planned"]) == (7, 6, 6), resumed.err
