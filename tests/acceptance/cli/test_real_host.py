"""A host that is not this machine, by its name: what holds there by itself. A proxy on loopback stands between."""

from __future__ import annotations

import http.server
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.acceptance.cli.program import Program, SandboxProcess, phone, write_settings

#: A name that nobody can resolve: what reaches a server has come through the proxy.
HOST = "studio.test.invalid"
#: What holds between the proxy and one of its sides alone.
HOP = frozenset({"connection", "host", "proxy-connection", "transfer-encoding", "content-length"})


class Proxy(http.server.ThreadingHTTPServer):
    """Passes each request for `HOST` on to a sandbox."""

    daemon_threads = True

    def __init__(self, base_url: str) -> None:
        super().__init__(("127.0.0.1", 0), Passing)
        self.base_url = base_url
        #: Method and address, as the program said them.
        self.seen: list[tuple[str, str]] = []


class Passing(http.server.BaseHTTPRequestHandler):
    """One request after another, on a connection that is kept."""

    protocol_version = "HTTP/1.1"
    server: Proxy

    def do_GET(self) -> None:
        """Pass it on, and its answer back."""
        self.server.seen.append((self.command, self.path))
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = urllib.request.Request(
            f"{self.server.base_url}{parts.path}?{parts.query}",
            data=body if self.command == "POST" else None,
            headers={name: value for name, value in self.headers.items() if name.lower() not in HOP},
            method=self.command,
        )
        try:
            answer = urllib.request.urlopen(request, timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            content = answer.read()
        # The answer's own Date, by which the program tells how wrong its clock is.
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        """The same."""
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to say."""


@pytest.fixture
def proxy(sandbox: SandboxProcess) -> Iterator[Proxy]:
    with Proxy(sandbox.base_url) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def far(program: Program, proxy: Proxy) -> Program:
    """The command line with settings for that host, and none of hours."""
    base_url = f"http://{HOST}"
    tables: dict[str, dict[str, Any]] = {"account": {"insecure_http": True}, "columns": {"zone": "zone"}}
    # What only a rehearsal may have shorter.
    write_settings(program.folder, base_url, **tables, reconcile={"settle_s": 60})
    program.env["http_proxy"] = f"http://127.0.0.1:{proxy.server_port}"
    return program


def zone_at(hour: int) -> str:
    """A zone where it is that hour now."""
    ahead_h = (hour - datetime.now(UTC).hour + 11) % 24 - 11
    return f"Etc/GMT{-ahead_h:+d}" if ahead_h else "Etc/GMT"


def zoned(program: Program, *hours: int) -> list[str]:
    """A file with a contact where it is each of these hours; their numbers."""
    numbers = [phone(100 + n) for n in range(len(hours))]
    lines = [f"{number},N,{zone_at(hour)}\n" for number, hour in zip(numbers, hours, strict=True)]
    (program.folder / "spring.csv").write_text("phone,first_name,zone\n" + "".join(lines), encoding="utf-8")
    return numbers


def test_it_waits_at_night_by_itself(far: Program, proxy: Proxy, sandbox: SandboxProcess) -> None:
    """No setting names hours, and --yes asks nobody: where it is 2 at night nothing leaves, it says so, and exits 7."""
    zoned(far, 2, 2, 2)
    run = far("run", "spring.csv", "--yes", "--json")
    assert (run.code, sandbox.stats()["creates_total_requests"]) == (7, 0), run.err
    # It was there: it has looked at the flow and the list through the proxy, and asked for nothing to be created.
    assert {method for method, _ in proxy.seen} == {"GET"}
    assert all(address.startswith(f"http://{HOST}/v2/") for _, address in proxy.seen), proxy.seen
    (waits,) = run.json["waiting"]
    assert (waits["rows"], waits["zone"], waits["why"]) == (3, zone_at(2), "hours")
    opens = datetime.fromisoformat(run.json["next_at"])
    assert timedelta(hours=4) < opens - datetime.now(UTC) < timedelta(hours=7)
    shown = far("resume", "spring", "--yes")
    assert (shown.code, sandbox.stats()["creates_total_requests"]) == (7, 0)
    assert f"3 rows until {opens.astimezone(UTC) + _offset():%H:%M}" in " ".join(shown.out.split()), shown.out


def _offset() -> timedelta:
    """How far the clocks of that zone are ahead."""
    from zoneinfo import ZoneInfo

    return datetime.now(ZoneInfo(zone_at(2))).utcoffset() or timedelta()


def test_by_day_it_sends(far: Program, proxy: Proxy, sandbox: SandboxProcess) -> None:
    """So it was the night that held them: who has noon is reached meanwhile, on the same host."""
    numbers = zoned(far, 2, 12, 2)
    run = far("run", "spring.csv", "--yes", "--json")
    assert (run.code, run.json["rows"]["created"], run.json["rows"]["planned"]) == (7, 1, 2), run.err
    assert [create["to"] for create in sandbox.creates()] == [numbers[1]]
    posts = [address for method, address in proxy.seen if method == "POST"]
    assert len(posts) == 1
    assert posts[0].startswith(f"http://{HOST}/")
