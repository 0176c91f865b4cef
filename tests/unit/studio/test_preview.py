"""What a contact gets: how far a flow is followed, what is decided, and what is said where it is not."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.studio.definition import read_definition
from dispatcher.studio.preview import VISITS_MAX, FlowTexts, RowTexts, RowValues
from dispatcher.studio.segments import Encoding
from dispatcher.studio.spread import FileSpread, Longest, SpreadFold

TO = "+12025550100"


def state(name: str, kind: str, exits: dict[str, str | None], **properties: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "transitions": [{"event": event} | ({"next": to} if to else {}) for event, to in exits.items()],
        "properties": properties,
    }


def say(name: str, body: object, to: str | None = None) -> dict[str, Any]:
    return state(name, "send-message", {"sent": to, "failed": None}, body=body)


def ask(name: str, body: str, to: str | None = None, silent: str | None = None) -> dict[str, Any]:
    return state(name, "send-and-wait-for-reply", {"incomingMessage": to, "timeout": silent}, body=body)


def split(name: str, argument: str, no: str | None, *ways: tuple[str, str, str]) -> dict[str, Any]:
    """`ways`: a condition's type and value, and where it leads."""
    found = state(name, "split-based-on", {"noMatch": no}, input=argument)
    for kind, value, to in ways:
        condition = {"arguments": [argument], "type": kind, "value": value}
        found["transitions"].append({"event": "match", "next": to, "conditions": [condition]})
    return found


def flow(*states: dict[str, Any], first: str | None = None) -> FlowTexts:
    trigger = state("Trigger", "trigger", {"incomingRequest": first or states[0]["name"]})
    definition = read_definition({"states": [trigger, *states], "initial_state": "Trigger"})
    assert definition.problems == ()
    return FlowTexts(definition, flow_sid="FW1", id_parameter="dispatch_id")


def texts(found: FlowTexts, to: str = TO, **data: str) -> RowTexts:
    return found.of(RowValues(data=data, to=to, sender="MG1"))


def shown(found: RowTexts) -> list[tuple[str, str, bool]]:
    return [(text.widget, text.text, text.is_expected) for text in found.texts]


def test_texts_one_after_the_other() -> None:
    """Messages count as sent; the first that waits for an answer is the last that is certain."""
    found = texts(
        flow(
            say("a", "Hi {{flow.data.name}}", "b"), ask("b", "Coming?", "c", "d"), say("c", "Fine"), say("d", "Hello?")
        ),
        name="Ann",
    )
    assert shown(found) == [
        ("a", "Hi Ann", True),
        ("b", "Coming?", True),
        ("c", "Fine", False),
        ("d", "Hello?", False),
    ]
    assert found.decided_at == "b"


@pytest.mark.parametrize(("lang", "widget"), [("es", "es"), (" ES ", "es"), ("en", "en"), ("", "en")])
def test_a_split_on_a_row_is_decided(lang: str, widget: str) -> None:
    """A split on flow.data is decided by the row, before the contact and behind them."""
    ways = flow(split("s", "{{flow.data.lang}}", "en", ("equal_to", "es", "es")), say("es", "Hola"), say("en", "Hi"))
    assert [text.widget for text in texts(ways, lang=lang).texts] == [widget]
    asked = split("s", "{{flow.data.lang}}", "en", ("equal_to", "es", "es"))
    behind = flow(ask("ask", "?", "s"), asked, say("es", "Hola"), say("en", "Hi"))
    assert [text.widget for text in texts(behind, lang=lang).texts] == ["ask", widget]
    # What is kept of one row must not be taken for another's.
    assert [text.widget for text in texts(behind, lang="es").texts] == ["ask", "es"]


@pytest.mark.parametrize(
    ("kind", "given", "wanted", "holds"),
    [
        ("equal_to", " Yes ", "yes", True),
        ("not_equal_to", "yes", "yes", False),
        ("matches_any_of", "Y", "yes, y ,ok", True),
        ("matches_any_of", "o", "yes,y,ok", False),
        ("does_not_match_any_of", "o", "yes, y", True),
        ("contains", "oh YES", "yes", True),
        ("does_not_contain", "oh", "yes", True),
        ("starts_with", "Yes!", "yes", True),
        ("does_not_start_with", "Yes!", "yes", False),
        ("is_blank", "  ", "", True),
        ("is_not_blank", "", "", False),
        ("less_than", "9", "10", True),
        ("greater_than", "x", "1", False),
        ("regex", "ab12", "^[a-z]+[0-9]+$", True),
        ("regex", "AB", "^[a-z]+$", False),
    ],
)
def test_conditions(kind: str, given: str, wanted: str, holds: bool) -> None:
    """Conditions are compared without regard to case and to blanks around them, except by regex."""
    ways = flow(split("s", "{{flow.data.x}}", "no", (kind, wanted, "yes")), say("yes", "yes"), say("no", "no"))
    assert [text.text for text in texts(ways, x=given).expected] == ["yes" if holds else "no"]


