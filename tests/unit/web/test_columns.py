"""Which column is what: proposed, answered, and told to whoever reads the file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dispatcher.campaign.setup import Variables
from dispatcher.settings import Settings
from dispatcher.web.columns import (
    PROPOSED_MAX,
    Answers,
    Seen,
    answered,
    filled,
    look_settings,
    problems,
    proposed,
    read,
    settings_of,
)
from dispatcher.web.forms import Form

SEEN = Seen(
    columns=("phone", "First name", "code", "notes"),
    samples={},
    to="phone",
    country="DE",
    sheets=("Sheet1", " Data "),
    sheet="Sheet1",
    encodings=(("cp1252", "Zoë"), ("cp1250", "Zoë")),
    settings={"input.delimiter": ";", "input.sheet": "Sheet1"},
)
FLOW = "FW" + "a" * 32
WHOLE = Variables(names=("first_name", "code"), is_whole=True)


def settings(**tables: Any) -> Settings:
    return Settings.model_validate(tables)


def form(*more: tuple[str, str], proposed: str = FLOW) -> Form:
    """As the page sends it."""
    return Form([("proposed", proposed), ("flow", FLOW), ("to", "phone"), ("from", "+1555"), ("name", "x"), *more])


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ({}, ("phone", "DE", "", "")),
        ({"columns": {"to": "code", "region": "US"}}, ("code", "US", "", "")),
        ({"columns": {"to": "Phone"}}, ("phone", "DE", "", "")),
        ({"campaign": {"flow": FLOW, "from": "+14155550000"}}, ("phone", "DE", FLOW, "+14155550000")),
    ],
)
def test_what_is_proposed_first(tables: dict[str, Any], told: tuple[str, ...]) -> None:
    """What the settings say, where the file has such a column; else what the file looks like."""
    found = proposed(SEEN, settings(**tables), "spring")
    assert (found.to, found.region, found.flow, found.sender) == told
    assert (found.is_proposed, found.name, found.purpose) == (True, "spring", "marketing")


def test_a_flow_s_variables_find_their_columns() -> None:
    """However they are spelled; where all of them are known nothing else is sent along."""
    found = filled(proposed(SEEN, settings(), "x"), SEEN, WHOLE)
    assert found.variables == {"first_name": "First name", "code": "code"}
    assert found.along == ()
    open_end = filled(proposed(SEEN, settings(), "x"), SEEN, Variables(names=("code",)))
    assert (open_end.variables, open_end.along) == ({"code": "code"}, ("First name", "notes"))
    assert filled(proposed(SEEN, settings(), "x"), SEEN, Variables()).along == ("First name", "code", "notes")


def test_the_numbers_column_by_its_name_alone() -> None:
    """A flow that reads `phone` gets it; no other variable is guessed to mean it, and it never goes along unasked."""
    found = filled(proposed(SEEN, settings(), "x"), SEEN, Variables(names=("phone", "phones")))
    assert found.variables == {"phone": "phone"}
    assert "phone" not in found.along


def test_a_wide_file_proposes_nothing_along() -> None:
    """Else a form would have more fields than any server reads, and a contact more values than Studio takes."""
    columns = tuple(f"column {n}" for n in range(PROPOSED_MAX + 1))
    wide = Seen(columns=columns, samples={}, to="column 0")
    assert filled(proposed(wide, settings(), "x"), wide, Variables()).along == ()
    just = Seen(columns=columns[:-1], samples={}, to="column 0")
    assert len(filled(proposed(just, settings(), "x"), just, Variables()).along) == PROPOSED_MAX - 1


def test_nothing_that_was_chosen_is_guessed_over() -> None:
    """A variable left at (nothing) stays so when the form comes back with a problem; one that is new is proposed."""
    answers = read(form(("v-code", ""), ("along", "notes")), SEEN)
    found = filled(answers, SEEN, WHOLE)
    assert found.variables == {"first_name": "First name"}
    assert found.along == ("notes",)
    for another_flow in ("", "FW" + "b" * 32):
        anew = filled(read(form(("v-code", ""), proposed=another_flow), SEEN), SEEN, WHOLE)
        assert anew.variables == {"first_name": "First name", "code": "code"}
        assert anew.is_proposed


def test_another_flow_s_variables_are_gone() -> None:
    """What the flow before used hides no column of this one."""
    found = filled(read(form(("v-old", "notes"), proposed="FW" + "b" * 32), SEEN), SEEN, Variables(names=("code",)))
    assert found.variables == {"code": "code"}
    assert "notes" in found.along


def test_one_column_for_a_variable_s_name() -> None:
    """`code` is filled from `notes`: the column `code` cannot go along under the same name, and is not shown to."""
    answers = read(form(("v-code", "notes"), ("along", "code"), ("along", "First name")), SEEN)
    assert filled(answers, SEEN, WHOLE).along == ("First name",)
    assert settings_of(answers, SEEN)["columns.parameters"] == {"code": "notes", "First name": "First name"}


@pytest.mark.parametrize(
    ("field", "sent", "told"),
    [
        ("to", "phone", "phone"),
        ("to", " phone ", "phone"),
        ("to", "Phone", ""),
        ("to", "../../etc/passwd", ""),
        ("region", "de", "DE"),
        ("purpose", "transactional", "transactional"),
        ("purpose", "whatever", "marketing"),
        ("sheet", "Data", " Data "),
        ("sheet", "Sheet1", "Sheet1"),
        ("sheet", "Sheet9", ""),
    ],
)
def test_only_what_the_page_offered_is_an_answer(field: str, sent: str, told: str) -> None:
    """A column, a sheet or a purpose that is none of those is no answer."""
    assert getattr(read(Form([(field, sent)]), SEEN), field) == told


def test_columns_that_are_not_there_are_not_sent() -> None:
    """As variables or along; one that is ticked twice goes once."""
    found = read(form(("v-a", "code"), ("v-b", "nowhere"), ("along", "x"), ("along", "code"), ("along", "code")), SEEN)
    assert (found.variables, found.along) == ({"a": "code"}, ("code",))


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"sheet": "Data"}, {"input.sheet": " Data "}),
        ({"encoding": "cp1250"}, {"input.encoding": "cp1250"}),
        ({"sheet": "Sheet1", "encoding": "cp1252"}, {"input.sheet": "Sheet1", "input.encoding": "cp1252"}),
        ({"sheet": "Sheet9", "encoding": "rot13"}, None),
        ({}, None),
    ],
)
def test_how_a_file_is_looked_at_anew(sent: dict[str, str], told: dict[str, str] | None) -> None:
    """By a sheet and letters that were offered, and no other."""
    assert look_settings(read(Form(list(sent.items())), SEEN), SEEN) == told


@pytest.mark.parametrize(
    ("wrong", "fields"),
    [
        ({}, set()),
        ({"to": ""}, {"to"}),
        ({"flow": ""}, {"flow"}),
        ({"sender": ""}, {"from"}),
        ({"flow": "", "sender": ""}, {"flow"}),
        ({"name": ""}, {"name"}),
        ({"name": "x" * 80}, set()),
        ({"name": "x" * 81}, {"name"}),
        ({"name": "-rf"}, {"name"}),
        ({"name": "spring\u202etxt"}, {"name"}),
        ({"name": "a\nb"}, {"name"}),
        ({"name": "Frühling 🌷"}, set()),
        ({"to": "", "flow": "", "name": ""}, {"to", "flow", "name"}),
    ],
)
def test_what_is_missing_is_told_at_its_field(wrong: dict[str, Any], fields: set[str]) -> None:
    """All at once, each in a sentence."""
    right = Answers(to="phone", flow=FLOW, sender="+1555", name="spring")
    found = problems(replace(right, **wrong), needs_flow=True)
    assert set(found) == fields
    assert all(sentence.endswith(".") for sentence in found.values())


def test_what_the_server_has_is_not_asked_for() -> None:
    """Without credentials there is no flow to choose; where a column names the senders, none is typed."""
    given = Answers(to="phone", name="spring")
    assert problems(given, needs_flow=False) == {}
    assert problems(Answers(to="phone", name="x", flow=FLOW), needs_flow=True, needs_sender=False) == {}


def test_settings_that_follow() -> None:
    """How the file was read, what was answered, and nothing where the server's own is to hold."""
    answers = read(form(("v-name", "First name"), ("along", "code"), ("along", "phone"), ("region", "us")), SEEN)
    assert settings_of(answers, SEEN) == {
        "input.delimiter": ";",
        "input.sheet": "Sheet1",
        "columns.to": "phone",
        "columns.region": "US",
        "columns.parameters": {"code": "code", "name": "First name"},
        "campaign.purpose": "marketing",
        "campaign.flow": FLOW,
        "campaign.from": "+1555",
    }
    bare = settings_of(Answers(to="phone", name="x", sheet=" Data "), SEEN)
    assert bare["input.sheet"] == " Data "
    assert not {"columns.region", "campaign.flow", "campaign.from"} & set(bare)


def test_answers_come_back_as_they_were() -> None:
    """Out of a draft's settings; before anybody has answered it is what is proposed."""
    sent = read(form(("v-name", "First name"), ("along", "code"), ("purpose", "transactional")), SEEN)
    back = answered(SEEN, settings_of(sent, SEEN), "x", settings())
    assert (back.to, back.flow, back.sender, back.purpose) == ("phone", FLOW, "+1555", "transactional")
    assert (back.variables, back.along, back.is_proposed) == (
        {"name": "First name", "code": "code"},
        ("code",),
        False,
    )
    assert answered(SEEN, {"input.sheet": "Data"}, "x", settings()).is_proposed
