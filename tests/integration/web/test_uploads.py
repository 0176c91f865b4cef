"""Files on their way to the disk: a real server, and browsers that send too much, too little, or nothing."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from dispatcher.web import uploads as receiving
from dispatcher.web.forms import Form
from dispatcher.web.store import AuditLine, Store, Upload, open_store
from dispatcher.web.uploads import Limits, Received, UploadRefused, receive

FILE_MAX = 3_000_000
BOUNDARY = "----one"
HEAD = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="_token"\r\n\r\nright\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="spring.csv"\r\n'
    "Content-Type: text/csv\r\n\r\n"
).encode()
TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()


@dataclass
class Server:
    """A server whose only page receives a file."""

    store: Store
    port: int = 0
    limits: Limits = field(default_factory=lambda: Limits(file_bytes=FILE_MAX, all_bytes=4 * FILE_MAX))
    received: Received = field(default_factory=Received)
    taken: list[Upload] = field(default_factory=list)
    #: What was told of each request that was refused.
    told: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def page(self, request: web.Request) -> web.Response:
        audit = AuditLine(at_ms=1, who="Anna", source="127.0.0.1", what="uploaded")
        try:
            upload, form = await receive(
                request, self.store.uploads, self.received, "Anna", self.limits, check=self.check, audit=audit
            )
        except UploadRefused as error:
            await self.told.put(str(error))
            return web.Response(status=error.status, text=str(error))
        self.taken.append(upload)
        return web.Response(text=f"{upload.name}|{upload.sha256}|{form.text('_token')}")

    def check(self, form: Form) -> None:
        if form.text("_token") != "right":
            raise web.HTTPForbidden

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/uploads"

    @property
    def left(self) -> list[Path]:
        """Everything that lies where uploads are kept."""
        folder = self.store.uploads.folder
        return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []

    async def raw(self, body: bytes, *, length: int | None = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection that has sent this much of a body; `length`: what it says that the whole has."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        how = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        head = (
            f"POST /uploads HTTP/1.1\r\nHost: x\r\n{how}\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        )
        writer.write(head.encode() + b"\r\n" + body)
        await writer.drain()
        return reader, writer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    store = await open_store(tmp_path / "state")
    server = Server(store)
    app = web.Application(client_max_size=1024)
    app.router.add_post("/uploads", server.page)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.port = runner.addresses[0][1]
    yield server
    await runner.cleanup()
    server.received.close()
    await store.close()


async def sent(
    server: Server, content: bytes | None, name: str = "spring.csv", token: str = "right"
) -> tuple[int, str]:
    """The answer to a form, as browsers send it."""
    head = HEAD.replace(b"spring.csv", name.encode()).replace(b"right", token.encode())
    if content is None:
        head, content = head[: head.index(b"--" + BOUNDARY.encode(), 10) - 2], b""
    async with ClientSession() as session:
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        body = io.BytesIO(head + content + TAIL)
        async with session.post(server.url, data=body, headers=headers) as response:
            return response.status, await response.text()


async def test_a_file_is_kept_as_it_was_sent(server: Server) -> None:
    """Byte for byte, with its hash, for this user alone; and the history has its line."""
    content = os.urandom(FILE_MAX - 1) + b"\n"
    status, text = await sent(server, content)
    assert (status, text) == (200, f"spring.csv|{hashlib.sha256(content).hexdigest()}|right")
    (path,) = server.left
    assert path.read_bytes() == content
    assert path.name == "file.csv"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [line.what for line in await server.store.audit.page(limit=10)] == ["uploaded"]
    assert server.received.reserved_bytes == 0


@pytest.mark.parametrize(
    ("name", "shown", "suffix"),
    [
        ("../../../etc/passwd", "passwd", ""),
        ("C:\\\\Users\\\\anna\\\\spring.XLSX", "spring.XLSX", ".xlsx"),
        ("list\u202excod.csv", "listxcod.csv", ".csv"),
        ("a\u200fb.csv.gz", "ab.csv.gz", ".csv.gz"),
        ("name.c/../sv", "sv", ""),
        ("x" * 5_000, "x" * 200, ""),
    ],
)
async def test_a_name_is_text_and_never_a_path(server: Server, name: str, shown: str, suffix: str) -> None:
    """Folders, control and bidi characters are not in it; the file lies where the server says."""
    status, text = await sent(server, b"a,b\n1,2\n", name)
    assert (status, text.split("|")[0]) == (200, shown)
    (path,) = server.left
    assert path.name == f"file{suffix}"
    assert path.parent.parent == server.store.uploads.folder


async def test_without_a_file_the_page_says_so(server: Server) -> None:
    """None chosen, as a browser sends it and as a program does; and one without a byte."""
    assert await sent(server, None) == (400, "Choose a file first.")
    await server.told.get()
    body = HEAD.replace(b"spring.csv", b"") + TAIL
    _, writer = await server.raw(body, length=len(body))
    assert await asyncio.wait_for(server.told.get(), 5) == "Choose a file first."
    writer.close()
    status, text = await sent(server, b"")
    assert (status, text) == (400, "The file spring.csv is empty. Choose another one.")
    assert server.left == []


async def test_another_servers_form_keeps_nothing(server: Server) -> None:
    """Its token is looked at before a byte of the file is kept."""
    assert (await sent(server, b"x" * 100_000, token="wrong"))[0] == 403
    assert server.left == []


async def test_too_large_is_told_before_it_is_sent(server: Server) -> None:
    """By what the browser says: the answer comes while nothing of the body has."""
    reader, writer = await server.raw(b"", length=312_000_000)
    answer = await asyncio.wait_for(reader.read(4096), 5)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"The file has 312 MB; up to 3 MB can be uploaded." in answer
    writer.close()
    assert server.left == []


async def test_too_large_is_counted_where_nobody_says(server: Server) -> None:
    """A body without a length, and one whose file is larger than it may be though the body says otherwise."""
    reader, writer = await server.raw(b"")
    piece = HEAD + b"x" * (FILE_MAX + 500_000)
    writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    answer = await asyncio.wait_for(reader.read(4096), 10)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"The file is too large; up to 3 MB can be uploaded." in answer
    writer.close()
    status, _ = await sent(server, b"x" * (FILE_MAX + 1))
    assert status == 413
    assert server.left == []


async def test_a_cut_upload_leaves_nothing(server: Server) -> None:
    """Whether the browser says how long it is or not: no file, no room taken, and what is told says how much came."""
    half = HEAD + b"x" * 1_400_000
    _, writer = await server.raw(half, length=2 * len(half))
    await kept_some(server)
    writer.close()
    told = await asyncio.wait_for(server.told.get(), 5)
    assert told in ("The upload stopped at 50 %. Nothing was kept; upload it again.",)
    _, writer = await server.raw(f"{2 * len(half):x}\r\n".encode() + half)
    await kept_some(server)
    writer.transport.abort()
    assert await asyncio.wait_for(server.told.get(), 5) == "The upload stopped. Nothing was kept; upload it again."
    assert server.left == []
    assert server.received.reserved_bytes == 0
    assert [*server.store.uploads.folder.iterdir()] == []


async def kept_some(server: Server) -> None:
    """Wait until something is on disk."""
    for _ in range(500):
        if any(path.stat().st_size for path in server.left):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nothing was written")


@pytest.mark.parametrize("body", [HEAD + b"a,b\r\n1,2", HEAD + b"a,b\r\n1,2\r\n--" + BOUNDARY.encode()])
async def test_without_its_end_a_body_is_not_whole(server: Server, body: bytes) -> None:
    """As many bytes as were said, and no last boundary: nobody knows whether that was all of the file."""
    _, writer = await server.raw(body, length=len(body))
    assert "upload it again" in await asyncio.wait_for(server.told.get(), 5)
    writer.close()
    assert server.left == []


async def test_who_sends_nothing_more_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser that keeps the connection and sends nothing does not keep the room for ever."""
    monkeypatch.setattr(receiving, "SILENT_MAX_S", 0.2)
    _, writer = await server.raw(HEAD + b"x" * 1000, length=5000)
    assert (await asyncio.wait_for(server.told.get(), 5)).startswith("The upload stopped at ")
    writer.close()
    assert server.left == []