def test_a_split_on_an_answer_is_not_decided() -> None:
    """A split on what only the running flow knows leaves all its ways open, but for those before it that hold."""
    ways = flow(
        split("s", "{{widgets.x.Body}}", "c", ("equal_to", "1", "a"), ("equal_to", "2", "b")),
        *[say(name, name) for name in "abc"],
    )
    found = texts(ways)
    assert (found.decided_at, [text.widget for text in found.texts]) == ("s", ["c", "a", "b"])
    assert not list(found.expected)
    half = split("s", "{{flow.data.x}}", "c", ("equal_to", "1", "a"), ("equal_to", "{{widgets.x}}", "b"))
    first = flow(half, *[say(name, name) for name in "abc"])
    assert [text.widget for text in texts(first, x="1").expected] == ["a"]
    assert [text.is_expected for text in texts(first, x="2").texts] == [False, False, False]


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("is_before_time", "10:00", "what a condition 'is_before_time' makes of a row is not known here"),
        ("regex", "(a+)+b", "its pattern could take long"),
        ("regex", "a?a?a?a?a?a?a?aaa", "its pattern could take long"),
        ("regex", "(", "its pattern cannot be read"),
        ("equal_to", "{{ flow.data.x | abs }}", "the filter 'abs' is not among those that Twilio lists"),
    ],
)
def test_a_split_that_cannot_be_computed(kind: str, value: str, reason: str) -> None:
    """Where a condition cannot be computed, both ways are possible and it is said why."""
    found = texts(
        flow(split("s", "{{flow.data.x}}", "b", (kind, value, "a")), say("a", "a"), say("b", "b")), x="a" * 30
    )
    assert found.notes == (f"which way s goes is not known: {reason}",)
    assert {text.widget for text in found.texts} == {"a", "b"}


def test_variables_of_the_flow() -> None:
    """Variables that are set from a row's values are known; those of an answer stand ."""
    found = texts(
        flow(
            state("v", "set-variables", {"next": "a"}, variables=[
                {"key": "full", "value": "{{flow.data.name}} Lee"},
                {"key": "said", "value": "{{widgets.x.Body}}"},
            ]),
            say("a", "{{flow.variables.full}} {{flow.variables.said}} {{flow.variables.none}}!"),
        ),
        name="Ann",
    )  # fmt: skip
    (text,) = found.texts
    assert (text.text, text.blanks) == ("Ann Lee {{flow.variables.said}} !", ("flow.variables.none",))
    assert text.size is not None
    assert text.size.characters == len("Ann Lee  !")


def test_a_variable_that_may_be_set_is_not_known() -> None:
    """Behind the contact, a variable that any way sets is known only later; before them it is what it was."""
    ways = flow(
        state("v", "set-variables", {"next": "ask"}, variables=[{"key": "x", "value": "one"}]),
        ask("ask", "{{flow.variables.x}}?", "w", "end"),
        state("w", "set-variables", {"next": "end"}, variables=[{"key": "x", "value": "two"}]),
        say("end", "{{flow.variables.x}}!"),
    )
    assert [text.text for text in texts(ways).texts] == ["one?", "{{flow.variables.x}}!"]


def test_functions_are_assumed_to_succeed() -> None:
    """Behind a function, a request or a subflow texts are shown as if it succeeds, with what it gives as it stands."""
    ways = flow(
        state("f", "run-function", {"success": "r", "fail": "sorry"}),
        state("r", "make-http-request", {"failed": "sorry", "success": "u"}),
        state("u", "run-subflow", {"completed": "a", "failed": None}),
        say("a", "Your code: {{widgets.f.parsed.code}}"),
        say("sorry", "Sorry"),
    )
    found = texts(ways)
    assert shown(found) == [("a", "Your code: {{widgets.f.parsed.code}}", True)]
    assert found.assumed == ("f", "r", "u")
    assert found.notes == ("the texts of the flow that u runs are not shown",)
    assert found.texts[0].later == ("{{widgets.f.parsed.code}}",)


def test_a_circle_ends() -> None:
    """A flow that goes in a circle sends as often as Studio lets it, and that is said."""
    found = texts(flow(say("a", "again", "a")))
    assert [text.text for text in found.texts] == ["again"] * VISITS_MAX
    assert found.notes == (f"a is visited more than {VISITS_MAX} times: Studio ends the flow there",)


