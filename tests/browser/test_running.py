"""A campaign while it is sent: the server owns it, whatever becomes of browsers, people and of the server itself."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path

from playwright.async_api import Error, Page, Route, expect

from tests.acceptance.cli.program import Program, SandboxProcess, finish, write_contacts
from tests.acceptance.cli.program import write_settings as write
from tests.browser.findings import everything
from tests.browser.server import Server, numbers, until
from tests.browser.visitors import Visitor, Visitors
from tests.browser.way import Way

ROWS = 100
#: Slow enough that something can happen meanwhile.
PER_SECOND = 20


async def begun(server: Server, sandbox: SandboxProcess, visitors: Visitors, rows: int = ROWS) -> Way:
    """A campaign that is being sent, slowly; and who looks at it."""
    write(server.folder, sandbox.base_url, rate={"per_second": PER_SECOND})
    await server.start()
    way = Way(await visitors.come(server), server)
    await way.launch(write_contacts(server.folder / "spring.csv", rows), rows)
    await until(lambda: len(sandbox.creates()) >= PER_SECOND, "the first contacts")
    # The page has the buttons that it keeps until the end.
    await expect(way.button("Recall…")).to_be_visible()
    return way


def reached_once(sandbox: SandboxProcess, rows: int = ROWS) -> bool:
    """Whether so many contacts were reached, each once. Raises: AssertionError: somebody was twice."""
    found = Counter(create["to"] for create in sandbox.creates())
    assert set(found.values()) <= {1}, found.most_common(3)
    return len(found) == rows


async def test_closing_the_browser_stops_nothing(idle: Server, sandbox: SandboxProcess, visitors: Visitors) -> None:
    """The server sends, not the browser; whoever comes back finds how it went."""
    way = await begun(idle, sandbox, visitors)
    await way.visitor.context.close()
    visitors.all.clear()
    await until(lambda: reached_once(sandbox), "the last contact")
    anna = await visitors.come(idle)
    await anna.page.goto(way.url)
    await Way(anna, idle).state("Finished")


async def test_a_killed_server_goes_on_and_nobody_is_reached_twice(
    idle: Server, sandbox: SandboxProcess, visitors: Visitors
) -> None:
    """kill -9 in the middle: started again it goes on by itself, and the open page shows it without being touched."""
    way = await begun(idle, sandbox, visitors)
    idle.kill()
    await expect(way.page.locator("[data-live-lost]")).to_contain_text("Connection lost")
    assert len(sandbox.creates()) < ROWS
    way.visitor.watch.allowed.append("ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE")
    await idle.start()
    await way.state("Finished")
    assert reached_once(sandbox)
    assert numbers(await way.page.locator("[data-text=rows-created]").inner_text()) == [ROWS]


async def test_a_server_that_stops_says_so(idle: Server, sandbox: SandboxProcess, visitors: Visitors) -> None:
    """SIGTERM with a page open: it ends well and soon, the page says why, and goes on with the next server."""
    way = await begun(idle, sandbox, visitors)
    way.visitor.watch.allowed.append("ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED")
    assert await idle.stop() == 0
    await expect(way.page.locator("[data-live-lost]")).to_contain_text("The server is being restarted")
    assert len(sandbox.creates()) < ROWS
    await idle.start()
    await way.state("Finished")
    assert reached_once(sandbox)


async def test_a_server_that_ends_is_not_asked_for_the_page(
    idle: Server, sandbox: SandboxProcess, visitors: Visitors
) -> None:
    """Other buttons come with the page, which would be the browser's own error page: what is shown stays until then."""
    way = await begun(idle, sandbox, visitors)
    way.visitor.watch.allowed.append("503")
    asked: list[str] = []

    async def ends(route: Route) -> None:
        asked.append(route.request.url)
        await route.fulfill(status=503)

    await way.page.route("**/state.json", ends)
    other = await visitors.come(idle)
    await other.page.goto(way.url)
    await Way(other, idle).button("Pause").click()
    await until(lambda: asked, "the other buttons are asked for")
    await asyncio.sleep(0.5)
    await expect(way.button("Pause")).to_be_visible()
    await way.page.unroute("**/state.json")
    await Way(other, idle).button("Go on").click()
    await way.state("Finished")
    assert reached_once(sandbox)


async def test_pause_and_go_on(idle: Server, sandbox: SandboxProcess, visitors: Visitors) -> None:
    """Paused, nothing more leaves, and the page says by whom; gone on with, the others follow."""
    way = await begun(idle, sandbox, visitors)
    await way.button("Pause").click()
    await way.state("Paused")
    await expect(way.page.locator("[data-text=reason]")).to_contain_text(re.compile("Paused since .*by "))
    assert await everything(way.page) == []
    seen = len(sandbox.creates())
    # Longer than what was granted before the pause could still take.
    await asyncio.sleep(1.5)
    assert len(sandbox.creates()) == seen < ROWS
    await way.button("Go on").click()
    await way.state("Finished")
    assert reached_once(sandbox)


async def test_a_storm_of_429s_is_told(idle: Server, sandbox: SandboxProcess, visitors: Visitors) -> None:
    """While Studio refuses for now, the page says why nothing leaves; then it goes on by itself."""
    way = await begun(idle, sandbox, visitors)
    sandbox.faults(_429=1.0)
    reason = way.page.locator("[data-text=reason]")
    await expect(reason).to_contain_text("too many requests")
    await expect(reason).to_contain_text("Goes on in")
    sandbox.faults()
    await way.state("Finished")
    assert reached_once(sandbox)


