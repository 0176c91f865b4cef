"""Who may do what, as a table: each role may what the one before may, and pausing is easy."""

from __future__ import annotations

import pytest

from dispatcher.errors import UsageError
from dispatcher.web.access import (
    NEEDS,
    PASSWORD_FRESH_MS,
    Action,
    may,
    may_test,
    needs_password,
    own_number,
    own_numbers,
)
from dispatcher.web.store import Role, User

#: Action → who may, of viewer, preparer, sender.
TABLE = {
    "look": "vps",
    "prepare": "-ps",
    "test": "-ps",
    "pause": "-ps",
    "delete_draft": "-ps",
    "test_anybody": "--s",
    "send": "--s",
    "go_on": "--s",
    "stop": "--s",
    "reconcile": "--s",
    "recall": "--s",
    "retry": "--s",
    "download": "--s",
    "delete_file": "--s",
    "history": "--s",
    "people": "--s",
    "health": "--s",
}


def person(role: Role, *numbers: str) -> User:
    return User(user_id=1, name="Anna", role=role, own_numbers=numbers, created_at_ms=1)


@pytest.mark.parametrize("action", Action)
def test_the_table(action: Action) -> None:
    """Each action of each role; an action that is added has to be put here."""
    found = "".join(role.value[0] if may(role, action) else "-" for role in Role)
    assert found == TABLE[action.value]


def test_every_action_has_its_role() -> None:
    """None is anybody's because it was forgotten, and the table has none that is gone."""
    assert set(NEEDS) == set(Action)
    assert set(TABLE) == {action.value for action in Action}


@pytest.mark.parametrize(
    ("user", "address", "is_allowed"),
    [
        (None, "+12025550100", True),
        (person(Role.sender), "+12025550100", True),
        (person(Role.preparer, "+12025550100"), "+12025550100", True),
        (person(Role.preparer, "+12025550100"), "whatsapp:+12025550100", True),
        (person(Role.preparer, "+12025550100"), "+12025550101", False),
        (person(Role.preparer, "+12025550100"), "+1202555010", False),
        (person(Role.preparer), "+12025550100", False),
        (person(Role.preparer), "", False),
        (person(Role.viewer, "+12025550100"), "+12025550100", False),
    ],
)
def test_where_tests_may_go(user: User | None, address: str, is_allowed: bool) -> None:
    """A preparer's to own numbers alone, on whatever channel; a sender's and the one person's to any."""
    assert may_test(user, address) is is_allowed


@pytest.mark.parametrize(
    ("password_at_ms", "now_ms", "is_needed"),
    [
        (0, 0, False),
        (0, PASSWORD_FRESH_MS - 1, False),
        (0, PASSWORD_FRESH_MS, True),
        (10, 9, True),
        (None, 0, True),
    ],
)
def test_when_the_password_is_asked_again(password_at_ms: int | None, now_ms: int, is_needed: bool) -> None:
    """A quarter of an hour after it was typed; never of the one person, who has none."""
    assert needs_password(person(Role.sender), password_at_ms, now_ms=now_ms) is is_needed
    assert not needs_password(None, password_at_ms, now_ms=now_ms)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+12025550123", "+12025550123"),
        (" +1 (202) 555-0123 ", "+12025550123"),
        ("+49 171/555 01-23", "+491715550123"),
        ("+1.202.555.0123", "+12025550123"),
    ],
)
def test_a_number_as_people_write_it(text: str, number: str) -> None:
    """With blanks and punctuation; a number given twice is there once."""
    assert own_number(text) == number
    assert own_numbers([text, number]) == (number,)


@pytest.mark.parametrize("text", ["", "2025550123", "0171 5550123", "+0171", "+1", "+1202555012a", "+" + "1" * 16])
def test_what_is_no_number(text: str) -> None:
    """Without a country it could be anybody's."""
    with pytest.raises(UsageError, match="begins with"):
        own_number(text)
