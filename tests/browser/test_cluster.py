"""The page on a ledger of many machines, beside a worker of its own process."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from playwright.async_api import expect

from dispatcher.cluster.app import migrate_engine
from tests.acceptance.cli.program import (
    CREDENTIALS,
    PROGRAM,
    TIMEOUT_S,
    Program,
    SandboxProcess,
    write_contacts,
    write_settings,
)
from tests.browser.server import Server
from tests.browser.visitors import Visitors
from tests.browser.way import Way
from tests.support import postgres


@contextlib.contextmanager
def worker(folder: Path) -> Iterator[None]:
    """A worker with the folder's settings."""
    program = Program(folder, env=dict(CREDENTIALS))
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [*PROGRAM, "worker"],
            cwd=folder,
            env=program.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(TIMEOUT_S)


async def test_the_page_tells_which_worker_sends(
    idle: Server, visitors: Visitors, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    """Launched on the page, sent by a worker: its machine stands on the campaign's page and on that of the health."""
    with postgres.shared().ledger() as url:
        await migrate_engine(url)
        write_settings(
            tmp_path,
            sandbox.base_url,
            state={"dir": "state", "url": url},
            cluster={"tick_s": 1},
            rate={"per_second": 20},
        )
        with worker(tmp_path):
            await idle.start()
            visitor = await visitors.come(idle)
            way = Way(visitor, idle)
            await way.launch(write_contacts(tmp_path / "spring.csv", 200), 200)
            sender = way.page.locator("[data-text=worker]")
            await expect(sender).to_have_text(re.compile(r"Sent by the worker on \S+ \(process \d+\)\."))
            await expect(way.page.locator("[data-text=rate]")).to_have_text(re.compile(r"of 20 a second"))
            await way.page.goto(f"{idle.url}/health")
            row = way.page.get_by_role("row", name=re.compile("Worker for"))
            await expect(row).to_contain_text(re.compile(r"at work\s*on \S+ \(process \d+\)"))
            await way.page.goto(way.url)
            await way.state("Finished")
            await expect(sender).to_be_hidden()
        assert sandbox.stats()["creates"] == 200
        assert sandbox.stats()["duplicates"] == {}
        await idle.stop()
