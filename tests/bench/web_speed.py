"""What the page costs: the server and the sandbox as processes, and a client that does what browsers do.

    python -m tests.bench.web_speed --rows 1000000 --checked 300000 --upload-mb 150

Prints one JSON object. Two cores, sandbox and client included: what is measured is the worst that a small machine does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.page_client import Browser, signed_in

PROGRAM = (sys.executable, "-m", "dispatcher")
CREDENTIALS = {"TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_AUTH_TOKEN": "rehearsal"}
RATE = 200
#: How often each page is asked for, one after the other, while the campaign is sent.
ASKED = 30
#: So long the sender's rate is measured, in seconds: two windows and a bit.
MEASURED_S = 25.0
LIVE_PAGES = 8


def lines(rows: int, first: int = 0) -> Iterable[str]:
    """A file's lines: numbers of one country, none twice."""
    yield "phone,first_name,notes\n"
    for n in range(first, first + rows):
        yield f"+1415{2_000_000 + n},Name {n},a note that is as long as notes are\n"


@asynccontextmanager
async def process(*words: str, folder: Path, env: dict[str, str] | None = None) -> AsyncIterator[tuple[Any, str]]:
    """A command of ours that serves, and the first line it prints."""
    started = await asyncio.create_subprocess_exec(
        *PROGRAM,
        *words,
        cwd=folder,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=(folder / f"{words[0]}.log").open("wb"),
    )
    assert started.stdout is not None
    line = (await started.stdout.readline()).decode().strip()
    try:
        yield started, line
    finally:
        started.send_signal(signal.SIGTERM)
        await started.wait()


def resident_mib(pid: int, name: str = "VmRSS") -> float:
    """A process' memory now; VmHWM: its peak since it was forgotten last."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("ascii"))
    assert found is not None
    return int(found[1]) / 1024


def forget_peak(pid: int) -> None:
    """From now on VmHWM is of what comes (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


async def creates(http: aiohttp.ClientSession, sandbox: str) -> int:
    """How many executions the sandbox has begun."""
    async with http.get(f"{sandbox}/_sandbox/stats?brief=1") as answer:
        return int((await answer.json())["creates"])


async def rate_over(http: aiohttp.ClientSession, sandbox: str, seconds: float) -> float:
    """Creates a second over so long."""
    before, began_s = await creates(http, sandbox), time.perf_counter()
    await asyncio.sleep(seconds)
    return (await creates(http, sandbox) - before) / (time.perf_counter() - began_s)


async def watch(browser: Browser, path: str) -> None:
    """An open live page: its stream, read for as long as it is there."""
    async for _ in browser.stream(path):
        pass


async def measure(rows: int, checked: int, upload_mb: int) -> dict[str, float]:
    """All of it, one after the other."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "big.csv").write_text("".join(lines(rows)))
        (folder / "other.csv").write_text("".join(lines(checked, first=rows)))
        (folder / "bytes.csv").write_bytes(os.urandom(1 << 20) * upload_mb)
        (folder / "config.toml").write_text(f"[rate]\nper_second = {RATE}\n")
        async with (
            process("sandbox", "--port", "0", "--limit", str(RATE), folder=folder) as (_, sandbox),
            process(
                *("serve", "--port", "0", "--base-url", sandbox, "--state-dir", str(folder / "state")),
                folder=folder,
                env=CREDENTIALS,
            ) as (server, printed),
            signed_in(printed) as browser,
            aiohttp.ClientSession() as http,
        ):
            await browser.get("/")
            await asyncio.sleep(5)
            found["idle_mib"] = resident_mib(server.pid)
            forget_peak(server.pid)
            before_mib = resident_mib(server.pid)
            await browser.upload(folder / "bytes.csv")
            found["upload_mib"] = resident_mib(server.pid, "VmHWM") - before_mib
            await _send(browser, http, sandbox, folder, found)
    return found


async def _send(
    browser: Browser, http: aiohttp.ClientSession, sandbox: str, folder: Path, found: dict[str, float]
) -> None:
    flow = "FW0123456789abcdef0123456789abcdef"
    draft = await browser.upload(folder / "big.csv")
    began_s = time.perf_counter()
    page = await browser.checked(draft, flow, 600, "big")
    found["check_s"] = time.perf_counter() - began_s
    heading = re.search(r"<h1>([\d,]+) of ([\d,]+) rows", page)
    assert heading is not None, page
    found["rows"] = int(heading[1].replace(",", ""))
    deep = f"{draft}/check?after=900000"
    steps = [f"{draft}/check", deep, f"{draft}/preview", f"{draft}/send"]
    found["steps_p95_ms"] = await _p95(browser, steps)
    await browser.launch(draft)
    began_s = time.perf_counter()
    while not await creates(http, sandbox):
        await asyncio.sleep(0.2)
        assert time.perf_counter() - began_s < 300
    found["planned_s"] = time.perf_counter() - began_s
    await asyncio.sleep(12)
    alone = await rate_over(http, sandbox, MEASURED_S)
    watching = [asyncio.create_task(watch(browser, f"{draft}/events")) for _ in range(LIVE_PAGES)]
    await asyncio.sleep(1)
    found["watched_share"] = await rate_over(http, sandbox, MEASURED_S) / RATE
    pages = ["/", draft, f"{draft}/state.json", "/new", "/history", "/health"]
    found["pages_p95_ms"] = await _p95(browser, pages)
    other = await browser.upload(folder / "other.csv")
    checking = asyncio.create_task(browser.checked(other, flow, 600, "other"))
    await asyncio.sleep(1)
    found["checking_share"] = await rate_over(http, sandbox, MEASURED_S) / RATE
    await checking
    found["alone_share"] = alone / RATE
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)


async def _p95(browser: Browser, paths: Iterable[str]) -> float:
    """The worst page's 95th percentile."""
    worst = 0.0
    for path in paths:
        took = [await browser.first_byte_s(path) for _ in range(ASKED)]
        p95 = statistics.quantiles(took, n=20)[-1] * 1000
        print(
            f"{path.rpartition('/')[2][:20]:22} median {statistics.median(took) * 1000:6.1f} ms, p95 {p95:6.1f} ms",
            file=sys.stderr,
        )
        worst = max(worst, p95)
    return worst


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--checked", type=int, default=300_000)
    parser.add_argument("--upload-mb", type=int, default=150)
    options = parser.parse_args()
    print(json.dumps(asyncio.run(measure(options.rows, options.checked, options.upload_mb))))


if __name__ == "__main__":
    main()
