"""What a demonstration needs: settings that nothing of this machine has a say in, and contacts that do not exist."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dispatcher.settings import LoadedSettings, Settings, load

#: Enough to see the limit at work, and over in half a minute.
LIMIT_PER_S = 30.0
#: What the report shows of each contact's answer.
REPLY = {"reply": "widgets.ask_yes_no.inbound.Body"}
GENERATED_ROWS = 200


def demo_settings(base_url: str, flow_sid: str, folder: Path) -> Settings:
    """Settings for a local Studio, whose ledger lies in this folder."""
    return loaded(demo_flags(base_url, flow_sid, folder), folder).settings


def loaded(flags: Mapping[str, Any], folder: Path) -> LoadedSettings:
    """These settings and no others, whatever this machine has."""
    empty = folder / "config.toml"
    empty.touch()
    return load(empty, flags=flags, environ={})


def demo_flags(base_url: str, flow_sid: str, folder: Path) -> dict[str, Any]:
    """The same, as `table.name` and value."""
    return {
        "account.base_url": base_url,
        "campaign.flow": flow_sid,
        "campaign.from": "+15550001111",
        "columns.to": "phone",
        "columns.region": "US",
        "rate.per_second": LIMIT_PER_S,
        "reconcile.settle_s": 1.0,
        "state.dir": str(folder / "state"),
        "tracking.variables": REPLY,
        "tracking.per_second": 500.0,
        "tracking.concurrency": 50,
        "tracking.every_s": 0.5,
    }


def demo_contacts(folder: Path, name: str = "contacts.csv") -> Path:
    """The sample contacts of a clone; where only the package is installed, some made up in this folder."""
    sample = Path(__file__).resolve().parents[2] / "samples" / name
    if sample.is_file():
        return sample
    path = folder / "contacts.csv"
    rows = [f"+1202555{n:04d},Contact {n}" for n in range(100, 100 + GENERATED_ROWS)]
    rows[7], rows[70] = "4.41E+11,Mangled by a spreadsheet", ",Without a number"
    path.write_text("phone,first_name\n" + "\n".join([*rows, rows[0]]) + "\n", encoding="utf-8")
    return path
