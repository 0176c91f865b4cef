"""A ledger of an older program whose rows were created and their answers lost: under every kind of key and spelling."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from dispatcher.campaign import open_campaign
from dispatcher.sandbox import Sandbox, SandboxSettings
from dispatcher.settings import Credentials
from tests.data.make_ledger_lost import CAMPAIGNS
from tests.support.rehearsal import Rehearsal

#: The second row of one contact met the first's execution: it created nothing.
NOT_CREATED = 1


@pytest.fixture
def lost(tmp_path: Path, root: Path) -> Rehearsal:
    """That ledger, as if it had been left a minute ago, and a Studio that has what was created then."""
    state = tmp_path / "state"
    state.mkdir()
    shutil.copyfile(root / "tests" / "data" / "ledger-lost.sqlite3", state / "ledger.sqlite3")
    sandbox = Sandbox(SandboxSettings(limit_per_s=0, ends_after_s=0.01))
    rehearsal = Rehearsal(tmp_path, sandbox, overrides={"reconcile": {"settle_s": 0.2}})
    for one in json.loads((root / "tests" / "data" / "ledger-lost.json").read_text(encoding="utf-8")):
        rehearsal.plant(one["to"], age_us=58_000_000, ends_after_us=1, parameters=json.dumps(one["parameters"]))
    return rehearsal


def left_a_minute_ago(rehearsal: Rehearsal) -> None:
    db = sqlite3.connect(rehearsal.ledger_path)
    begun_ms = int((time.time() - 60) * 1000)
    with db:
        db.execute("UPDATE accounts SET base_url = ?", (rehearsal.sandbox.base_url,))
        db.execute("UPDATE attempts SET begun_at_ms = ?, left_at_ms = ?, ended_at_ms = ?", [begun_ms] * 3)
        db.execute("UPDATE runs SET started_at_ms = ?, seen_at_ms = ?, stopped_at_ms = ?", [begun_ms] * 3)
    db.close()


def credentials(account_sid: str) -> Credentials:
    return Credentials(account_sid=account_sid, username=account_sid, password="not-a-real-token")


def settings(rehearsal: Rehearsal, tables: dict[str, dict[str, Any]]) -> Any:
    rehearsal.overrides["columns"] = {"to": "phone"} | tables.get("columns", {})
    return rehearsal.settings()


async def test_each_is_found(lost: Rehearsal) -> None:
    """However its key was made and its account written, each execution is found to be its row's."""
    async with lost.sandbox as sandbox:
        left_a_minute_ago(lost)
        found = planned = unresolved = 0
        for name, (_, tables, account_sid) in CAMPAIGNS.items():
            async with open_campaign(name, settings(lost, tables), credentials(account_sid), create=False) as campaign:
                result, _ = await campaign.reconcile()
            found, planned, unresolved = (
                found + result.created,
                planned + result.planned,
                unresolved + result.unresolved,
            )
        assert (found, planned, unresolved) == (9, NOT_CREATED, 0)
        assert sandbox.stats()["creates"] == 0


async def test_nobody_is_reached_twice(lost: Rehearsal) -> None:
    """The same files run again with this program, and other keys, create nothing but what was not created."""
    async with lost.sandbox as sandbox:
        left_a_minute_ago(lost)
        for name, (rows, tables, account_sid) in CAMPAIGNS.items():
            if account_sid != sandbox.settings.account_sid:
                continue  # a sandbox has one account
            path = lost.folder / f"{name}.csv"
            path.write_text(rows, encoding="utf-8")
            async with open_campaign(name, settings(lost, tables), credentials(account_sid), create=False) as campaign:
                await campaign.plan(path)
                result = await campaign.send()
            assert result.error is None, result.error
        assert sandbox.stats()["creates"] == NOT_CREATED
        assert sandbox.stats()["created_by_to"] == {"+14152000003": 1}