async def test_all_files_together_are_bounded(server: Server) -> None:
    """Those that are kept and those that are on their way; room comes back when a file is deleted."""
    server.limits = Limits(file_bytes=FILE_MAX, all_bytes=2_500_000)
    assert (await sent(server, b"x" * 1_000_000))[0] == 200
    _, writer = await server.raw(HEAD + b"x" * 300_000, length=1_000_000)
    for _ in range(500):
        if server.received.reserved_bytes:
            break
        await asyncio.sleep(0.01)
    status, text = await sent(server, b"x" * 1_000_000)
    assert (status, text.startswith("There is no room for this file")) == (413, True)
    writer.close()
    await asyncio.wait_for(server.told.get(), 5)
    await asyncio.wait_for(server.told.get(), 5)
    assert (await sent(server, b"x" * 1_000_000))[0] == 200
    assert (await sent(server, b"x" * 1_000_000))[0] == 413
    await server.store.uploads.delete_file(server.taken[0].upload_id, 5)
    assert (await sent(server, b"x" * 1_000_000))[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        b"no boundary at all\r\n" * 10,
        b"--" + BOUNDARY.encode() + b"\r\nX\r\n\r\n",
        b"--" + BOUNDARY.encode() + b"\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b--\r\n" + TAIL,
        (b"--" + BOUNDARY.encode() + b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n') * 40 + TAIL[2:],
        b"--" + BOUNDARY.encode() + b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"1" * 70_000 + TAIL,
        HEAD + b"x" + TAIL[:-4] + b"\r\nContent-Disposition: form-data\r\n\r\n" + b"1" * 70_000 + TAIL,
    ],
)
async def test_what_is_no_form_is_refused(server: Server, body: bytes) -> None:
    """Without an error page of the server's own, and without a file."""
    reader, writer = await server.raw(body, length=len(body))
    answer = await asyncio.wait_for(reader.read(4096), 5)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 403 ")), answer
    writer.close()
    assert server.left == []


