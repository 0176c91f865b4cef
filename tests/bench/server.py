"""The target of the benchmarks: a minimal HTTP server in a process of its own, so that it is never the bottleneck.

    python -m tests.bench.server [--latency-s 0.05] [--limit-per-s 20] [--others-per-s 10] [--accounts]

Prints its port. With a limit it enforces the exact sliding window over 10 s and answers 429 above it; `others` is
another program that uses up a part of it. `accounts`: it answers each as the account that its credentials name.
GET /stats tells what it saw: requests, 429s, the worst window, arrivals.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import time
from collections import deque

WINDOW_S = 10.0
BODY = (
    b'{"sid": "FN%032x", "account_sid": "AC00000000000000000000000000000000", "flow_sid":'
    b' "FW0123456789abcdef0123456789abcdef", "context": {}, "contact_channel_address": null, "contact_sid":'
    b' "FC00000000000000000000000000000000", "status": "active", "date_created": "2026-01-01T00:00:00Z",'
    b' "date_updated": null, "url": "https://studio.twilio.com/v2/Flows/FW0123456789abcdef0123456789abcdef/Executions/'
    b'FN00000000000000000000000000000000", "links": {"steps": "https://studio.twilio.com/v2/Flows/'
    b'FW0123456789abcdef0123456789abcdef/Executions/FN00000000000000000000000000000000/Steps"}}'
)
HEAD = (
    b"HTTP/1.1 %s\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n"
    b"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\nTwilio-Request-Id: RQ%032x\r\nTwilio-Concurrent-Requests: 1\r\n\r\n"
)
NOBODY = b"AC" + b"0" * 32
THROTTLED = b'{"code": 20429, "message": "Too Many Requests", "status": 429}'


class Counter:
    """What the server saw. Times are monotonic seconds."""

    def __init__(self, limit_per_s: float, others_per_s: float) -> None:
        self.limit = int(limit_per_s * WINDOW_S)
        self.others_per_s = others_per_s
        self.started_s = time.monotonic()
        self.requests = self.created = self.throttled = self.worst_window = 0
        self.first_wall_s: float | None = None
        self.accepted_s: list[float] = []
        self._window: deque[float] = deque()
        self._others: deque[float] = deque()
        self._others_done = 0

    def accept(self) -> bool:
        """Count a create request; False: it is over the limit."""
        now_s = time.monotonic()
        self.requests += 1
        if self.first_wall_s is None:
            self.first_wall_s = time.time()
        while self._window and self._window[0] <= now_s - WINDOW_S:
            self._window.popleft()
        if self.limit:
            if self.others_per_s:
                self._let_others(now_s)
            if len(self._window) + len(self._others) >= self.limit:
                self.throttled += 1
                return False
        self._window.append(now_s)
        self.worst_window = max(self.worst_window, len(self._window))
        self.created += 1
        if self.limit:
            self.accepted_s.append(now_s)
        return True

    def _let_others(self, now_s: float) -> None:
        due = int((now_s - self.started_s) * self.others_per_s)
        for number in range(self._others_done, due):
            self._others.append(self.started_s + number / self.others_per_s)
        self._others_done = max(self._others_done, due)
        while self._others and self._others[0] <= now_s - WINDOW_S:
            self._others.popleft()

    def stats(self) -> bytes:
        """As JSON."""
        return json.dumps(
            {
                "requests": self.requests,
                "created": self.created,
                "throttled": self.throttled,
                "worst_window": self.worst_window,
                "first_wall_s": self.first_wall_s,
                "accepted_s": self.accepted_s,
            }
        ).encode()


class Server(asyncio.Protocol):
    """One connection."""

    def __init__(self, counter: Counter, latency_s: float, accounts: bool) -> None:
        self.counter = counter
        self.latency_s = latency_s
        self.accounts = accounts
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every whole request in what has come."""
        buffer = self.buffer + data
        while (end := buffer.find(b"\r\n\r\n")) >= 0:
            given = buffer[:end]
            head = given.lower()
            at = head.find(b"content-length: ")
            length = int(head[at + 16 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(buffer) < end + 4 + length:
                break
            buffer = buffer[end + 4 + length :]
            answer = self.answer(head)
            if self.accounts:
                answer = answer.replace(NOBODY, _account(given))
            if self.latency_s and not head.startswith(b"get /stats"):
                asyncio.get_running_loop().call_later(self.latency_s, self.transport.write, answer)
            else:
                self.transport.write(answer)
        self.buffer = buffer

    def answer(self, head: bytes) -> bytes:
        """The bytes that answer a request with this head."""
        counter = self.counter
        if head.startswith(b"get /stats"):
            body = counter.stats()
            return HEAD % (b"200 OK", len(body), 0) + body
        if head.startswith(b"get"):
            body = b'{"meta": {"key": "executions", "next_page_url": null}, "executions": [], "sid": "FW"}'
            return HEAD % (b"200 OK", len(body), 0) + body
        if not counter.accept():
            return HEAD % (b"429 Too Many Requests", len(THROTTLED), counter.requests) + THROTTLED
        body = BODY % counter.created
        return HEAD % (b"201 Created", len(body), counter.requests) + body


def _account(head: bytes) -> bytes:
    """Whose credentials a request has."""
    at = head.find(b"Basic ")
    return NOBODY if at < 0 else base64.b64decode(head[at + 6 :].split(b"\r\n", 1)[0]).split(b":", 1)[0]


async def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency-s", type=float, default=0.0)
    parser.add_argument("--limit-per-s", type=float, default=0.0)
    parser.add_argument("--others-per-s", type=float, default=0.0)
    parser.add_argument("--accounts", action="store_true")
    options = parser.parse_args()
    counter = Counter(options.limit_per_s, options.others_per_s)
    loop = asyncio.get_running_loop()

    def served() -> Server:
        return Server(counter, options.latency_s, options.accounts)

    server = await loop.create_server(served, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