@pytest.mark.parametrize(
    ("body", "reason", "text"),
    [
        ("Hi {{ flow.data.x | abs }}", "the filter 'abs' is not among", "Hi {{ flow.data.x | abs }}"),
        ("Hi {{ flow.data | to_json }}", "", "Hi {{flow.data | to_json}}"),
        ("Id {{ flow.data.dispatch_id }} {{ flow.sid }}", "", "Id {{flow.data.dispatch_id}} {{flow.sid}}"),
        ("{{ contact.channel.address }} {{ flow.channel.address }} {{ flow.flow_sid }}", "", f"{TO} MG1 FW1"),
        ({"a": 1}, "", '{"a":1}'),
        (7, "", "7"),
        (None, "", ""),
    ],
)
def test_odd_bodies(body: object, reason: str, text: str) -> None:
    """A text that cannot be rendered stands as it is in the flow, with the reason; what is none is written as one."""
    (found,) = texts(flow(say("a", body)), name="Ann").texts
    assert found.text == text
    assert found.reason[: len(reason)] == reason
    assert bool(found.reason) == bool(reason)
    assert (found.size is None) == bool(reason)


def test_a_content_template_is_said_to_be_one() -> None:
    """A message whose text is a content template's names it."""
    (found,) = texts(flow(state("a", "send-message", {"sent": None}, content_sid="HX1"))).texts
    assert (found.text, found.reason) == ("HX1", "it is a content template, whose text is not in the flow")


def test_a_flow_without_texts() -> None:
    """A flow that calls has no messages, and says so."""
    calls = flow(state("call", "make-outgoing-call-v2", {"answered": "hi"}), state("hi", "say-play", {}, say="Hello"))
    assert (calls.has_messages, calls.calls, texts(calls).texts) == (False, True, ())
    assert texts(FlowTexts(read_definition({"states": []}))).texts == ()


def test_other_channels_have_no_segments() -> None:
    """A text on WhatsApp is shown, and not counted in segments."""
    found = texts(flow(say("a", "Hi")), to="whatsapp:+12025550100")
    assert (found.is_sms, found.texts[0].size) == (False, None)


# --- many rows ---


def spread(found: FlowTexts, *rows: dict[str, str], to: str = TO) -> FileSpread:
    fold = SpreadFold()
    for number, data in enumerate(rows, start=2):
        fold.add(number, texts(found, to=to, **data))
    return fold.result()


def test_what_many_rows_come_to() -> None:
    """Segments are those of a row's expected texts together; gaps and what forces UCS-2 are counted by rows."""
    ways = flow(
        say("a", "Hi {{flow.data.name}}!", "b"), ask("b", "{{flow.data.more}}", "c"), say("c", "{{flow.data.name}}")
    )
    found = spread(ways, {"name": "Ann", "more": "x"}, {"name": "", "more": "x" * 161}, {"name": "Zoë", "more": "y"})
    assert (found.rows, dict(found.segments), found.total_segments) == (3, {2: 2, 3: 1}, 7)
    assert found.longest == Longest(row_number=3, segments=3, characters=4 + 161)
    first, second, third = found.texts
    assert (first.blanks, first.ucs_2_rows, first.forcing) == ({"flow.data.name": 1}, 1, {"ë": 1})
    assert (first.characters, first.longest_row, second.longest_row) == ((4, 7), 2, 3)
    assert (third.is_expected, third.empty_rows, third.rows) == (False, 1, 3)
    assert not found.is_least


def test_rows_that_cannot_be_counted() -> None:
    """Rows whose text cannot be rendered, or is no SMS, are told of and not counted."""
    ways = flow(say("a", "{% if flow.data.n > 5 %}x{% endif %}"))
    found = spread(ways, {"n": "7"}, {"n": "8"})
    assert (found.unknown_rows, found.counted_rows, found.longest) == (2, 0, None)
    assert list(found.texts[0].reasons.values()) == [2]
    other = spread(flow(say("a", "Hi")), {}, to="whatsapp:+12025550100")
    assert (other.other_rows, other.counted_rows, other.unknown_rows) == (1, 0, 0)


def test_too_long_and_least() -> None:
    """A text of more characters than Twilio takes is told of; one with a part known later is counted as the least."""
    found = spread(flow(say("a", "{{flow.data.x}}{{widgets.y.z}}")), {"x": "a" * 1_601}, {"x": "a"})
    assert (found.texts[0].too_long_rows, found.is_least) == (1, True)


def test_a_files_values_do_not_fill_the_memory() -> None:
    """However many different characters and reasons there are, only so many are told apart."""
    ways = flow(say("a", "{{flow.data.x}}"))
    found = spread(ways, *[{"x": chr(0x4E00 + n)} for n in range(1_000)])
    assert len(found.texts[0].forcing) < 300
    assert found.texts[0].ucs_2_rows == 1_000
    size = texts(ways, x="一").texts[0].size
    assert size is not None
    assert size.encoding is Encoding.ucs_2
