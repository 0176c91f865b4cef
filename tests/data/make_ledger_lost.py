"""Makes tests/data/ledger-lost.sqlite3 and ledger-lost.json: rows of version 3 that are unknown, and their executions.

Every row was sent by that program, was created, and its answer was lost. The JSON says what the sandbox has then: the
address and the Parameters of each execution, the id among them, which is made from what that program took for the key
and for the account. Run it with that program, unpacked into a folder by `git archive 608e13c`:

    PYTHONPATH=that/folder python tests/data/make_ledger_lost.py tests/data
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

PROGRAM = (sys.executable, "-m", "dispatcher")
#: Campaign → the file, what is different about its settings, and the account's SID.
CAMPAIGNS: dict[str, tuple[str, dict[str, dict[str, Any]], str]] = {
    "by-address": ("phone,name\n+14152000001,Ann\n+14152000002,Ben\n", {}, "AC" + "0" * 32),
    "by-order": (
        "order,phone,name\nA1,+14152000003,Cay\na1,+14152000003,Cay\n",
        {"columns": {"key": ["order"]}},
        "AC" + "0" * 32,
    ),
    "by-mail": (
        "mail,phone,name\nDan@Example.org,+14152000004,Dan\nEVE@example.org,+14152000005,Eve\n",
        {"columns": {"key": ["mail", "name"]}},
        "AC" + "0" * 32,
    ),
    "by-channel": ("phone,name\nwhatsapp:+14152000006,Fay\nclient:gil,Gil\n", {}, "AC" + "0" * 32),
    "other-spelling": ("phone,name\n+14152000007,Hal\n+14152000008,Ida\n", {}, "AC" + "AbCdEf01" * 4),
}


def main(folder: Path) -> None:
    """Send each campaign once; every answer is lost, and nothing is looked up."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        sandbox = subprocess.Popen(
            [*PROGRAM, "sandbox", "--fault", "reset_after=1", "--ends-after", "0.01"], stdout=subprocess.PIPE, text=True
        )
        try:
            assert sandbox.stdout is not None
            base_url = sandbox.stdout.readline().strip()
            for campaign, (rows, tables, account_sid) in CAMPAIGNS.items():
                _run(work, base_url, campaign, rows, tables, account_sid)
            with urllib.request.urlopen(f"{base_url}/_sandbox/creates") as answer:
                creates = json.loads(answer.read())["creates"]
        finally:
            sandbox.kill()
            sandbox.wait()
        (ledger,) = (work / ".dispatcher").glob("*.sqlite3")
        (folder / "ledger-lost.sqlite3").write_bytes(ledger.read_bytes())
        kept = [{"to": one["to"], "parameters": one["parameters"]} for one in creates]
        (folder / "ledger-lost.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def _run(
    work: Path, base_url: str, campaign: str, rows: str, tables: dict[str, dict[str, Any]], account_sid: str
) -> None:
    settings: dict[str, dict[str, Any]] = {
        "account": {"base_url": base_url},
        "campaign": {"flow": "FW0123456789abcdef0123456789abcdef", "from": "+15550001111"},
        "columns": {"to": "phone"} | tables.get("columns", {}),
        "reconcile": {"at_end": False},
    }
    lines = []
    for table, values in settings.items():
        lines += [f"[{table}]", *(f"{name} = {json.dumps(value)}" for name, value in values.items())]
    (work / "config.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (work / f"{campaign}.csv").write_text(rows, encoding="utf-8")
    secret = {"TWILIO_ACCOUNT_SID": account_sid, "TWILIO_AUTH_TOKEN": "made-up"}
    subprocess.run(
        [*PROGRAM, "run", f"{campaign}.csv", "--yes", "--no-preflight"],
        cwd=work,
        env=os.environ | secret,
        stdin=subprocess.DEVNULL,
        check=False,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
