"""A campaign's whole way, from the spreadsheet to its end: by pointer, by keyboard alone, without scripts."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from playwright.async_api import Page, expect

from tests.acceptance.cli.nursery import Nursery
from tests.acceptance.cli.program import Program, SandboxProcess, write_contacts
from tests.browser.findings import axe, everything
from tests.browser.hands import Keys
from tests.browser.server import Server, numbers
from tests.browser.visitors import Visitor, Visitors
from tests.browser.way import Way

ROWS = 40
#: Two that cannot be sent, and one that is there twice.
WRONG = ("12-34,Too short", "4.41E+11,Mangled by a spreadsheet")


def contacts(folder: Path) -> Path:
    """So many good rows, and three that are left out."""
    path = write_contacts(folder / "spring.csv", ROWS)
    first = path.read_text("utf-8").splitlines()[1]
    path.write_text(path.read_text("utf-8") + "".join(f"{line}\n" for line in (*WRONG, first)), encoding="utf-8")
    return path


async def check_screen(page: Page) -> None:
    """What every screen has to pass."""
    assert await everything(page) == [], page.url


async def test_from_file_to_finished(
    visitor: Visitor, server: Server, sandbox: SandboxProcess, tmp_path: Path, nursery: Nursery
) -> None:
    """Upload, columns, check, texts, a test, the number: each contact once, and each screen fit for everybody.

    At the end the page's numbers are those of `status --json`.
    """
    way = Way(visitor, server, look=check_screen)
    await way.begin(contacts(tmp_path))
    await way.check()
    await expect(way.heading).to_have_text(f"{ROWS} of {ROWS + 3} rows can be sent")
    await way.preview()
    await way.page.get_by_label("Your number").fill("+1 202 555 0999")
    await way.button("Send test to me").click()
    await expect(way.page.get_by_text(re.compile("^Test today .* started, execution"))).to_be_visible()
    await way.to_send()
    await way.send(ROWS)
    await way.state("Finished")
    await way.look(way.page)
    reached = Counter(create["to"] for create in sandbox.creates())
    assert reached.pop("+12025550999") == 1
    assert (len(reached), set(reached.values())) == (ROWS, {1})
    status = Program(tmp_path, nursery)("status", "spring", "--json").found["rows"]
    status["left-out"] = status["invalid"] + status["skipped"]
    for tile in ("created", "rejected", "planned", "left-out"):
        shown = await way.page.locator(f"[data-text=rows-{tile}]").inner_text()
        assert numbers(shown) == [status[tile]], tile


async def test_by_keyboard_alone(visitors: Visitors, server: Server, sandbox: SandboxProcess, tmp_path: Path) -> None:
    """Tab, Enter, Space and letters lead to a finished campaign, and the focus is seen at every stop."""
    anna = await visitors.come(server)
    way = Way(anna, server, hands=Keys(anna.page))
    await way.launch(contacts(tmp_path), ROWS)
    await way.state("Finished")
    assert len(sandbox.creates()) == ROWS


async def test_without_scripts(visitors: Visitors, server: Server, sandbox: SandboxProcess, tmp_path: Path) -> None:
    """Forms and links alone lead to a finished campaign."""
    anna = await visitors.come(server, javascript=False)
    way = Way(anna, server)
    await way.launch(contacts(tmp_path), ROWS)
    await way.state("Finished")
    assert len(sandbox.creates()) == ROWS


async def test_in_forced_colours(visitor: Visitor, server: Server, tmp_path: Path) -> None:
    """With colours of the reader's own (Windows' high contrast) axe finds nothing on the way."""

    async def look(page: Page) -> None:
        assert await axe(page, forced_colors=True) == [], page.url

    await Way(visitor, server, look=look).prepare(contacts(tmp_path))


async def test_a_wrong_number_sends_nothing(
    visitor: Visitor, server: Server, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    """Another number than that of the contacts: what is wrong has the focus, and what was typed stays."""
    way = Way(visitor, server)
    await way.prepare(contacts(tmp_path))
    field = way.page.get_by_label(re.compile("^Type"))
    await field.fill("400")
    await way.button(re.compile("^Send to")).click()
    summary = way.page.get_by_role("alert")
    await expect(summary).to_be_focused()
    await expect(summary).to_contain_text(f"Type {ROWS} to confirm")
    await expect(field).to_have_value("400")
    await expect(field).to_have_attribute("aria-invalid", "true")
    assert (await way.page.title()).startswith("Error: ")
    await check_screen(way.page)
    await summary.get_by_role("link").click()
    await expect(field).to_be_focused()
    assert sandbox.creates() == []


async def test_a_double_click_is_one_request(
    visitor: Visitor, server: Server, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    """Whoever clicks twice sends one form, and one campaign."""
    way = Way(visitor, server)
    await way.prepare(contacts(tmp_path))
    await way.page.get_by_label(re.compile("^Type")).fill(str(ROWS))
    await way.button(re.compile("^Send to")).dblclick()
    await way.state("Finished")
    assert visitor.watch.posts("/send$") == 1
    assert len(sandbox.creates()) == ROWS


async def test_back_and_send_again(visitor: Visitor, server: Server, sandbox: SandboxProcess, tmp_path: Path) -> None:
    """A stale tab, and the way back in the browser: the form that is sent once more starts nothing."""
    way = Way(visitor, server)
    await way.prepare(contacts(tmp_path))
    stale = await visitor.context.new_page()
    await stale.goto(way.page.url)
    await way.send(ROWS)
    await way.state("Finished")
    await stale.get_by_label(re.compile("^Type")).fill(str(ROWS))
    await stale.get_by_role("button", name=re.compile("^Send to")).click()
    await expect(stale.get_by_role("heading", level=1)).to_contain_text("spring")
    await way.page.go_back()
    await expect(way.heading).to_contain_text("spring")
    assert len(sandbox.creates()) == ROWS
