"""`dispatcher serve` killed over and over, at any moment, while campaigns of two accounts are sent: each row once."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.cli.program import CREDENTIALS, FLOW, sandbox_process
from tests.browser.server import Server
from tests.chaos.seeds import drawn
from tests.support.page_client import Browser, signed_in
from tests.support.rehearsal import write_contacts

KILLS = 40
ROWS = 150
TWO = "AC" + "2" * 32
ACCOUNTS = (("", CREDENTIALS["TWILIO_ACCOUNT_SID"]), ("two", TWO))


@pytest.mark.chaos
async def test_a_server_killed_at_any_moment(tmp_path: Path) -> None:
    """Between a click and its plan, while a file is planned, while it is sent, at its end: nobody twice, none lost."""
    chance = random.Random(drawn())
    with ExitStack() as stack:
        sandboxes = []
        for name, sid in ACCOUNTS:
            folder = tmp_path / f"sandbox{name}"
            folder.mkdir()
            options = ("--limit", "40", "--account", sid, "--fault", "reset_after=0.03", "--fault", "429=0.03")
            sandboxes.append(stack.enter_context(sandbox_process(folder, *options)))
        (tmp_path / "config.toml").write_text(
            f'[account]\nbase_url = "{sandboxes[0].base_url}"\n'
            f'[profiles.two.account]\nbase_url = "{sandboxes[1].base_url}"\n'
            '[rate]\nper_second = 40\n[state]\ndir = "state"\n[retry]\nbackoff_base_s = 0.05\n'
            "[reconcile]\nsettle_s = 1\n[timeouts]\nanswer_s = 2\n[campaign]\nrepeat_after_h = 0\n"
        )
        env: dict[str, str | None] = {
            "TWILIO_TWO_ACCOUNT_SID": TWO,
            "TWILIO_TWO_AUTH_TOKEN": CREDENTIALS["TWILIO_AUTH_TOKEN"],
        }
        server = Server(tmp_path, env=env)
        await server.start()
        launched: dict[str, int] = {profile: 0 for profile, _ in ACCOUNTS}
        drafts: list[str] = []
        kills = 0
        try:
            async with signed_in(server.printed) as browser:
                while kills < KILLS:
                    for profile, _ in ACCOUNTS:
                        if launched[profile] > kills // 8:
                            continue
                        name = f"campaign{profile}{launched[profile]}"
                        first = launched[profile] * ROWS + 1
                        file = write_contacts(tmp_path / f"{name}.csv", ROWS, first=first)
                        draft = await browser.upload(file, profile=profile)
                        await browser.checked(draft, FLOW, 60, name)
                        # The click itself is not cut: its answer is what a person has seen.
                        await browser.launch(draft)
                        drafts.append(draft)
                        launched[profile] += 1
                    await asyncio.sleep(chance.uniform(0.0, 1.5))
                    server.kill()
                    kills += 1
                    await server.start()
                for draft in drafts:
                    await _finished(browser, draft)
        finally:
            server.end()
        for (profile, _), sandbox in zip(ACCOUNTS, sandboxes, strict=True):
            reached = Counter(create["to"] for create in sandbox.creates())
            assert (len(reached), max(reached.values())) == (launched[profile] * ROWS, 1)


async def _finished(browser: Browser, draft: str) -> None:
    """Wait for a campaign's end."""
    shown = ""
    for _ in range(600):
        shown = json.loads(await browser.get(f"{draft}/state.json"))["texts"]["state"]
        if shown == "Finished":
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"{draft} is {shown}")