async def test_stopped_for_good_and_taken_back(idle: Server, sandbox: SandboxProcess, visitors: Visitors) -> None:
    """It needs a reason, which is shown afterwards; taken back, the others are reached after all."""
    way = await begun(idle, sandbox, visitors)
    await way.button("Stop for good…").click()
    await way.reach("Stop spring for good?")
    assert await everything(way.page) == []
    confirm = way.button("Stop for good")
    await confirm.click()
    await expect(way.page.get_by_role("alert")).to_be_focused()
    await way.page.get_by_label("Type STOP to confirm").fill("stop")
    await way.page.get_by_label("Why?").fill("The wrong discount")
    await confirm.click()
    await way.state("Stopped")
    await expect(way.page.get_by_text("The wrong discount").first).to_be_visible()
    left = ROWS - len(sandbox.creates())
    assert left > 0
    await way.button("Take the stop back…").click()
    await way.page.get_by_label(f"Type {left} to confirm").fill(str(left))
    await way.button("Go on").click()
    await way.state("Finished")
    assert reached_once(sandbox)


async def test_recall_ends_this_campaign_s_alone(
    server: Server, sandbox: SandboxProcess, visitor: Visitor, tmp_path: Path
) -> None:
    """Recalled, its own open conversations end; those of another program go on."""
    sandbox.settings(ends_after_s=None)
    sandbox.plant({"to": "+12025550999", "from": "+15550001111"})
    way = Way(visitor, server)
    await way.launch(write_contacts(tmp_path / "spring.csv", 20), 20)
    await way.state("Finished")
    assert sandbox.stats()["active"] == 21
    await way.button("Recall…").click()
    assert await everything(way.page) == []
    await way.page.get_by_label("Type RECALL to confirm").fill("RECALL")
    await way.button("End open conversations").click()
    await until(lambda: sandbox.stats()["active"] == 1, "the end of its conversations")


async def test_one_code_is_retried_alone(
    server: Server, sandbox: SandboxProcess, visitor: Visitor, tmp_path: Path
) -> None:
    """Of those that were refused, the ones with that code are sent again, once; nobody else is."""
    sandbox.faults(reject=1, for_requests=6)
    way = Way(visitor, server)
    await way.launch(write_contacts(tmp_path / "spring.csv", 20), 20)
    await way.state("Finished")
    await expect(way.page.get_by_role("row", name=re.compile("21211"))).to_contain_text("6")
    assert await everything(way.page) == []
    await way.page.get_by_role("row", name=re.compile("21211")).get_by_role("link").click()
    await way.page.get_by_label("Type 6 to confirm").fill("6")
    await way.button("Send to 6 contacts again").click()
    await until(lambda: reached_once(sandbox, 20), "the contacts that were refused")
    await way.state("Finished")
    assert sandbox.stats()["creates_total_requests"] == 26


async def test_a_terminal_s_run_is_seen(idle: Server, sandbox: SandboxProcess, visitors: Visitors) -> None:
    """A run that a terminal has begun stands among the campaigns, and goes on untouched by the page."""
    write(idle.folder, sandbox.base_url, rate={"per_second": PER_SECOND})
    await idle.start()
    write_contacts(idle.folder / "evening.csv", ROWS)
    process = Program(idle.folder).start("run", "evening.csv", "--yes", "--report", "evening-report.csv")
    await until(lambda: len(sandbox.creates()) >= PER_SECOND, "the first contacts")
    anna = await visitors.come(idle)
    await anna.page.goto(idle.url)
    row = anna.page.get_by_role("row", name=re.compile("evening"))
    await expect(row).to_contain_text("Sending")
    await row.get_by_role("link").first.click()
    await expect(anna.page.get_by_role("heading", level=1)).to_contain_text("evening")
    assert await everything(anna.page) == []
    result = await asyncio.to_thread(finish, process)
    assert result.code == 0, result.err
    assert reached_once(sandbox)


#: Headless, every tab counts as seen; so a test says which one is, as a browser does.
SHOWN = """hidden => {
  Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
  document.dispatchEvent(new Event('visibilitychange'));
}"""


async def seen(page: Page, *, hidden: bool) -> None:
    """The tab is before somebody, or is not; a page that loads itself anew at this moment is told again."""
    while True:
        try:
            await page.evaluate(SHOWN, hidden)
        except Error as error:
            if "context was destroyed" not in error.message:
                raise
            await page.wait_for_load_state()
        else:
            return


async def test_eight_tabs_stay_alive(idle: Server, sandbox: SandboxProcess, visitors: Visitors) -> None:
    """Browsers allow six connections to a host: hidden tabs hold none, so the eighth is served; each follows anew."""
    way = await begun(idle, sandbox, visitors)
    pages = [way.page]
    while len(pages) < 8:
        await seen(pages[-1], hidden=True)
        pages.append(await way.visitor.context.new_page())
        await pages[-1].goto(way.url)
        await expect(pages[-1].locator("[data-text=progress]")).to_contain_text("contacts")
    await until(lambda: reached_once(sandbox), "the last contact")
    await expect(pages[-1].locator("main .state").first).to_have_text("Finished")
    await seen(pages[0], hidden=False)
    await expect(pages[0].locator("main .state").first).to_have_text("Finished")


async def test_no_number_leaves_the_server(
    server: Server, sandbox: SandboxProcess, visitor: Visitor, tmp_path: Path
) -> None:
    """Neither a campaign's page, nor its live numbers, nor the server's log holds a contact's number."""
    way = Way(visitor, server)
    await way.launch(write_contacts(tmp_path / "spring.csv", 20), 20)
    await way.state("Finished")
    answer = await visitor.context.request.get(f"{way.url}/state.json")
    for text in (await way.page.content(), await answer.text(), server.said()):
        assert not re.search(r"202[^\w]{0,3}555", text)
