"""`demo`: from nothing, on this machine alone, to a report with an answer for every row."""

from __future__ import annotations

import csv
import json
import signal
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from tests.acceptance.cli.program import Program, finish, read_report


def test_the_demo_ends_well(program: Program, root: Path) -> None:
    """The demo ends well, and its report has every row of the sample, with an answer."""
    # Neither credentials nor settings of this machine have a say in it.
    nothing: dict[str, str | None] = {"TWILIO_ACCOUNT_SID": None, "TWILIO_AUTH_TOKEN": None}
    (program.folder / "config.toml").write_text('[account]\nbase_url = "http://127.0.0.1:9"\n', encoding="utf-8")
    result = finish(program.start("demo", env={**nothing, "DISPATCHER_RATE_PER_SECOND": "1"}))
    assert result.code == 0, result.err
    assert "none created twice" in result.out
    assert "demo-report.csv" in result.out.splitlines()
    with (root / "samples" / "contacts.csv").open(encoding="utf-8-sig", newline="") as file:
        given = list(csv.DictReader(file))
    report = read_report(program.folder / "demo-report.csv")
    assert [{name: row[name] for name in given[0]} for row in report] == given
    assert {row["dispatch_status"] for row in report} == {"created", "invalid", "skipped"}
    # Its ledger is gone with it.
    assert not (program.folder / ".dispatcher").exists()


def test_the_demo_s_page_is_there_until_told(program: Program) -> None:
    """It prints one link, serves the page there, and ends well on Ctrl-C; nothing of it stays in the folder."""
    nothing: dict[str, str | None] = {"TWILIO_ACCOUNT_SID": None, "TWILIO_AUTH_TOKEN": None}
    process = program.start("demo", "--page", env=nothing)
    assert process.stdout is not None
    link = process.stdout.readline().strip()
    with urllib.request.urlopen(f"http://{urlsplit(link).netloc}/healthz") as answer:
        assert json.loads(answer.read())["ok"] is True
    with urllib.request.urlopen(link) as answer:
        assert b"Continue" in answer.read()
    process.send_signal(signal.SIGINT)
    result = finish(process)
    assert (result.code, result.out) == (0, "")
    assert list(program.folder.iterdir()) == []
