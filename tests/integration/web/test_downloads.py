"""Files made for one download: whole or not at all, kept by browsers under their name, and gone afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from dispatcher.web.downloads import Downloads, attachment


class Server:
    """A server with one download."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.downloads = Downloads(folder)
        self.name = "left out.xlsx"
        self.content = b"x" * 5_000_000
        self.error: Exception | None = None
        self.at_once = self.writing = 0
        self.port = 0

    async def page(self, request: web.Request) -> web.StreamResponse:
        return await self.downloads.send(request, self.name, self.write)

    async def write(self, path: Path) -> None:
        self.writing += 1
        self.at_once = max(self.at_once, self.writing)
        await asyncio.sleep(0.05)
        self.writing -= 1
        _write(path, self.content)
        if self.error is not None:
            raise self.error

    @property
    def left(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()] if self.folder.exists() else []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(tmp_path / "downloads")
    app = web.Application()
    app.router.add_get("/", server.page)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.port = runner.addresses[0][1]
    yield server
    await runner.cleanup()


async def test_a_file_comes_whole_and_is_gone_afterwards(server: Server) -> None:
    """As a file to keep, with every answer's headers; nothing of it stays on the server's disk."""
    async with ClientSession() as session, session.get(server.url) as response:
        assert await response.read() == server.content
        headers = response.headers
    assert headers["Content-Disposition"] == "attachment; filename=\"left out.xlsx\"; filename*=UTF-8''left%20out.xlsx"
    assert headers["Content-Type"] == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")
    await emptied(server)


async def emptied(server: Server) -> None:
    for _ in range(500):
        if not server.left and not [*server.folder.iterdir()]:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"left: {server.left}")


async def test_what_fails_leaves_nothing(server: Server) -> None:
    """Half a file is never sent: the answer is an error."""
    server.error = RuntimeError("no more rows")
    async with ClientSession() as session, session.get(server.url) as response:
        assert response.status == 500
    await emptied(server)


async def test_a_browser_that_leaves_leaves_nothing(server: Server) -> None:
    """In the middle of a file that is larger than what waits on its way."""
    server.content = b"x" * 50_000_000
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 16)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.transport.abort()
    await emptied(server)


async def test_few_are_written_at_once(server: Server) -> None:
    """Ten people who download do not take the threads that sending needs."""
    async with ClientSession() as session:

        async def get() -> int:
            async with session.get(server.url) as response:
                return len(await response.read())

        assert set(await asyncio.gather(*(get() for _ in range(6)))) == {len(server.content)}
    assert server.at_once == 2
    await emptied(server)


async def test_a_killed_servers_files_are_swept(server: Server) -> None:
    """At the next start."""
    (server.folder / "old").mkdir(parents=True)
    server.downloads.sweep()
    assert not server.folder.exists()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ('a"b\r\nX: y.csv', "attachment; filename=\"a_b_X_ y.csv\"; filename*=UTF-8''a%22b%0D%0AX%3A%20y.csv"),
        ("Zoë.csv", "attachment; filename=\"Zoe.csv\"; filename*=UTF-8''Zo%C3%AB.csv"),
        ("../x.csv", "attachment; filename=\"_x.csv\"; filename*=UTF-8''..%2Fx.csv"),
    ],
)
def test_a_name_cannot_leave_its_header(name: str, told: str) -> None:
    """Whatever a campaign is called."""
    assert attachment(name)["Content-Disposition"] == told
