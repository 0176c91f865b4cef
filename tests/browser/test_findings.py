"""The searches of this folder find what is there: a screen on which they find nothing has been searched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from tests.browser.findings import axe, everything, narrow, targets
from tests.browser.visitors import Visitor, Visitors

GOOD = """<!doctype html><html lang="en"><head><title>Spring</title>
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><link rel="stylesheet" href="style.css"></head>
<body><main><h1>Spring</h1>
<p>In this sentence <a href="/x">a link</a> may be small.</p>
<form><label for="n">Rows</label> <input id="n"> <label><input type="checkbox"> Again, too</label>
<button>Send</button></form><div class="box"><table class="wide"><tr><th scope="col">A</th></tr></table></div>
%s</main></body></html>"""
STYLE = """body { color: #111; background: #fff; font: 16px/1.5 sans-serif; margin: 8px }
@media (prefers-color-scheme: dark) { body { color: #eee; background: #111 } .dim { color: #333 } a { color: #9cf } }
:focus-visible { outline: 3px solid #05c } label { display: inline-block; padding: 10px 0 }
input { min-height: 24px }
button { min-height: 44px; min-width: 44px }
.small { min-height: 0; height: 20px; min-width: 0 } .low { min-height: 30px }
.box { overflow-x: auto } .wide { width: 900px } .cut { width: 80px; overflow: hidden; white-space: nowrap }
.spaced { width: 225px; height: 24px; overflow: hidden; white-space: nowrap } .faint { outline: none !important }
.lid { position: fixed; left: 0; top: 0; width: 100%; height: 100% }"""


@dataclass
class Trial:
    """A page whose main part ends as a test says."""

    url: str
    extra: str = ""


@pytest_asyncio.fixture(loop_scope="session")
async def trial() -> AsyncIterator[Trial]:
    async def page(request: web.Request) -> web.Response:
        headers = {
            "Content-Security-Policy": "default-src 'none'; style-src 'self'; connect-src 'self' http:; img-src data:"
        }
        return web.Response(text=GOOD % found.extra, content_type="text/html", headers=headers)

    async def style(request: web.Request) -> web.Response:
        return web.Response(text=STYLE, content_type="text/css")

    app = web.Application()
    app.add_routes([web.get("/", page), web.get("/style.css", style)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    found = Trial(f"http://{host}:{port}/")
    yield found
    await runner.cleanup()


async def look_at(trial: Trial, visitors: Visitors, extra: str = "") -> Visitor:
    """Somebody who looks at the page, with this at its end."""
    trial.extra = extra
    visitors.hosts.add(trial.url.split("/")[2])
    visitor = await visitors.come()
    await visitor.page.goto(trial.url)
    return visitor


async def test_a_good_page_has_no_findings(trial: Trial, visitors: Visitors) -> None:
    """Links in sentences, labels that are targets, and wide tables in boxes of their own are no fault."""
    visitor = await look_at(trial, visitors)
    assert await everything(visitor.page) == []


async def test_axe_finds_what_is_planted(trial: Trial, visitors: Visitors) -> None:
    """Levels A and AA, good practice, and what is wrong in the dark only."""
    planted = "<img src='data:,'><input><h4>Too deep</h4><p class='dim'>Dark on dark</p>"
    visitor = await look_at(trial, visitors, planted)
    found = [tuple(line.split(maxsplit=2)[:2]) for line in await axe(visitor.page)]
    everywhere = ["heading-order", "image-alt", "label"]
    assert sorted(found) == [("dark:", "color-contrast")] + [
        (f"{scheme}:", rule) for scheme in ("dark", "light") for rule in everywhere
    ]


async def test_what_does_not_fit_is_found(trial: Trial, visitors: Visitors) -> None:
    """At 320 px: the page scrolls sideways, a text is cut off, or is once its letters stand wider apart."""
    visitor = await look_at(trial, visitors, "<p class='cut'>All of this is to be read</p>")
    assert (await narrow(visitor.page))[0] == "p.cut cuts its text off"
    visitor = await look_at(trial, visitors, "<p class='spaced'>As it is, this line fits in it</p>")
    assert await narrow(visitor.page) == ["with wider text: p.spaced cuts its text off"]
    visitor = await look_at(trial, visitors, "<div class='wide'>x</div>")
    found = await narrow(visitor.page)
    assert found[0].endswith("wider than the 320 px of the screen")
    assert found[1].startswith("div.wide ends at 9")
    assert visitor.page.viewport_size == {"width": 1280, "height": 800}


async def test_small_targets_are_found(trial: Trial, visitors: Visitors) -> None:
    """Below 24 px, and buttons below 44 px."""
    planted = "<button class='small'>i</button><button class='low'>Stop</button><p><a href='/x'>2</a></p>"
    visitor = await look_at(trial, visitors, planted)
    small, low, link = await targets(visitor.page)
    assert small.startswith("'i' is ")
    assert low == "button 'Stop' is 30 px high"
    assert link.startswith("'2' is ")


async def test_the_keyboard_reaches_and_writes(trial: Trial, visitors: Visitors) -> None:
    """Tab leads to a field and to a box; what is typed stands there, instead of what stood there."""
    visitor = await look_at(trial, visitors)
    field, box = visitor.page.get_by_label("Rows"), visitor.page.get_by_role("checkbox")
    await visitor.keyboard.write(field, "12")
    await visitor.keyboard.write(field, "1234")
    await visitor.keyboard.press(box, "Space")
    assert await field.input_value() == "1234"
    assert await box.is_checked()


async def test_a_focus_that_is_not_seen_is_a_fault(trial: Trial, visitors: Visitors) -> None:
    """A stop that does not show, that something lies on, or that Tab does not lead to."""
    for planted, told in (
        ("<a href='/y' class='faint'>Faint</a><a href='/z'>Last</a>", "does not show that it has the focus"),
        ("<a href='/z'>Last</a><div class='lid'></div>", "lies below DIV"),
        ("<a href='/z' tabindex='-1'>Last</a>", "is not reached by Tab"),
    ):
        visitor = await look_at(trial, visitors, planted)
        with pytest.raises(AssertionError, match=told):
            await visitor.keyboard.reach(visitor.page.get_by_role("link", name="Last"))


async def test_what_must_not_happen_is_told(trial: Trial, visitors: Visitors) -> None:
    """Requests elsewhere, numbers in addresses, scripts that fail, and what the console complains of."""
    visitor = await look_at(trial, visitors)
    assert visitor.watch.complaints(visitors.hosts) == []
    await visitor.page.evaluate("""async () => {
        console.error('planted');
        setTimeout(() => { throw new Error('thrown') });
        await fetch('http://elsewhere.invalid/').catch(() => 0);
        await fetch('/?to=%2B1%20(202)%20555-0123');
    }""")
    told = visitor.watch.complaints(visitors.hosts)
    assert told[0] == "asked elsewhere.invalid"
    assert told[1].startswith("a number in http://127.0.0.1:")
    assert "error in the console: planted" in told
    assert "a script failed: thrown" in told
    visitor.watch.requests.clear()
    visitor.watch.wrong.clear()


async def test_a_failure_keeps_what_was_shown(trial: Trial, visitors: Visitors, tmp_path: Path) -> None:
    """Each page of a test that failed: its picture and its HTML, and where they lie."""
    visitor = await look_at(trial, visitors)
    (told,) = await visitors.complaints(failed=True, folder=tmp_path)
    picture = tmp_path / "failed-0.png"
    assert told == f"{visitor.page.url}: {picture}"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "<h1>Spring</h1>" in picture.with_suffix(".html").read_text(encoding="utf-8")
    visitors.all.clear()
