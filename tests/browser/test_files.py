"""Files that are not as they should be, times that are not, and folders that were copied."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import shutil
from pathlib import Path

from playwright.async_api import expect

from tests.acceptance.cli.program import SandboxProcess, write_contacts, write_settings
from tests.browser.findings import everything
from tests.browser.server import Server, until
from tests.browser.visitors import Visitor, Visitors
from tests.browser.way import Way

#: A page of rows that are left out, and some more.
WRONG = 60
#: Bidirectional marks, markup, a formula, and what a terminal would obey.
HOSTILE = (
    "\"=cmd|'/c calc'!A1\",Ann",
    "12-\u202e34,Bob",
    '"<script>document.title=""stolen""</script>",Cid',
    '"<img src=x onerror=alert(1)>",Dan',
    '"\x1b[2J+1 202 555 010","{{ 7 * 7 }}"',
)


async def test_every_row_left_out_is_shown_and_downloaded(visitor: Visitor, server: Server, tmp_path: Path) -> None:
    """Page by page all of them are to be seen, and the file to correct has the same rows."""
    rows = [f"12-{n:02d},Wrong {n}" for n in range(WRONG)]
    way = Way(visitor, server)
    await way.begin(write_contacts(tmp_path / "spring.csv", ["+12025550100,Right", *rows]))
    await way.check()
    await expect(way.heading).to_have_text(f"1 of {WRONG + 1} rows can be sent")
    seen = await way.page.locator("#rows tbody th").all_inner_texts()
    await way.button("Next rows").click()
    await expect(way.page.locator("#rows tbody th").first).to_have_text(str(len(seen) + 3))
    assert await everything(way.page) == []
    seen += await way.page.locator("#rows tbody th").all_inner_texts()
    assert seen == [str(number) for number in range(3, WRONG + 3)]
    async with way.page.expect_download() as started:
        await way.button("as CSV").click()
    path = await (await started.value).path()
    found = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))
    assert [f"{row['phone']},{row['first_name']}" for row in found] == rows


async def test_what_is_hostile_in_a_file_stays_text(visitor: Visitor, server: Server, tmp_path: Path) -> None:
    """Markup, formulas, direction marks and control characters, also of the file's name, are shown and do nothing."""
    name = "<b>spring<b> \u202egnp.csv"
    way = Way(visitor, server)
    await way.begin(write_contacts(tmp_path / name, ["+12025550100,<i>Eve</i>", *HOSTILE]))
    await expect(way.page.get_by_text("<b>spring<b>").first).to_be_visible()
    await way.check()
    await expect(way.page.get_by_text("<script>").first).to_be_visible()
    await expect(way.page.get_by_text("<img src=x").first).to_be_visible()
    assert "\u202e" not in await way.page.locator("main").inner_text()
    assert "stolen" not in await way.page.title()
    assert await everything(way.page) == []
    await way.preview()
    await expect(way.page.get_by_text("<i>Eve</i>").first).to_be_visible()
    assert await way.page.locator("main i, main b, main script, main img").count() == 0


async def test_a_file_that_is_too_large_is_told(idle: Server, sandbox: SandboxProcess, visitors: Visitors) -> None:
    """Before it is sent, and by the server where no script says so; and nothing of it is kept."""
    write_settings(idle.folder, sandbox.base_url, web={"upload_max_mb": 1})
    await idle.start()
    large = idle.folder / "large.csv"
    large.write_text("phone,first_name\n" + "+12025550100,Ann\n" * 100_000, encoding="utf-8")
    for javascript in (True, False):
        anna = await visitors.come(idle, javascript=javascript)
        await anna.page.goto(f"{idle.url}/new")
        await anna.page.get_by_label("The spreadsheet with your contacts").set_input_files(large)
        button = anna.page.get_by_role("button", name="Upload and look at it")
        if javascript:
            await expect(button).to_be_disabled()
        else:
            await button.click()
        await expect(anna.page.get_by_text("up to 1 MB can be uploaded").first).to_be_visible()
    assert not [path for path in (idle.state / "web").rglob("*") if path.is_file()]


