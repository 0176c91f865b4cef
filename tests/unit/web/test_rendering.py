"""Templates to pages: nothing from outside is markup, nothing invisible hides, and nothing is loaded from elsewhere."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from dispatcher.web.rendering import STATIC, environment, seen, static

TEMPLATES = sorted((STATIC.parent / "templates").glob("*.html"))
#: What the page's own rules forbid (its CSP, escaping, and nothing from another machine), as it would be written.
FORBIDDEN = {
    "a style of its own": r"<[^>]*\sstyle\s*=",
    "a style sheet of its own": r"<style\b",
    "a script with a body": r"<script\b[^>]*>(?!\s*</script>)",
    "a script without a file": r"<script\b(?![^>]*\ssrc=)",
    "a handler": r"<[^>]*\son[a-z]+\s*=",
    "a script as an address": r"javascript:",
    "another machine": r"(?i)https?://|(?:href|src|action)\s*=\s*[\"']?//",
    "markup from outside": r"\|\s*safe\b|autoescape\s+false|\bMarkup\b",
    "another base": r"<base\b|<iframe\b|<object\b|<embed\b",
    "an attribute without quotes": r"<[a-z]+(?:[^>\"]|\"[^\"]*\")*?\s[a-z-]+=\{\{",
}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_nothing_of_its_own(template: Path) -> None:
    """No inline style, handler or script, no address of another machine, and nothing that is not escaped."""
    source = template.read_text(encoding="utf-8")
    for what, pattern in FORBIDDEN.items():
        found = re.search(pattern, source)
        assert found is None, f"{what}: {found[0]}"


def test_every_template_is_looked_at() -> None:
    """Those that can be rendered are those in the folder."""
    assert {path.name for path in TEMPLATES} == set(environment().list_templates())
    assert len(TEMPLATES) > 20


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_form_that_changes_has_a_token(template: Path) -> None:
    """Those that somebody signed in sends: without it the form does nothing."""
    for found in re.findall(r"<form\b[^>]*method=\"post\".*?</form>", template.read_text("utf-8"), re.S):
        assert "_token" in found or "ui.token(visitor)" in found or 'action="/sign-in"' in found, found


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("Zoë 🌷 中文\n\tb", "Zoë 🌷 中文\n\tb"),
        ("<b>&'\"", "&lt;b&gt;&amp;&#39;&#34;"),
        ("a\u202eb", "a<span class=odd>U+202E</span>b"),
        ("\u2066<\u2069", "<span class=odd>U+2066</span>&lt;<span class=odd>U+2069</span>"),
        ("a\u200bb\ufeff", "a<span class=odd>U+200B</span>b<span class=odd>U+FEFF</span>"),
        ("\0\r\x1b\x7f\x85", "".join(f"<span class=odd>U+{code:04X}</span>" for code in (0, 13, 27, 127, 133))),
        ("\u2028\u2029", "<span class=odd>U+2028</span><span class=odd>U+2029</span>"),
        ("\ud800", "<span class=odd>U+D800</span>"),
        ("\U000e0041", "<span class=odd>U+E0041</span>"),
        ("Paul\u3164", "Paul<span class=odd>U+3164</span>"),
        ("\u2800\u115f", "<span class=odd>U+2800</span><span class=odd>U+115F</span>"),
    ],
)
def test_what_cannot_be_seen_is_shown(text: str, shown: str) -> None:
    """Controls, directions, joiners, halves of letters and fillers by their number; all else escaped, as it is."""
    assert seen(text) == shown
    assert isinstance(seen(text), Markup)
    shown.encode()


def test_markup_from_outside_is_text() -> None:
    """In every way in which templates show it: by itself, filtered, joined, in an attribute."""
    evil = "<script>alert(1)</script>\" onmouseover='x'"
    source = '{{ it }}{{ it|seen }}{{ [it, it]|map("seen")|join(", ") }}<a title="{{ it }}">{{ it|truncate(9) }}</a>'
    page = environment().from_string(source).render(it=evil)
    assert "<script" not in page
    assert '" on' not in page


def test_a_name_that_nobody_gave_is_an_error() -> None:
    """No page has a blank where a value was forgotten."""
    with pytest.raises(UndefinedError):
        environment().from_string("{{ missing }}").render()
    with pytest.raises(UndefinedError):
        environment().from_string("{% if missing %}{% endif %}").render()


def test_a_file_s_address_changes_with_it() -> None:
    """An old style with a new page is what nobody sees."""
    digest = hashlib.sha256((STATIC / "page.css").read_bytes()).hexdigest()
    assert static("page.css") == f"/static/page.css?v={digest[:12]}"
    with pytest.raises(FileNotFoundError):
        static("none.css")


def test_numbers_and_counts_in_templates() -> None:
    """As on the rest of the page."""
    page = environment().from_string('{{ 1234567|n }} {{ 1|counted("row") }} {{ 2|counted("row is", "rows are") }}')
    assert page.render() == "1,234,567 1 row 2 rows are"


def test_the_style_and_script_load_nothing() -> None:
    """From another machine; nor does the script make text into markup or code."""
    for path in STATIC.iterdir():
        source = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(
            r"(?i)https?://|@import|url\(\s*['\"]?//|\beval\(|new Function|innerHTML|insertAdjacentHTML|\.write\(",
            source,
        ), path.name
