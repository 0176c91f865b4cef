"""What `demo --page` does: the page on a local Studio, with a file that somebody has just uploaded."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dispatcher.campaign.demo import demo_contacts, demo_flags, loaded
from dispatcher.cli.render.terminal import say
from dispatcher.cli.serving import serve_until_told
from dispatcher.clock import now_ms
from dispatcher.errors import ExitCode
from dispatcher.sandbox import DEFAULT_FLOW_SID, ContactScript, Sandbox, SandboxSettings, default_flow
from dispatcher.settings import Credentials, LoadedSettings
from dispatcher.web.accounts import Accounts
from dispatcher.web.store import Stage, Store, open_store

WHO, NAME = "demo", "appointments"
#: Slow enough to pause it.
LIMIT_PER_S = 10.0
FAULTS = {"429": 0.01, "reject": 0.02, "500_after": 0.01, "reset_before": 0.01}
#: How much faster than life contacts answer: a minute's wait is over in a second.
SPEED = 60.0


def demonstrate_page(*, port: int = 0) -> ExitCode:
    """Until Ctrl-C. Raises: UsageError: the port is taken."""
    with tempfile.TemporaryDirectory(prefix="dispatcher-demo-") as folder:
        asyncio.run(_show(Path(folder), port))
    return ExitCode.OK


async def _show(folder: Path, port: int) -> None:
    sandbox_settings = SandboxSettings(
        limit_per_s=LIMIT_PER_S,
        latency_s=0.06,
        latency_jitter_s=0.12,
        faults=FAULTS,
        seed=5,
        flows=(default_flow(walks=True),),
        contacts=ContactScript(speed=SPEED),
    )
    sid = sandbox_settings.account_sid
    async with Sandbox(sandbox_settings) as sandbox:
        flags = demo_flags(sandbox.base_url, DEFAULT_FLOW_SID, folder) | {
            "rate.per_second": LIMIT_PER_S,
            "web.port": port,
        }
        # What the page is there to ask is left open.
        for name in ("columns.to", "columns.region"):
            del flags[name]

        def load(profile: str | None, over: Mapping[str, Any]) -> LoadedSettings:
            return loaded({**flags, **over}, folder)

        credentials = Credentials(account_sid=sid, username=sid, password="rehearsal")
        accounts = Accounts(load, credentials=credentials)
        store = await open_store(accounts.folder)
        try:
            await _upload(store, demo_contacts(folder, "contacts.xlsx"))
        finally:
            await store.close()
        say("A local Studio is up, and a sample file is uploaded. Nothing leaves this machine. Open:", "bold")
        await serve_until_told(accounts)


async def _upload(store: Store, source: Path) -> None:
    """As if somebody had uploaded it and the server had been restarted then: it looks at the file when it starts."""
    upload = await store.uploads.begin(source.name, WHO, now_ms())
    await store.uploads.finish(upload.upload_id, *await asyncio.to_thread(_copy, source, upload.path))
    await store.drafts.create(NAME, created_by=WHO, now_ms=now_ms(), uploads=(upload.upload_id,), stage=Stage.checking)


def _copy(source: Path, target: Path) -> tuple[int, str]:
    content = source.read_bytes()
    target.write_bytes(content)
    target.chmod(0o600)
    return len(content), hashlib.sha256(content).hexdigest()