async def test_an_upload_that_is_cut_leaves_nothing(server: Server) -> None:
    """The connection goes in the middle of a file: no byte of it stays, and no campaign."""
    cookie, value = await server.cookie()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = f"Host: {server.host}\r\nCookie: {cookie}={value}\r\n"
    writer.write(f"GET /new HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
    page = (await reader.read()).decode()
    token = re.findall(r'name="_token" value="([^"]+)"', page)[0]
    writer.close()
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(
        f"POST /uploads HTTP/1.1\r\n{head}Content-Type: multipart/form-data; boundary=x\r\n"
        "Content-Length: 900000\r\n\r\n"
        f'--x\r\nContent-Disposition: form-data; name="_token"\r\n\r\n{token}\r\n'
        '--x\r\nContent-Disposition: form-data; name="file"; filename="spring.csv"\r\n\r\nphone\r\n'.encode()
        + b"+12025550100\r\n" * 20_000
    )
    await writer.drain()
    files = server.state / "web"
    await until(lambda: any(path.is_file() for path in files.rglob("*")), "the first bytes on disk")
    writer.close()
    await until(lambda: not any(path.is_file() for path in files.rglob("*")), "their removal")


async def test_a_time_that_there_is_twice_is_asked(
    visitor: Visitor, server: Server, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    """A time that clocks skip is refused, of one that comes twice it is asked which; then it waits, in that zone."""
    way = Way(visitor, server)
    await way.prepare(write_contacts(tmp_path / "spring.csv", 20))

    async def ask(date: str, time: str) -> None:
        await way.page.get_by_label("Later").check()
        await way.page.get_by_label("Date").fill(date)
        await way.page.get_by_label("Time", exact=True).fill(time)
        await way.page.get_by_label("Time zone").select_option("Europe/Berlin")
        await way.page.get_by_label(re.compile("^Type")).fill("20")
        await way.button(re.compile("^Send to|^Schedule")).click()

    await ask("2027-03-28", "02:30")
    await expect(way.page.get_by_role("alert")).to_contain_text("clock")
    assert await everything(way.page) == []
    await ask("2027-10-31", "02:30")
    which = way.page.get_by_label("Which of the two")
    await expect(which).to_be_visible()
    assert await everything(way.page) == []
    await which.select_option(index=1)
    await way.page.get_by_label(re.compile("^Type")).fill("20")
    await way.button(re.compile("^Send to|^Schedule")).click()
    await way.state("Scheduled")
    await expect(way.page.locator("[data-text=reason]")).to_contain_text("31 Oct 2027 02:30 (Berlin)")
    assert await everything(way.page) == []
    await way.button("Take the time back").click()
    await way.reach(re.compile("20 of 20 rows can be sent"))
    assert sandbox.creates() == []


async def test_a_copied_folder_sends_nothing(
    idle: Server, sandbox: SandboxProcess, visitors: Visitors, tmp_path: Path
) -> None:
    """A copy of the state folder that wakes up elsewhere is held with the reason; the original goes on."""
    write_settings(tmp_path, sandbox.base_url, rate={"per_second": 20})
    await idle.start()
    way = Way(await visitors.come(idle), idle)
    await way.launch(write_contacts(tmp_path / "spring.csv", 100), 100)
    await until(lambda: len(sandbox.creates()) >= 20, "the first contacts")
    idle.kill()
    kept = idle.state.with_name("original")
    idle.state.rename(kept)
    shutil.copytree(kept, idle.state)
    before = len(sandbox.creates())
    way.visitor.watch.allowed.append("ERR_")
    await idle.start()
    await way.page.goto(way.url)
    await way.state("Held")
    await expect(way.page.locator("[data-text=reason]")).to_contain_text(re.compile("cop|machine"))
    assert await everything(way.page) == []
    assert len(sandbox.creates()) == before


async def test_studio_away_stops_sending_alone(
    visitor: Visitor, server: Server, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    """While Studio cannot be reached files are uploaded and checked; what cannot be done says why, and how to go on."""
    sandbox.faults(read_503=1)
    way = Way(visitor, server)
    await way.begin(write_contacts(tmp_path / "spring.csv", 20))
    await way.check()
    assert await everything(way.page) == []
    await way.preview()
    assert await everything(way.page) == []
    await way.to_send()
    await expect(way.button(re.compile("^Send to"))).to_be_disabled()
    assert await everything(way.page) == []