async def test_a_full_disk_is_told(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the file is left."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(receiving, "_write", full)
    status, text = await sent(server, b"x" * 10)
    assert (status, text.endswith("the server's disk is full. Nothing was kept.")) == (507, True)
    assert server.left == []


MEMORY = """
import asyncio, resource, sys
from pathlib import Path
from aiohttp import web
from dispatcher.web.store import open_store
from dispatcher.web.uploads import Limits, Received, receive

async def main():
    store = await open_store(Path(sys.argv[1]))
    received = Received()
    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async def page(request):
        before = peak()
        limits = Limits(file_bytes=2 * 10**8, all_bytes=10**9)
        upload, _ = await receive(request, store.uploads, received, "Anna", limits)
        return web.Response(text=f"{upload.size_bytes} {before} {peak()}")
    app = web.Application()
    app.router.add_post("/", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()
    received.close()
    await store.close()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory as Linux tells it")
async def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """152 MiB come in, and the server's peak grows by 16 MiB at most."""
    size = 152 << 20
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", MEMORY, str(tmp_path), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert program.stdout is not None
        port = int(await program.stdout.readline())

        async def body(size: int) -> AsyncIterator[bytes]:
            yield HEAD
            for _ in range(size >> 16):
                yield b"x" * (1 << 16)
            yield TAIL

        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        async with ClientSession() as session:
            for sent in (1 << 20, size):  # the first one loads what is needed for it
                async with session.post(f"http://127.0.0.1:{port}/", data=body(sent), headers=headers) as response:
                    got, before, after = map(int, (await response.text()).split())
                assert got == sent
        assert (after - before) / 1024 <= 16
    finally:
        with contextlib.suppress(ProcessLookupError):
            program.kill()
        await program.communicate()
