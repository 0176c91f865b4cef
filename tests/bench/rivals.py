"""What a user would write or pick instead; each sends the same rows to the same server, and promises nothing.

    python -m tests.bench.rivals naive|tuned|twilio_async|twilio_threads|script PORT ROWS IN_FLIGHT

Prints {"rows", "seconds", "cpu_s", "peak_mib"} of the sending alone.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import quote_plus

FLOW = "FW0123456789abcdef0123456789abcdef"
ACCOUNT = "AC" + "0" * 32
SECRET = "not-a-secret"


def contacts(n: int) -> Iterator[dict[str, str]]:
    """The rows' form fields, as a script would have them at hand."""
    for number in range(n):
        parameters = {"first_name": f"Ann{number}", "city": "Springfield", "dispatch_id": f"d-{number:024x}"}
        yield {"To": f"+1202{number % 10_000_000:07d}", "From": "+12025550100", "Parameters": json.dumps(parameters)}


async def naive(url: str, rows: list[dict[str, str]], in_flight: int) -> None:
    """The obvious aiohttp loop."""
    import aiohttp

    results = []
    waiting = iter(rows)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session:

        async def work() -> None:
            for row in waiting:
                async with session.post(url, data=row, auth=aiohttp.BasicAuth(ACCOUNT, SECRET)) as response:
                    results.append((await response.json())["sid"])

        await asyncio.gather(*(work() for _ in range(in_flight)))
    assert len(results) == len(rows)


async def tuned(url: str, rows: list[dict[str, str]], in_flight: int) -> None:
    """The same by hand: bytes, one set of headers, no cookies, orjson."""
    import aiohttp
    import orjson
    from multidict import CIMultiDict
    from yarl import URL

    token = b64encode(f"{ACCOUNT}:{SECRET}".encode()).decode()
    headers = CIMultiDict(
        {
            "Authorization": f"Basic {token}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
    )
    target, results, waiting = URL(url), [], iter(rows)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_read=30),
    ) as session:

        async def work() -> None:
            for row in waiting:
                to, sender, parameters = (quote_plus(row[name]) for name in ("To", "From", "Parameters"))
                body = f"To={to}&From={sender}&Parameters={parameters}".encode()
                async with session.post(target, data=body, headers=headers, allow_redirects=False) as response:
                    results.append(orjson.loads(await response.read())["sid"])

        await asyncio.gather(*(work() for _ in range(in_flight)))
    assert len(results) == len(rows)


async def twilio_async(url: str, rows: list[dict[str, str]], in_flight: int) -> None:
    """The official client's asynchronous half."""
    from twilio.http.async_http_client import AsyncTwilioHttpClient
    from twilio.rest import Client

    results = []
    waiting = iter(rows)
    async with AsyncTwilioHttpClient() as http:
        client = Client(ACCOUNT, SECRET, http_client=http)
        client.studio.base_url = url.split("/v2/")[0]
        executions = client.studio.v2.flows(FLOW).executions

        async def work() -> None:
            for row in waiting:
                made = await executions.create_async(to=row["To"], from_=row["From"], parameters=row["Parameters"])
                results.append(made.sid)

        await asyncio.gather(*(work() for _ in range(in_flight)))
    assert len(results) == len(rows)


def twilio_threads(url: str, rows: list[dict[str, str]], in_flight: int) -> None:
    """The official client in threads: 50 of them, however many may be in flight."""
    from twilio.rest import Client

    waiting: SimpleQueue[dict[str, str]] = SimpleQueue()
    for row in rows:
        waiting.put(row)

    def work(_: int) -> int:
        client = Client(ACCOUNT, SECRET)
        client.studio.base_url = url.split("/v2/")[0]
        executions = client.studio.v2.flows(FLOW).executions
        done = 0
        while True:
            try:
                row = waiting.get_nowait()
            except Empty:
                return done
            assert executions.create(to=row["To"], from_=row["From"], parameters=row["Parameters"]).sid
            done += 1

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(work, range(50))) == len(rows)


async def script(url: str, rows: list[dict[str, str]], in_flight: int) -> None:
    """The pattern of one-file rate-limited request scripts: a token loop that sleeps a millisecond per dispatch."""
    import aiohttp

    capacity = rate_per_s = 1e6
    last_s, busy, results = time.time(), 0, []
    waiting = iter(rows)
    tasks = set()
    async with aiohttp.ClientSession() as session:

        async def call(row: dict[str, str]) -> None:
            nonlocal busy
            async with session.post(url, data=row, auth=aiohttp.BasicAuth(ACCOUNT, SECRET)) as response:
                results.append((await response.json())["sid"])
            busy -= 1

        following = next(waiting, None)
        while following is not None or busy:
            now_s = time.time()
            capacity = min(capacity + rate_per_s * (now_s - last_s), rate_per_s)
            last_s = now_s
            if following is not None and capacity >= 1 and busy < in_flight:
                capacity -= 1
                busy += 1
                task = asyncio.create_task(call(following))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                following = next(waiting, None)
            await asyncio.sleep(0.001)
    assert len(results) == len(rows)


def main() -> None:
    """Run one rival and print its figures."""
    name, port, rows_wanted, in_flight = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    rows = list(contacts(rows_wanted))
    url = f"http://127.0.0.1:{port}/v2/Flows/{FLOW}/Executions"
    rival: Any = globals()[name]
    cpu_s, started_s = time.process_time(), time.perf_counter()
    if asyncio.iscoroutinefunction(rival):
        asyncio.run(rival(url, rows, in_flight))
    else:
        rival(url, rows, in_flight)
    figures = {
        "rows": len(rows),
        "seconds": time.perf_counter() - started_s,
        "cpu_s": time.process_time() - cpu_s,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
