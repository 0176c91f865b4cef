"""Studio's Liquid: what Twilio's documentation says of it, and that nothing in it takes long or breaks anything."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.studio.liquid import FILTERS, LOOP_MAX, REASON_MAX, TAGS, Liquid, Rendered, Steps

VALUES: dict[str, object] = {
    "flow": {
        "data": {
            "name": "Ann",
            "empty": "",
            "n": "7",
            "first name": "A B",
            "list": "a,b,b",
            "now": "now",
            "limit": "a.limit",
        }
    }
}


def is_later(steps: Steps) -> bool:
    return steps[0] == "widgets"


def render(source: str, values: Mapping[str, object] | None = None) -> Rendered:
    return Liquid().compile(source, is_later).render(VALUES if values is None else values)


#: twilio.com/docs/studio/user-guide/liquid-template-language, "Standard filters": each with the example that it gives,
#: or, where it gives none, the sentence made one.
DOCUMENTED = [
    ("append", "{{ 'foo' | append:'bar' }}", "foobar"),
    ("ceil", "{{ 4.6 | ceil }}", "5"),
    ("date", "{{ '2026-03-02 09:15' | date: '%d %b %Y, %H:%M' }}", "02 Mar 2026, 09:15"),
    ("default", '{{ undefined_variable | default: "Default value" }}', "Default value"),
    ("divided_by", "{{ 10 | divided_by:3 }}", "3"),
    ("downcase", "{{ 'Ann LEE' | downcase }}", "ann lee"),
    ("escape", "{{ '<a & b>' | escape }}", "&lt;a &amp; b&gt;"),
    ("escape_once", "{{ '&lt;a & b>' | escape_once }}", "&lt;a &amp; b&gt;"),
    ("first", "{{ 'a~b' | split:'~' | first }}", "a"),
    ("floor", "{{ 4.6 | floor }}", "4"),
    ("join", "{{ 'a~b' | split:'~' | join: ' and ' }}", "a and b"),
    ("last", "{{ 'a~b' | split:'~' | last }}", "b"),
    ("lstrip", "[{{ '  a ' | lstrip }}]", "[a ]"),
    ("minus", "{{ 4 | minus:2 }}", "2"),
    ("modulo", "{{ 3 | modulo:2 }}", "1"),
    ("newline_to_br", "{{ lines | newline_to_br }}", "a<br />\nb"),
    ("plus", "{{ '1' | plus:'1' }} {{ 1 | plus:1 }}", "2 2"),
    ("prepend", "{{ 'bar' | prepend:'foo' }}", "foobar"),
    ("remove", "{{ 'foobarfoobar' | remove:'foo' }}", "barbar"),
    ("remove_first", "{{ 'barbar' | remove_first:'bar' }}", "bar"),
    ("replace", "{{ 'foofoo' | replace:'foo','bar' }}", "barbar"),
    ("replace_first", "{{ 'barbar' | replace_first:'bar','foo' }}", "foobar"),
    ("reverse", "{{ 'a~b' | split:'~' | reverse | join: '' }}", "ba"),
    ("round", "{{ 4.5612 | round: 2 }}", "4.56"),
    ("rstrip", "[{{ ' a  ' | rstrip }}]", "[ a]"),
    ("size", "{{ 'tobi' | size }}", "4"),
    ("slice", '{{ "hello" | slice: -3, 3 }}', "llo"),
    ("sort", "{{ 'b~a' | split:'~' | sort | join: '' }}", "ab"),
    ("split", '{{ "a~b" | split:"~" | size }}', "2"),
    ("strip", "[{{ ' a ' | strip }}]", "[a]"),
    ("strip_html", "{{ '<b>a</b>' | strip_html }}", "a"),
    ("strip_newlines", "{{ lines | strip_newlines }}", "ab"),
    ("times", "{{ 5 | times:4 }}", "20"),
    ("to_json", "{{ people | to_json }}", '[{"name":"Ann"},{"name":"Bo"}]'),
    ("truncate", "{{ 'foobarfoobar' | truncate: 5, '.' }}", "foob."),
    ("truncatewords", "{{ 'one two three' | truncatewords: 2 }}", "one two..."),
    ("truncate", "{{ 'foobar' | truncate: 6, '.' }}{{ '' | truncate: 0, '.' }}", "foobar"),
    ("truncatewords", "{{ 'one two' | truncatewords: 2 }}", "one two"),
    ("uniq", "{{ 'a~b~b' | split:'~' | uniq | join: '' }}", "ab"),
    ("upcase", "{{ 'tobi' | upcase }}", "TOBI"),
    ("url_encode", "{{ '+1 202' | url_encode }}", "%2B1+202"),
    ("capitalize", "{{ 'word' | capitalize }}", "Word"),
    ("map", "{{ people | map: 'name' | join: ', ' }}", "Ann, Bo"),
]


@pytest.mark.parametrize(("name", "source", "expected"), DOCUMENTED)
def test_documented_filters(name: str, source: str, expected: str) -> None:
    """Each filter that Twilio lists does what its documentation says."""
    values = {"lines": "a\nb", "people": [{"name": "Ann"}, {"name": "Bo"}]}
    assert render(source, values) == Rendered(expected)


def test_every_filter_has_an_example() -> None:
    """No filter is rendered of which no example is held."""
    assert {name for name, _, _ in DOCUMENTED} == FILTERS


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{% if flow.data.name == 'Ann' %}yes{% else %}no{% endif %}", "yes"),
        ("{% if flow.data.empty %}a text is true, also an empty one{% endif %}", "a text is true, also an empty one"),
        ("{% if flow.data.none %}yes{% endif %}", ""),
        ("{% unless flow.data.name contains 'n' %}x{% endunless %}", ""),
        ("{% case flow.data.n %}{% when '7' %}seven{% else %}other{% endcase %}", "seven"),
        ("{% assign x = 'a,b' | split: ',' %}{% for i in x %}{{ i }}{% cycle '-', '+' %}{% endfor %}", "a-b+"),
        ("{% for i in (1..5) %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}", "123"),
        ("{% for i in (1..3) %}{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% endfor %}", "13"),
        ("{% capture x %}a{{ flow.data.n }}{% endcapture %}{{ x | upcase }}", "A7"),
        ("{% comment %}{{ flow.data.name }}{% endcomment %}{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("a {{- flow.data.n -}} b", "a7b"),
        ("{{ flow.data.limit }}{% if flow.data.limit == 'a.limit' %}!{% endif %} a.limit", "a.limit! a.limit"),
        ('{{ flow["data"]["first name"] }}{{ flow.data.n | plus: 1 }}', "A B8"),
        ("no expression at all }} %}", "no expression at all }} %}"),
    ],
)
def test_the_language(source: str, expected: str) -> None:
    """Tags, brackets and blanks, as Liquid has them."""
    assert render(source).text == expected


def test_a_missing_value_is_blank() -> None:
    """A variable without a value leaves nothing, and is named once; a default stands in for it."""
    found = render("[{{flow.data.none}}{{flow.data.empty}}{{flow.data.none}}{{flow.data.none | default: 'x'}}]")
    assert found == Rendered("[x]", ("flow.data.none", "flow.data.empty"))
    assert render("{% if false %}{{ flow.data.none }}{% endif %}{{ '' }}") == Rendered("")


def test_what_is_kept_is_not_anothers() -> None:
    """What a filter came to is kept by all the values that it rests on."""
    text = Liquid().compile("{{ flow.data.a | append: flow.data.b | default: 'none' }}", is_later)
    rows = [("x", "y"), ("x", "z"), ("xy", ""), ("", ""), ("x", "y"), ("", "xy")]
    found = [text.render({"flow": {"data": {"a": a, "b": b}}}).text for a, b in [*rows, *rows]]
    assert found == ["xy", "xz", "xy", "none", "xy", "xy"] * 2
    many = [text.render({"flow": {"data": {"a": str(n), "b": "!"}}}).text for n in range(3_000)]
    assert many == [f"{n}!" for n in range(3_000)]


def test_line_ends_stay() -> None:
    """Line ends of the text and of the values are sent as they are."""
    values: dict[str, object] = {"flow": {"data": {"x": "1\r\n2\r3\n"}}}
    assert render("a\r\n{{ flow.data.x }}\r", values).text == "a\r\n1\r\n2\r3\n\r"
    assert render("a\r\n{{ flow.data.x | append: '' }}\r", values).text == "a\r\n1\r\n2\r3\n\r"


def test_what_is_known_later_stands_as_it_is() -> None:
    """An output of the running flow stands in the text, or is left out where that is wanted."""
    text = Liquid().compile("{{ flow.data.name }}: {{ widgets.ask.inbound.Body | upcase }}!", is_later)
    assert text.later == ("{{widgets.ask.inbound.Body | upcase}}",)
    assert text.render(VALUES).text == "Ann: {{widgets.ask.inbound.Body | upcase}}!"
    assert text.render(VALUES, show_later=False).text == "Ann: !"
    assert Liquid().compile("{{ 'now' | date: '%Y' }}", is_later).later == ("{{'now' | date: '%Y'}}",)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{ flow.data.name | abs }}", "the filter 'abs' is not among those that Twilio lists"),
        ("{% assign x = flow.data.name | nope %}{{ x }}", "the filter 'nope' is not among those that Twilio lists"),
        ("{% include 'x' %}", "unexpected tag 'include'"),
        ("{% render 'x' %}", "unexpected tag 'render'"),
        ("{% increment x %}", "unexpected tag 'increment'"),
        ("{{ flow.data.name", "expected '}}', found end of file"),
        ("{{ a + b }}", "unexpected '+'"),
        ("{{ flow.data.prénom }}", "a name in it is not ASCII"),
        ("{% if widgets.ask %}x{% endif %}", "what it says is decided by widgets.ask, which is known only when"),
        ("{% capture x %}{{ widgets.ask }}{% endcapture %}", "it keeps {{widgets.ask}}, which is known only when"),
        ("{% if flow.data.n > 5 %}x{% endif %}", "'<' and '>' are not supported"),
        ("{{ flow.data.n | divided_by: 0 }}", "divided_by: can't divide by 0"),
        ("{{ flow.data.now | date: '%d' }}", "it says the day on which it is sent"),
        ("{{ flow.data.n | date: '%d' }}", "it shows a date that Studio may read in another way"),
        ("{{ '02/03/2026' | date: '%d' }}", "it shows a date that Studio may read in another way"),
        ("{{ '09:15 PST' | date: '%H' }}", "it shows a date that Studio may read in another way"),
        ("{{ (1..1000000000) | join }}", "a range stands outside of a loop"),
        ("{% for i in (1..100000000) %}x{% endfor %}", f"a loop in it goes round more than {LOOP_MAX} times"),
        ("{% if true %}" * 100_000, "block nesting limit reached"),
    ],
)
def test_what_cannot_be_rendered(source: str, reason: str) -> None:
    """A text that cannot be rendered is given as it stands, with the reason."""
    found = render(source)
    assert (found.text, found.reason[: len(reason)], found.blanks) == (source, reason, ())


@pytest.mark.parametrize(
    "source",
    [
        "{{ x | replace: '', x | replace: '', x | replace: '', x }}",
        "{{ x | split: '' | join: x | split: '' | join: x }}",
        "{% for i in (1..15) %}{{ x }}{% endfor %}",
        "{{ 9 " + "| times: 99999999999999999999 " * 20_000 + "}}",
        "{% assign y = x %}" + "{% assign y = y | append: y %}" * 40 + "{{ y }}",
    ],
)
def test_nothing_takes_long(source: str) -> None:
    """Texts and filters that grow without end are given up soon."""
    begun_s = time.process_time()
    found = render(source, {"x": "x" * 16_384})
    assert found.reason
    assert len(found.reason) <= REASON_MAX + 1
    assert time.process_time() - begun_s < 5


@settings(max_examples=300)
@given(
    st.text(max_size=40),
    st.lists(st.sampled_from(sorted(FILTERS)), max_size=3),
    st.lists(st.one_of(st.integers().map(str), st.text(st.characters(exclude_characters="'"), max_size=5).map(repr))),
)
def test_no_text_breaks_anything(value: str, filters: list[str], arguments: list[str]) -> None:
    """Whatever a filter makes of a value, there is a text, or the text as it stands with a reason."""
    source = "{{ flow.data.x " + "".join(f"| {name}: {', '.join(arguments)} " for name in filters) + "}}"
    found = render(source, {"flow": {"data": {"x": value}}})
    assert isinstance(found.text, str)
    assert not found.reason or found.text == source


@given(st.text())
def test_no_source_breaks_anything(source: str) -> None:
    for text in (source, "{{" + source + "}}", "{%" + source + "%}{{flow.data.name}}"):
        found = render(text)
        assert not found.reason or found.text == text


def test_the_tags_are_those_of_the_documentation() -> None:
    """Every tag that is rendered is listed, and none reads another template."""
    assert not TAGS & {"include", "render", "liquid", "tablerow"}
