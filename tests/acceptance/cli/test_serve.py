"""`serve` as it is installed: two accounts, killed in the middle, started again; and what it refuses to begin with."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.cli.program import CREDENTIALS, FLOW, Program, SandboxProcess, sandbox_process
from tests.browser.server import Server, until
from tests.support.page_client import signed_in
from tests.support.rehearsal import write_contacts

ROWS = 120
TWO = "AC" + "2" * 32


@pytest.fixture
def sandboxes(tmp_path: Path) -> Iterator[tuple[SandboxProcess, SandboxProcess]]:
    with ExitStack() as stack:
        found = []
        for name, sid in (("one", CREDENTIALS["TWILIO_ACCOUNT_SID"]), ("two", TWO)):
            folder = tmp_path / name
            folder.mkdir()
            found.append(stack.enter_context(sandbox_process(folder, "--limit", "20", "--account", sid)))
        yield found[0], found[1]


def created(sandbox: SandboxProcess) -> dict[str, int]:
    """How many executions, and how many rows have two."""
    stats = sandbox.stats()
    return {"creates": stats["creates"], "twice": len(stats["created_by_dispatch_id_duplicates"])}


async def test_two_accounts_killed_and_gone_on(
    tmp_path: Path, sandboxes: tuple[SandboxProcess, SandboxProcess]
) -> None:
    """kill -9 in the middle of two campaigns on two accounts: started again, each row once, and the page says so."""
    one, two = sandboxes
    (tmp_path / "config.toml").write_text(
        f'[account]\nbase_url = "{one.base_url}"\n[profiles.two.account]\nbase_url = "{two.base_url}"\n'
        f'[rate]\nper_second = 20\n[state]\ndir = "state"\n[web]\nmetrics = true\n'
        "[reconcile]\nsettle_s = 1\n[timeouts]\nanswer_s = 2\n"
    )
    env: dict[str, str | None] = {
        "TWILIO_TWO_ACCOUNT_SID": TWO,
        "TWILIO_TWO_AUTH_TOKEN": CREDENTIALS["TWILIO_AUTH_TOKEN"],
    }
    server = Server(tmp_path, env=env)
    await server.start()
    try:
        async with signed_in(server.printed) as browser:
            drafts = {}
            for name, profile, first in (("spring", "", 1), ("autumn", "two", 1000)):
                file = write_contacts(tmp_path / f"{name}.csv", ROWS, first=first)
                drafts[name] = await browser.upload(file, profile=profile)
                await browser.checked(drafts[name], FLOW, 30, name)
                await browser.launch(drafts[name])
            await until(lambda: min(created(box)["creates"] for box in sandboxes) >= 15, "both are sent")
            server.kill()
            before = [created(box)["creates"] for box in sandboxes]
            assert max(before) < ROWS
            await server.start()
            await until(lambda: min(created(box)["creates"] for box in sandboxes) >= ROWS, "both go on", 150)
            for draft in drafts.values():
                for _ in range(600):
                    state = json.loads(await browser.get(f"{draft}/state.json"))
                    if state["texts"]["state"] == "Finished":
                        break
                    await asyncio.sleep(0.1)
                assert (state["texts"]["state"], state["done"], state["total"]) == ("Finished", ROWS, ROWS)
            said = (await browser.get("/metrics")).splitlines()
            for name, end in (("spring", CREDENTIALS["TWILIO_ACCOUNT_SID"][-4:]), ("autumn", TWO[-4:])):
                assert f'dispatcher_rows{{campaign="{name}",account="…{end}",state="created"}} {ROWS}' in said
            (runs,) = (line for line in said if line.startswith("dispatcher_runs_total "))
            assert int(runs.split()[1]) >= 2
        assert [created(box) for box in sandboxes] == [{"creates": ROWS, "twice": 0}] * 2
    finally:
        server.end()


def test_a_second_server_is_told_of_the_first(tmp_path: Path, program: Program) -> None:
    """One server for a ledger: the other says where the first one is; a new link is printed beside it."""
    with program.start("serve", "--port", "0", "--state-dir", "state") as first:
        try:
            assert first.stdout is not None
            address = first.stdout.readline().split("/sign-in")[0]
            second = program("serve", "--port", "0", "--state-dir", "state")
            assert second.code == 2
            assert address in second.err
            assert "fix:" in second.err
            third = program("serve", "--link", "--state-dir", "state")
            assert third.code == 0
            assert third.out.startswith(f"{address}/sign-in?link=")
        finally:
            first.terminate()


def test_a_port_that_is_taken(program: Program) -> None:
    """Said before anything is begun, with a fix."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = program("serve", "--port", str(port), "--state-dir", "state")
    assert refused.code == 2
    assert f"port {port}" in refused.err
    assert "fix:" in refused.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--host", "0.0.0.0"), "without encryption"),
        (("--host", "0.0.0.0", "--public-url", "https://send.example.com"), "a link is for one person"),
        (("--public-url", "http://send.example.com"), "without encryption"),
    ],
)
def test_what_would_be_open_is_refused(program: Program, options: tuple[str, ...], said: str) -> None:
    """Before anything listens: with a fix, and exit code 2."""
    refused = program("serve", *options, "--state-dir", "state")
    assert refused.code == 2
    assert said in refused.err
    assert "fix:" in refused.err
